"""A TCP proxy between workers and a broker, which understands as much of the protocol as it takes to cut it anywhere.

The broker needs a second listener that advertises the proxy's port; `add_proxied_listener` gives it one.
"""

from __future__ import annotations

import asyncio
import contextlib
from enum import IntEnum
from typing import Literal, Self

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
        self._port, self._broker_port = port, broker_port
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()
        self._armed: tuple[Api, Way] | None = None
        self._times = 0
        self._done = asyncio.Event()

    async def cut(self, api: Api, way: Way, times: int = 1, seconds_max: float = 60.0) -> None:
        """Return when `times` connections were cut before the broker had the request, or the client the response."""
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
        asked: dict[bytes, int] = {}
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
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: dict[bytes, int], way: Way
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                size = await reader.readexactly(4)
                frame = await reader.readexactly(int.from_bytes(size, "big"))
                # A request begins with its api key, its version and a correlation id; a response with that id.
                if way == "request":
                    api = int.from_bytes(frame[:2], "big")
                    asked[frame[4:8]] = api
                    self.seen.add(api)
                else:
                    api = asked.pop(frame[:4], -1)
                if self._cuts(api, way):
                    return
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                writer.write(size + frame)
                await writer.drain()

    def _cuts(self, api: int, way: Way) -> bool:
        if self._armed is None or self._armed != (api, way):
            return False
        self._times -= 1
        if self._times == 0:
            self._armed = None
            self._done.set()
        return True
