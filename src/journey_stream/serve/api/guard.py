"""What stands before every answer: security headers, no bodies, who may ask, and how often."""

from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from journey_stream.serve.api.access import Access
from journey_stream.serve.api.errors import error_response
from journey_stream.serve.api.headers import SECURITY_HEADERS
from journey_stream.serve.api.rate import Rate

_PROTECTED: Final = ("/api/", "/openapi.json")


class Guard:
    """Adds the security headers to what is answered, and answers itself what must not get any further.

    A mistake of the service is answered outside of this, by `errors.failed`, which adds them too.

    What stands under `/api/` is for callers that `access` knows, and as often as `rate` allows; what begins with one of
    `personal` shows single customers. The page and its parts are for everybody, and so is whether the service lives.
    """

    def __init__(self, app: ASGIApp, access: Access, rate: Rate, personal: tuple[str, ...]) -> None:
        self._app = app
        self._access = access
        self._rate = rate
        self._personal = personal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(scope, Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            # The connection is closed, for what is left of the body must not be taken for the next request.
            sentence = "The request has a body; expected none, for everything is read with GET."
            return error_response(413, sentence, {"connection": "close"})
        path: str = scope["path"]
        if not path.startswith(_PROTECTED):
            return None
        address = scope["client"][0] if scope.get("client") else ""
        caller = self._access.caller(address, headers)
        if seconds := self._rate.wait_seconds(caller.name if caller else address):
            sentence = (
                f"Too many requests. Try again in {seconds} s; serve_requests_per_second sets how many are allowed."
            )
            return error_response(429, sentence, {"retry-after": str(seconds)})
        if caller is None:
            sentence = "The header 'Authorization' does not carry the token of this service; expected 'Bearer <token>'."
            return error_response(401, sentence, {"www-authenticate": "Bearer"})
        if self._access.customers_need_admin and not caller.is_admin and path.startswith(self._personal):
            sentence = "Single customers are shown to admins only; expected the token of an admin (serve_customers)."
            return error_response(403, sentence)
        return None
