"""A TCP proxy between workers and a broker, which understands as much of the protocol as it takes to cut it anywhere.

The broker needs a second listener that advertises the proxy's port; `add_proxied_listener` gives it one.
"""

from __future__ import annotations

import asyncio
import contextlib
from enum import IntEnum
from typing import Literal, NamedTuple, Self

from tests.support.kafka import KafkaBroker, free_port

Way = Literal["request", "response"]


class Api(IntEnum):
    """Keys of Kafka's requests."""

    PRODUCE = 0
    FETCH = 1
    OFFSET_COMMIT = 8
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    ADD_OFFSETS_TO_TXN = 25
    END_TXN = 26
    TXN_OFFSET_COMMIT = 28


class Cut(NamedTuple):
    """A connection that was ended, and the transactional id of the producer whose request that was."""

    api: Api
    way: Way
    transactional_id: str


class _Flow(NamedTuple):
    """Since which version a request names its transactional id first, and since which its strings are compact."""

    since: int
    compact_since: int
    until: int = 1_000


_FLOWS = {
    Api.PRODUCE: _Flow(3, 9),
    Api.INIT_PRODUCER_ID: _Flow(0, 2),
    # From version 4 on it may be about several transactions.
    Api.ADD_PARTITIONS_TO_TXN: _Flow(0, 3, 4),
    Api.ADD_OFFSETS_TO_TXN: _Flow(0, 3),
    Api.END_TXN: _Flow(0, 3),
    Api.TXN_OFFSET_COMMIT: _Flow(0, 3),
}


def transactional_id_of(frame: bytes) -> str | None:
    """What a request (without its size) names as the transactional id, if it does: producers without one share them."""
    api, version = int.from_bytes(frame[:2], "big"), int.from_bytes(frame[2:4], "big")
    flow = next((flow for known, flow in _FLOWS.items() if known == api), None)
    if flow is None or not flow.since <= version < flow.until:
        return None
    # Behind api key, version and correlation id: the client's id, in each version with two bytes of length.
    place = 10 + max(0, int.from_bytes(frame[8:10], "big", signed=True))
    if version < flow.compact_since:
        size, place = int.from_bytes(frame[place : place + 2], "big", signed=True), place + 2
    else:
        assert frame[place] == 0, "a request with tags in its header, which no client of ours sends"
        size, place = _varint(frame, place + 1)
        size -= 1
    return frame[place : place + size].decode() if size >= 0 else None


def _varint(frame: bytes, place: int) -> tuple[int, int]:
    """An unsigned number of seven bits a byte, and where it ends."""
    value = shift = 0
    while True:
        value |= (frame[place] & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if frame[place - 1] < 0x80:
            return value, place


def add_proxied_listener(broker: KafkaBroker) -> tuple[int, int]:
    """Before its start: a listener whose clients are sent to a proxy. Returns the proxy's port and the listener's."""
    proxied, listener = free_port(), free_port()
    properties = broker.properties
    properties["listeners"] += f",PROXIED://127.0.0.1:{listener}"
    properties["advertised.listeners"] += f",PROXIED://127.0.0.1:{proxied}"
    properties["listener.security.protocol.map"] += ",PROXIED:PLAINTEXT"
    properties["inter.broker.listener.name"] = "PLAINTEXT"
    return proxied, listener


class Proxy:
    """`delay_seconds` holds up every request and response; `cut` ends connections at a chosen point."""

    def __init__(self, port: int, broker_port: int) -> None:
        self.delay_seconds = 0.0
        self.bootstrap = f"127.0.0.1:{port}"
        self.seen: set[int] = set()
        """Keys of all requests so far."""
        self.cuts: list[Cut] = []
        """All that was cut so far."""
        self._port, self._broker_port = port, broker_port
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()
        self._armed: tuple[Api, Way] | None = None
        self._times = 0
        self._done = asyncio.Event()

    async def cut(self, api: Api, way: Way, times: int = 1, seconds_max: float = 60.0) -> None:
        """Return when `times` connections were cut before the broker had the request, or the client the response.

        Only connections of producers with a transactional id are: the same requests without one, such as a router's,
        are part of no transaction.
        """
        self._armed, self._times = (api, way), times
        self._done.clear()
        try:
            async with asyncio.timeout(seconds_max):
                await self._done.wait()
        finally:
            self._armed = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            broker_reader, broker_writer = await asyncio.open_connection("127.0.0.1", self._broker_port)
        except OSError:
            writer.close()
            return
        asked: dict[bytes, tuple[int, str | None]] = {}
        pumps = {
            asyncio.create_task(self._pump(reader, broker_writer, asked, "request")),
            asyncio.create_task(self._pump(broker_reader, writer, asked, "response")),
        }
        self._pumps |= pumps
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            self._pumps -= pumps
            for one in (writer, broker_writer):
                one.transport.abort()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        asked: dict[bytes, tuple[int, str | None]],
        way: Way,
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                size = await reader.readexactly(4)
                frame = await reader.readexactly(int.from_bytes(size, "big"))
                # A request begins with its api key, its version and a correlation id; a response with that id.
                if way == "request":
                    api, transactional_id = int.from_bytes(frame[:2], "big"), transactional_id_of(frame)
                    asked[frame[4:8]] = api, transactional_id
                    self.seen.add(api)
                else:
                    api, transactional_id = asked.pop(frame[:4], (-1, None))
                if self._cuts(api, way, transactional_id):
                    return
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                writer.write(size + frame)
                await writer.drain()

    def _cuts(self, api: int, way: Way, transactional_id: str | None) -> bool:
        if transactional_id is None or self._armed is None or self._armed != (api, way):
            return False
        self.cuts.append(Cut(*self._armed, transactional_id))
        self._times -= 1
        if self._times == 0:
            self._armed = None
            self._done.set()
        return True
