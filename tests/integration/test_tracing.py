"""The trace of a touchpoint, through a real broker to everything that comes of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from journey_stream.journey.model import Identity
from journey_stream.worker.config import Settings
from journey_stream.worker.topics import create_topics
from tests.integration.journeys import HOUR_MS, WITH_IDENTITY, Sent
from tests.integration.reading import read_all
from tests.integration.running import running, send
from tests.integration.workers import Worker, read_config, until, write_config
from tests.support.kafka import Broker

CUSTOMER, EMAIL = "c-4711", "ann.secret@example.org"


def traceparent(number: int, flags: str = "01") -> bytes:
    """That of trace `number`, whose producer's span has the same number."""
    return f"00-{number:032x}-{number:016x}-{flags}".encode()


@pytest.fixture
async def config(broker: Broker, prefix: str, tmp_path: Path) -> Path:
    (tmp_path / "model.yaml").write_text(WITH_IDENTITY)
    path = write_config(
        tmp_path,
        broker.bootstrap,
        prefix,
        session_timeout="6s",
        tracing="otlp",
        model=str(tmp_path / "model.yaml"),
    )
    await create_topics(read_config(path))
    return path


@pytest.fixture
def settings(config: Path) -> Settings:
    return read_config(config)


def sent(settings: Settings, number: int, type_: str, identifiers: dict[str, str], trace: bytes, **more: Any) -> Sent:
    at = time.time_ns() // 1_000_000 - HOUR_MS + number
    channel = {"add_to_cart": "web", "purchase": "store"}[type_]
    fields = {"event_id": f"e{number}", "occurred_at": at, "channel": channel, "type": type_} | more
    [topic] = [source for source in settings.sources if source.endswith(channel)]
    value = json.dumps(fields | {"identifiers": identifiers}).encode()
    return Sent(topic, 0, at, None, value, (("traceparent", trace), ("shop", b"x")))


def cart(settings: Settings, trace: bytes) -> Sent:
    """What somebody does who is known by an email only."""
    return sent(settings, 1, "add_to_cart", {"email": EMAIL}, trace)


def purchase(settings: Settings, trace: bytes) -> Sent:
    """What shows whose email that is, and brings a first score of churn risk."""
    return sent(settings, 2, "purchase", {"customer_id": CUSTOMER, "email": EMAIL}, trace, value=50, currency="EUR")


Said = dict[str, list[ConsumerRecord]]


async def until_said(settings: Settings, enough: Callable[[Said], bool]) -> Said:
    """The records of all outputs and of the log by topic, once they are enough."""
    topics, deadline = settings.topics, until(60)
    names = ("stage_changes", "churn_risk", "identity_changes", "log")
    while True:
        said = {name: await read_all(settings.bootstrap_servers[0], getattr(topics, name)) for name in names}
        if enough(said):
            return said
        assert time.monotonic() < deadline, {name: len(found) for name, found in said.items()}
        await asyncio.sleep(0.1)


def everything(said: Said) -> bool:
    """Whether the customer has what the email did, the purchase, a risk, and the email is linked."""
    moved = {record.key.decode() for record in said["stage_changes"]}
    stages = [json.loads(r.value)["to_stage"] for r in said["stage_changes"] if r.key == CUSTOMER.encode()]
    return bool(moved == {CUSTOMER, f"email:{EMAIL}"} and "decision" in stages and "purchase" in stages) and all(
        said[name] for name in ("churn_risk", "identity_changes")
    )


def traces_of(records: list[ConsumerRecord]) -> set[bytes | None]:
    return {dict(record.headers).get("traceparent") for record in records}


