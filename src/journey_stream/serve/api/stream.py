"""Server-sent events: a client hears of each new version, at most once a second."""

import asyncio
from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from journey_stream.serve.api.errors import error_response
from journey_stream.serve.api.live import Live

COMMENT_SECONDS: Final = 15.0
STREAMS_MAX: Final = 200


class Streams:
    """All open streams."""

    def __init__(self, live: Live, comment_seconds: float = COMMENT_SECONDS, streams_max: int = STREAMS_MAX) -> None:
        self._live = live
        self._comment_seconds = comment_seconds
        self._streams_max = streams_max
        self.open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; ends when the client goes or the service does."""
        if self.open >= self._streams_max:
            refusal = error_response(503, f"All {self._streams_max} streams are taken. Try again later.")
            await refusal(scope, receive, send)
            return
        self.open += 1
        try:
            tasks = {asyncio.ensure_future(self._tell(send)), asyncio.ensure_future(_gone(receive))}
            _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in pending:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self.open -= 1

    async def _tell(self, send: Send) -> None:
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        version: int | None = None
        while True:
            try:
                news = await asyncio.wait_for(self._live.newer_than(version), self._comment_seconds)
            except TimeoutError:
                # Keeps proxies from closing a quiet stream, and shows us a client that is gone.
                await send({"type": "http.response.body", "body": b": still here\n\n", "more_body": True})
                continue
            if news is None:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
            version = news.version
            event = b"event: version\ndata: " + msgspec.json.encode(news) + b"\n\n"
            await send({"type": "http.response.body", "body": event, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
