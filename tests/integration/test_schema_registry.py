"""Framed messages through a real broker: in from a registry's clients, and out to them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from journey_stream.events.framing import frame_of
from journey_stream.events.schemas import CONTRACTS, render, schema_of
from journey_stream.worker.config import Settings
from journey_stream.worker.topics import create_topics
from tests.integration.journeys import HOUR_MS, WITH_IDENTITY, Sent
from tests.integration.projecting import project_all, tables
from tests.integration.reading import read_all
from tests.integration.running import send
from tests.integration.test_cli import Cli
from tests.integration.workers import Worker, read_config, until, write_config
from tests.support.kafka import Broker
from tests.support.schema_registry import SchemaRegistry

FIRST_ID = 0xC8C8
"""Its bytes are no UTF-8, whatever follows on them."""


@pytest.fixture
def registry() -> Iterator[SchemaRegistry]:
    with SchemaRegistry(FIRST_ID).running() as running:
        yield running


@pytest.fixture
async def config(broker: Broker, prefix: str, tmp_path: Path, registry: SchemaRegistry) -> Path:
    registry.writers = {"journey:hush"}
    (tmp_path / "password").write_text("hush\n")
    (tmp_path / "model.yaml").write_text(WITH_IDENTITY)
    path = write_config(
        tmp_path,
        broker.bootstrap,
        prefix,
        partitions=2,
        session_timeout="6s",
        model=str(tmp_path / "model.yaml"),
        schema_registry_url=registry.url,
        schema_registry_username="journey",
        schema_registry_password_file="password",
    )
    await create_topics(read_config(path))
    return path


@pytest.fixture
def settings(config: Path) -> Settings:
    return read_config(config)


@pytest.fixture
def client(registry: SchemaRegistry) -> SchemaRegistryClient:
    return SchemaRegistryClient({"url": registry.url, "basic.auth.user.info": "journey:hush"})


def fields(event_id: str, type_: str, hours_ago: float, **identifiers: str) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "occurred_at": time.time_ns() // 1_000_000 - int(hours_ago * HOUR_MS),
        "channel": "store" if type_ == "purchase" else "web",
        "type": type_,
        "identifiers": identifiers,
        "value": 50.0,
        "currency": "EUR",
    }


def sent(settings: Settings, value: bytes) -> Sent:
    return Sent(settings.sources[0], 0, time.time_ns() // 1_000_000, None, value)


async def until_letters(settings: Settings, count: int) -> list[bytes | None]:
    """The values of the dead letters once there are so many."""
    deadline = until(60)
    while len(found := await read_all(settings.bootstrap_servers[0], settings.topics.dead_letters)) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} dead letters"
        await asyncio.sleep(0.1)
    return [record.value for record in found]


async def test_a_registrys_clients_write_what_is_read_and_read_what_is_written(
    config: Path, settings: Settings, client: SchemaRegistryClient, registry: SchemaRegistry, tmp_path: Path
) -> None:
    [contract] = [contract for contract in CONTRACTS if contract.name == "touchpoint"]
    serializer = JSONSerializer(render(schema_of(contract)), client)
    context = SerializationContext(settings.sources[0], MessageField.VALUE)
    framed = [
        serializer(fields("e1", "add_to_cart", 3, email="ann@example.org"), context),
        serializer(fields("e2", "purchase", 2, customer_id="ann", email="ann@example.org"), context),
    ]
    plain = json.dumps(fields("e3", "view", 1, customer_id="bob")).encode()
    late = serializer(fields("e4", "view", 24 * 40, customer_id="bob"), context)
    avro, unknown = frame_of(1) + b"\x08c42", frame_of(2) + json.dumps({"event_id": "e5"}).encode()

    with Worker(config, "worker") as worker:
        await send(settings, [sent(settings, value) for value in [*framed, plain, late, avro, unknown]])
        letters = await until_letters(settings, 3)
        cli = Cli(config)
        explained = await until_explained(cli, "ann")
        exported = await asyncio.to_thread(cli, "export", "ann")
        shown = [await asyncio.to_thread(cli, "dead-letters", "show", f"0:{number}") for number in range(2)]
        assert 0 == worker.terminate(), worker.tail()

    # Whatever could not be used has the bytes that it came with.
    assert sorted([late, avro, unknown]) == sorted(letters)  # type: ignore[type-var]
    seen = " ".join(one.stdout for one in shown)
    assert "bytes, framed by schema " in seen

    # What is written is what the schema under the topic's name says, as a client of the registry finds it.
    topics = settings.topics
    for topic in (topics.stage_changes, topics.churn_risk, topics.identity_changes, topics.profiles):
        read = JSONDeserializer(None, schema_registry_client=client)
        found = [record for record in await read_all(settings.bootstrap_servers[0], topic) if record.value is not None]
        assert found, topic
        [schema_id] = registry.registered[f"{topic}-value"]
        for record in found:
            assert record.value.startswith(frame_of(schema_id))
            document = read(record.value, SerializationContext(topic, MessageField.VALUE))
            assert record.key.decode() == document["profile_id"]
    for topic in (topics.log, topics.state):
        assert not any((r.value or b"").startswith(b"\0") for r in await read_all(settings.bootstrap_servers[0], topic))

    # And our own readers read it.
    assert ["decision", "purchase"] == [change["to_stage"] for change in explained["history"]]
    assert explained["profile"]["stage"] == "purchase"
    assert explained["risk_history"]
    assert 0 == exported.returncode, exported.stderr
    about = json.loads(exported.stdout)["identifiers"]
    assert ["purchase"] == [about["ann"]["profile"]["stage"]]
    originals = [one["original"].encode() for one in about["ann"]["touchpoints"]]
    assert [value[5:] for value in framed[1:]] == originals
    await project_all(settings, tmp_path / "map.duckdb")
    rows = tables(tmp_path / "map.duckdb")
    assert {"ann", "bob"} == {row[0] for row in rows["profiles"]}
    assert {"e1", "e2", "e3", "e4"} == {row[0] for row in rows["touchpoints"]}
    assert all(rows[name] for name in ("stage_messages", "risk_messages", "identity_messages"))


async def until_explained(cli: Cli, profile: str) -> dict[str, Any]:
    """What `explain` says once the customer has what the email did, too."""
    deadline = until(60)
    while True:
        answer = await asyncio.to_thread(cli, "explain", profile, "--json")
        found: dict[str, Any] = json.loads(answer.stdout) if answer.returncode == 0 else {"history": []}
        if len(found["history"]) == 2:
            return found
        assert time.monotonic() < deadline, answer.stdout + answer.stderr


async def test_a_worker_that_its_registry_refuses_ends_before_it_writes_anything(
    config: Path, settings: Settings, registry: SchemaRegistry
) -> None:
    registry.closed = {f"{settings.topics.churn_risk}-value"}

    with Worker(config, "worker") as worker:
        code = await asyncio.to_thread(worker.wait)

    assert 1 == code
    assert f"(PUT /config/{settings.topics.churn_risk}-value)" in worker.tail()
    assert [] == await read_all(settings.bootstrap_servers[0], settings.topics.state)


async def test_routers_ask_no_registry(config: Path, registry: SchemaRegistry) -> None:
    registry.answer = 500, {"message": "down"}

    with Worker(config, "router", role="router") as worker:
        worker.wait_started()
        assert 0 == worker.terminate(), worker.tail()

    assert [] == registry.asked
