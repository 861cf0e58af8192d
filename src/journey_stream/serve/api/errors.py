"""What a request can be refused with."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from journey_stream.serve.api.headers import SECURITY_HEADERS

JSON = "application/json"


class Error(msgspec.Struct, frozen=True):
    """Why there is no answer, in one sentence that names the field and what was expected."""

    error: str


class Refused(Exception):
    """A request that gets `status` and a sentence in place of an answer."""

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers or {}


def error_response(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    body = msgspec.json.encode(Error(sentence))
    return Response(body, status, {"cache-control": "no-store", **(headers or {})}, media_type=JSON)


async def refuse(_: Request, refused: Exception) -> Response:
    assert isinstance(refused, Refused)
    return error_response(refused.status, refused.sentence, refused.headers)


async def not_found(request: Request, _: Exception) -> Response:
    return error_response(404, f"There is nothing at {request.url.path}. See /api for what there is.")


async def wrong_method(request: Request, _: Exception) -> Response:
    return error_response(405, f"{request.method} is not possible here: everything is read with GET.", {"allow": "GET"})


async def failed(_: Request, __: Exception) -> Response:
    # Made outside of all middleware, so that nobody else adds the headers.
    sentence = "The answer failed by a mistake of the service. Its log has the details."
    return error_response(500, sentence, dict(SECURITY_HEADERS))
