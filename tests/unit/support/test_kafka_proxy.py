"""The proxy of the fault tests, in front of a server that answers each request with its correlation id."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
from aiokafka.protocol.api import RequestStruct
from aiokafka.protocol.produce import ProduceRequest_v2, ProduceRequest_v3, ProduceRequest_v7
from aiokafka.protocol.transaction import AddPartitionsToTxnRequest_v0, EndTxnRequest_v0, InitProducerIdRequest_v0

from tests.support.kafka import free_port
from tests.support.kafka_proxy import Api, Cut, Proxy, Way, transactional_id_of


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


def _request(api: Api, number: int, transactional_id: str | None = "app-0") -> bytes:
    """What aiokafka sends: of `PRODUCE` in version 7, of the others in version 0."""
    request: RequestStruct
    match api:
        case Api.PRODUCE:
            request = ProduceRequest_v7(transactional_id, -1, 1_000, [("topic", [(0, b"records")])])
        case Api.INIT_PRODUCER_ID:
            request = InitProducerIdRequest_v0(transactional_id, 1_000)
        case Api.ADD_PARTITIONS_TO_TXN:
            request = AddPartitionsToTxnRequest_v0(transactional_id, 9, 1, [("topic", [0])])
        case _:
            request = EndTxnRequest_v0(transactional_id, 9, 1, True)
    return _headed(request, number)


def _headed(request: RequestStruct, number: int = 1) -> bytes:
    return bytes(request.build_request_header(number, "a client").encode() + request.encode())


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
    assert [Cut(Api.END_TXN, way, "app-0")] == served.proxy.cuts
    assert 1 == len(await _ask(served.port, _request(Api.END_TXN, 3)))


@pytest.mark.parametrize("way", ["request", "response"])
@pytest.mark.parametrize("api", [Api.PRODUCE, Api.INIT_PRODUCER_ID])
async def test_it_leaves_alone_what_belongs_to_no_transaction(served: Served, api: Api, way: Way) -> None:
    cutting = asyncio.create_task(served.proxy.cut(api, way))
    await asyncio.sleep(0)

    assert 1 == len(await _ask(served.port, _request(api, 1, None)))
    assert not cutting.done()
    assert 1 == len(await _ask(served.port, _request(api, 2, None), _request(api, 3, "app-2")))
    await cutting
    assert [Cut(api, way, "app-2")] == served.proxy.cuts


TRANSACTIONAL = (Api.PRODUCE, Api.INIT_PRODUCER_ID, Api.ADD_PARTITIONS_TO_TXN, Api.END_TXN)


@pytest.mark.parametrize("api", TRANSACTIONAL)
def test_a_request_says_whose_transaction_it_is_part_of(api: Api) -> None:
    assert "app-3" == transactional_id_of(_request(api, 1, "app-3"))
    assert transactional_id_of(_request(api, 1, None)) is None


def test_versions_say_where_the_transactional_id_is() -> None:
    compact = _headed(InitProducerIdRequest_v0("", 0))[:-6]
    compact = compact[:2] + b"\0\2" + compact[4:] + b"\0"

    assert "app" == transactional_id_of(_headed(ProduceRequest_v3("app", -1, 1, [])))
    assert transactional_id_of(_headed(ProduceRequest_v2(-1, 1, []))) is None
    assert transactional_id_of(compact + b"\0" + b"more") is None
    assert "a" * 200 == transactional_id_of(compact + b"\xc9\1" + b"a" * 200 + b"more")


async def test_it_holds_up_both_ways(served: Served) -> None:
    served.proxy.delay_seconds = 0.1
    begun = time.monotonic()

    assert 1 == len(await _ask(served.port, _request(Api.PRODUCE, 1)))

    assert time.monotonic() - begun >= 0.2
