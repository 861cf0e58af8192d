"""The web application: routes, and what goes around them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from journey_stream.journey.model import Model
from journey_stream.serve.api import errors
from journey_stream.serve.api.access import Access
from journey_stream.serve.api.cache import Body, Cache, body_of
from journey_stream.serve.api.errors import JSON, Refused
from journey_stream.serve.api.files import Files
from journey_stream.serve.api.guard import Guard
from journey_stream.serve.api.live import INTERVAL_SECONDS, Live
from journey_stream.serve.api.openapi import document
from journey_stream.serve.api.operations import OPERATIONS, PERSONAL, Context, Operation
from journey_stream.serve.api.page import STYLE, page
from journey_stream.serve.api.parameters import read_all
from journey_stream.serve.api.pool import Pool, Store
from journey_stream.serve.api.rate import Rate
from journey_stream.serve.api.stream import COMMENT_SECONDS, Streams
from journey_stream.serve.queries.connection import DIALECTS, Connection
from journey_stream.serve.queries.journey_map import journey_map

STATIC = Path(__file__).parent.parent / "static"
QUERY_THREADS = 4
GZIP_BYTES_MIN = 1_000
DAY_SECONDS = 86_400

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(
    store: Store,
    model: Model,
    *,
    token: str | None = None,
    access: Access | None = None,
    rate: Rate | None = None,
    static: Path = STATIC,
    interval_seconds: float = INTERVAL_SECONDS,
    comment_seconds: float = COMMENT_SECONDS,
) -> Starlette:
    """The application, with `state.live`, a `Live`, for the projection to tell of its batches.

    `access` says who may ask for what under `/api/`; without it, everybody may, or whoever has the token.
    """
    access = access or Access(read_tokens=frozenset({token} if token else ()))
    live = Live(store, lambda reading: journey_map(reading, model.stages), interval_seconds)
    answers = _Answers(Pool(store, QUERY_THREADS), live, model, store)
    streams = Streams(live, comment_seconds)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await live.start()
        try:
            yield
        finally:
            await live.stop()
            await answers.close()

    routes: list[BaseRoute] = []
    for operation in OPERATIONS:
        endpoint: Any = streams if operation.answer is None else answers.endpoint(operation)
        routes.append(Route(operation.path.replace("{profile_id}", "{profile_id:path}"), endpoint, methods=["GET"]))
    routes += [*_descriptions(not access.is_open), *_health(live)]
    routes.append(Mount("/", Files(static)))
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[
            Middleware(Guard, access=access, rate=rate or Rate(0, 1), personal=PERSONAL),
            Middleware(GZipMiddleware, minimum_size=GZIP_BYTES_MIN),
        ],
        exception_handlers={
            Refused: errors.refuse,
            404: errors.not_found,
            405: errors.wrong_method,
            500: errors.failed,
        },
    )
    app.state.live = live
    return app


class _Answers:
    """Asks the store, and keeps what it says for as long as that is true."""

    def __init__(self, pool: Pool, live: Live, model: Model, store: Store) -> None:
        self._pool, self._live, self._model = pool, live, model
        self._dialect = DIALECTS[store.dialect]
        self._cache = Cache()

    async def close(self) -> None:
        self._pool.close()

    def endpoint(self, operation: Operation) -> Endpoint:
        async def answer(request: Request) -> Response:
            given = read_all(operation.parameters, request.query_params) | request.path_params
            return _conditional(request, await self._body(operation, given))

        return answer

    async def _body(self, operation: Operation, given: dict[str, Any]) -> Body:
        current, version = self._live.map, self._live.version
        if version is None:
            raise Refused(
                503,
                "The map is being read from the store and not there yet. Try again in a moment.",
                {"retry-after": "1"},
            )
        if operation.path == "/api/map" and not given:
            # Computed when the version changed: whoever looks at the whole map never waits for it.
            return body_of(msgspec.json.encode(current))
        if not operation.cached:
            return body_of(await self._ask(operation, given))
        question = operation.path, tuple(sorted(given.items()))
        return await self._cache.get(version, question, lambda: self._ask(operation, given))

    async def _ask(self, operation: Operation, given: dict[str, Any]) -> bytes:
        answer, known = operation.answer, self._live.map
        assert answer is not None
        assert known is not None

        def ask(connection: Connection) -> bytes:
            return msgspec.json.encode(answer(Context(connection, self._dialect, self._model, known.options), given))

        return await self._pool.run(ask)


def _conditional(request: Request, body: Body) -> Response:
    """The answer, or that it is what the client has already."""
    headers = {"etag": body.etag, "cache-control": "private, no-cache"}
    known = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
    if body.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body.content, headers=headers, media_type=JSON)


def _descriptions(needs_token: bool) -> list[BaseRoute]:
    described = document(OPERATIONS, needs_token)
    content, html = msgspec.json.encode(described), page(OPERATIONS, described)

    async def openapi(request: Request) -> Response:
        return _conditional(request, body_of(content))

    async def for_people(_: Request) -> Response:
        return HTMLResponse(html, headers={"cache-control": "no-cache"})

    async def style(_: Request) -> Response:
        return Response(STYLE, headers={"cache-control": f"max-age={DAY_SECONDS}"}, media_type="text/css")

    return [Route("/openapi.json", openapi), Route("/api", for_people), Route("/api.css", style)]


def _health(live: Live) -> list[BaseRoute]:
    async def healthz(_: Request) -> Response:
        return Response(b'{"status":"ok"}', headers={"cache-control": "no-store"}, media_type=JSON)

    async def readyz(_: Request) -> Response:
        if live.version is None:
            return errors.error_response(503, live.failure or "The map is being read from the store and not there yet.")
        if live.failure is not None:
            return errors.error_response(503, f"The map shows version {live.version} and no later one: {live.failure}")
        state = {"status": "ready", "version": live.version, "committed": live.committed_version}
        return Response(msgspec.json.encode(state), headers={"cache-control": "no-store"}, media_type=JSON)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
