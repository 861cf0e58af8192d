"""The stream of versions, spoken to as a server would."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from journey_stream.serve.api.live import Live
from journey_stream.serve.api.stream import Streams
from journey_stream.serve.queries.journey_map import journey_map
from tests.unit.serve.rows import MODEL, Rows

SECONDS_MAX = 20


class Client:
    """One request; `gone` hangs up."""

    def __init__(self, streams: Streams) -> None:
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.task = asyncio.ensure_future(
            streams({"type": "http", "method": "GET", "headers": []}, self._receive, self._send)
        )

    async def _receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        await self.sent.put(message)

    async def next(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.sent.get(), SECONDS_MAX)

    async def event(self) -> dict[str, Any]:
        """The data of the next event; comments are passed over."""
        while (body := (await self.next())["body"]).startswith(b":"):
            pass
        head, data = body.split(b"\n", 1)
        assert head == b"event: version"
        assert data.startswith(b"data: ")
        assert data.endswith(b"\n\n")
        return msgspec.json.decode(data.removeprefix(b"data: "))

    async def ended(self) -> None:
        await asyncio.wait_for(self.task, SECONDS_MAX)


@pytest.fixture
async def live(rows: Rows) -> AsyncIterator[Live]:
    rows.view("ann")
    rows.version(1)
    async with running(rows) as live:
        yield live


@asynccontextmanager
async def running(rows: Rows, interval_seconds: float = 0.01) -> AsyncIterator[Live]:
    live = Live(rows, lambda reading: journey_map(reading, MODEL.stages), interval_seconds)
    await live.start()
    try:
        yield live
    finally:
        await live.stop()


def commit(rows: Rows, live: Live, version: int, customer: str) -> None:
    rows.view(customer)
    rows.connection.execute("UPDATE meta SET value = ? WHERE key = 'version'", [str(version)])
    live.committed(version, [customer])


async def test_a_client_hears_the_present_version_and_then_each_new_one(rows: Rows, live: Live) -> None:
    client = Client(Streams(live))

    start, first = await client.next(), await client.event()
    commit(rows, live, 2, "bob")
    second = await client.event()

    assert (start["status"], dict(start["headers"])[b"content-type"]) == (200, b"text/event-stream; charset=utf-8")
    assert (first["version"], first["totals"]["customers"]) == (1, 1)
    assert (second["version"], second["totals"]["customers"]) == (2, 2)
    assert second["now"] == "2017-01-01T00:00:00.000Z"
    client.gone.set()
    await client.ended()


async def test_versions_that_come_close_together_are_told_as_one(rows: Rows) -> None:
    rows.version(1)
    async with running(rows, interval_seconds=0.3) as live:
        client = Client(Streams(live))
        await client.next()
        await client.event()
        rows.connection.execute("UPDATE meta SET value = '11' WHERE key = 'version'")
        for version in range(2, 12):
            live.committed(version, [f"c{version}"])

        told = [(await client.event())["version"]]
        while told[-1] < 11:
            told.append((await client.event())["version"])

        assert len(told) <= 2
        client.gone.set()
        await client.ended()


async def test_a_quiet_stream_sends_comments(live: Live) -> None:
    client = Client(Streams(live, comment_seconds=0.01))
    await client.next()
    await client.event()

    assert (await client.next())["body"] == b": still here\n\n"
    client.gone.set()
    await client.ended()


async def test_a_client_that_goes_frees_its_place(live: Live) -> None:
    streams = Streams(live, streams_max=1)
    client = Client(streams)
    await client.next()
    refused = Client(streams)
    assert (await refused.next())["status"] == 503
    await refused.ended()

    client.gone.set()
    await client.ended()

    assert streams.open == 0


async def test_streams_end_when_the_service_does(live: Live) -> None:
    client = Client(Streams(live))
    await client.next()
    await client.event()

    live.end_streams()
    await client.ended()

    assert (await client.next())["more_body"] is False