async def test_all_that_comes_of_a_touchpoint_carries_its_trace_and_nothing_else_of_its_headers(
    settings: Settings,
) -> None:
    first, second = traceparent(1), traceparent(2, "00")
    async with running(settings, identity=Identity()):
        await send(settings, [cart(settings, first)])
        await until_said(settings, lambda said: bool(said["stage_changes"]))
        await send(settings, [purchase(settings, second)])
        said = await until_said(settings, everything)

    by_key: dict[bytes, list[ConsumerRecord]] = {}
    for record in said["stage_changes"]:
        by_key.setdefault(record.key, []).append(record)
    of_email, of_customer = by_key[f"email:{EMAIL}".encode()], by_key[CUSTOMER.encode()]
    # What the email had is taken back, and given to the customer, because of what the purchase shows.
    assert [("entered", first), ("retracted", second)] == [
        (json.loads(record.value)["kind"], dict(record.headers)["traceparent"]) for record in of_email
    ]
    assert {second} == traces_of(of_customer) == traces_of(said["churn_risk"]) == traces_of(said["identity_changes"])
    kinds = {json.loads(record.value)["kind"]: record for record in said["log"]}
    assert {"touchpoint", "link", "deliver", "attach"} <= kinds.keys()
    assert (("traceparent", second),) == tuple(kinds["deliver"].headers) == tuple(kinds["link"].headers)
    assert CUSTOMER.encode() == kinds["deliver"].key


async def test_the_spans_of_router_tasks_and_subscribers_are_one_tree(config: Path, settings: Settings) -> None:
    pytest.importorskip("opentelemetry.sdk", reason="pip install 'journey-stream[otel]' brings it")
    from tests.support.otlp_receiver import OtlpReceiver  # noqa: PLC0415 - it is there only with the extra

    with OtlpReceiver().running() as receiver:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "NO_PROXY": "127.0.0.1"}
        with Worker(config, "worker", environ=environ) as worker:
            await send(settings, [cart(settings, traceparent(1))])
            await until_said(settings, lambda said: bool(said["stage_changes"]))
            await send(settings, [purchase(settings, traceparent(2))])
            said = await until_said(settings, everything)
            # What waits to be sent is sent before the end.
            assert 0 == worker.terminate(), worker.tail()

    depths: dict[str, set[int]] = {}
    for name, records in said.items():
        for record in records:
            named = dict(record.headers).get("traceparent")
            if named is None:  # a tick
                continue
            _, trace_id, span_id, flags = named.decode().split("-")
            way = []
            while span_id in receiver.spans:
                span = receiver.spans[span_id]
                assert trace_id == span.trace_id.hex()
                way.append(span.name.split()[0])
                span_id = span.parent_span_id.hex()
            # At the end of the way stands the span of the producer.
            assert ("01", int(trace_id, 16)) == (flags, int(span_id, 16))
            assert ["route", *["decide"] * (len(way) - 1)] == way[::-1]
            depths.setdefault(name, set()).add(len(way))
    # From the router to a task, and where something is passed on, from there to another.
    assert {2, 3} <= depths["stage_changes"]
    assert {2} == depths["churn_risk"] == depths["identity_changes"]
    assert 1 in depths["log"]
    assert {settings.application_id} == receiver.services
    assert not any(secret.encode() in body for body in receiver.bodies for secret in (CUSTOMER, EMAIL))


async def test_without_a_sampled_trace_there_are_no_spans_and_the_trace_goes_on(
    config: Path, settings: Settings
) -> None:
    pytest.importorskip("opentelemetry.sdk", reason="pip install 'journey-stream[otel]' brings it")
    from tests.support.otlp_receiver import OtlpReceiver  # noqa: PLC0415 - it is there only with the extra

    with OtlpReceiver().running() as receiver:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "NO_PROXY": "127.0.0.1"}
        with Worker(config, "worker", environ=environ) as worker:
            await send(settings, [cart(settings, traceparent(1, "00"))])
            said = await until_said(settings, lambda found: bool(found["stage_changes"]))
            assert 0 == worker.terminate(), worker.tail()

    assert {traceparent(1, "00")} == traces_of(said["stage_changes"])
    assert {} == receiver.spans
