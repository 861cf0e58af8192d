"""The proxy of the fault tests, in front of a server that answers each request with its correlation id."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from tests.support.kafka import free_port
from tests.support.kafka_proxy import Api, Proxy, Way


class Served(NamedTuple):
    proxy: Proxy
    port: int
    got: list[bytes]


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    got: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while size := await reader.read(4):
            frame = await reader.readexactly(int.from_bytes(size, "big"))
            got.append(frame)
            writer.write(_framed(frame[4:8] + b"answer"))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = free_port()
    async with Proxy(port, server.sockets[0].getsockname()[1]) as proxy:
        yield Served(proxy, port, got)
    server.close()


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def _request(api: Api, number: int) -> bytes:
    return api.to_bytes(2, "big") + b"\0\1" + number.to_bytes(4, "big") + b"rest"


async def _ask(port: int, *requests: bytes) -> list[bytes]:
    """The answers until the connection ends or all are there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers: list[bytes] = []
    try:
        for request in requests:
            writer.write(_framed(request))
            size = await reader.readexactly(4)
            answers.append(await reader.readexactly(int.from_bytes(size, "big")))
    except (asyncio.IncompleteReadError, OSError):
        pass
    finally:
        writer.close()
    return answers


async def test_it_passes_on_what_it_is_not_told_to_cut(served: Served) -> None:
    requests = [_request(Api.PRODUCE, 1), _request(Api.END_TXN, 2)]

    answers = await _ask(served.port, *requests)

    assert [number.to_bytes(4, "big") + b"answer" for number in (1, 2)] == answers
    assert requests == served.got
    assert {Api.PRODUCE, Api.END_TXN} == served.proxy.seen


@pytest.mark.parametrize(("way", "reached"), [("request", 1), ("response", 2)])
async def test_it_cuts_before_or_after_the_broker_has_the_request(served: Served, way: Way, reached: int) -> None:
    cutting = asyncio.create_task(served.proxy.cut(Api.END_TXN, way))
    await asyncio.sleep(0)

    answers = await _ask(served.port, _request(Api.PRODUCE, 1), _request(Api.END_TXN, 2))
    await cutting

    assert 1 == len(answers)
    assert reached == len(served.got)
    assert 1 == len(await _ask(served.port, _request(Api.END_TXN, 3)))


async def test_it_holds_up_both_ways(served: Served) -> None:
    served.proxy.delay_seconds = 0.1
    begun = time.monotonic()

    assert 1 == len(await _ask(served.port, _request(Api.PRODUCE, 1)))

    assert time.monotonic() - begun >= 0.2
