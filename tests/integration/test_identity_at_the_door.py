"""Identity at the door, on a real broker: links, operations by hand, and what pseudonyms keep out of our topics."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import KafkaError
from typer.testing import CliRunner

from journey_stream.cli.main import app
from journey_stream.events.log import Link, Unlink, decode
from journey_stream.journey.model import Identity
from journey_stream.worker import router
from journey_stream.worker.config import Settings
from journey_stream.worker.fencing import send_batches
from journey_stream.worker.murmur import partition_for
from journey_stream.worker.topics import create_topics
from tests.integration.journeys import MODEL, Sent
from tests.integration.reading import read_all
from tests.integration.running import read, running, send, until_counted
from tests.integration.workers import read_config, write_config
from tests.support.kafka import Broker, KafkaBroker

KEY = "0123456789abcdef0123456789abcdef"
EMAIL, PHONE, WRONG_PHONE = "Ann.Secret@Example.org", "+49 (0)30 7654321", "030 99887766"
RAW = [text.encode() for raw in (EMAIL, PHONE, WRONG_PHONE, "+49307654321") for text in {raw, raw.lower()}]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def body(event_id: str, **fields: Any) -> bytes:
    at = now_ms() - 60_000
    document = {"event_id": event_id, "occurred_at": at, "channel": "web", "type": "add_to_cart", **fields}
    return json.dumps(document, ensure_ascii=False).encode()


def sent(settings: Settings, value: bytes | None, **fields: Any) -> Sent:
    return Sent(settings.sources[0], 0, now_ms(), None, value)._replace(**fields)


@pytest.fixture
async def config(broker: Broker, prefix: str, tmp_path: Path) -> Path:
    (tmp_path / "model.yaml").write_text(MODEL.replace("identity: off\n", ""))
    path = write_config(tmp_path, broker.bootstrap, prefix, partitions=3, model=str(tmp_path / "model.yaml"))
    await create_topics(read_config(path))
    return path


@pytest.fixture
def settings(config: Path) -> Settings:
    return read_config(config)


async def test_a_touchpoint_and_its_links_are_on_the_partitions_of_their_identifiers(settings: Settings) -> None:
    seen = body("e1", identifiers={"customer_id": "c1", "email": " Ann@X.org", "device_id": "d1", "phone": "030 1"})
    await send(settings, [sent(settings, seen)] * 2)

    async with running(settings, "router", identity=Identity()) as metrics:
        log = await read(settings, settings.topics.log, 4)
        await until_counted(metrics, 2, "journey_records_out_total", topic=settings.topics.log, kind="link")

    assert sorted(["c1", "c1", "email:ann@x.org", "device_id:d1"]) == sorted(record.key.decode() for record in log)
    assert all(partition_for(record.key, 3) == record.partition for record in log)
    links = [decode(record.key, record.timestamp, record.value) for record in log if record.key != b"c1"]
    assert {("c1", "e1")} == {(link.parent, link.event_id) for link in links if isinstance(link, Link)}


async def test_a_router_that_wrote_a_touchpoint_and_not_its_link_writes_both_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = 0

    async def write_the_first_and_fail(producer: Any, batches: Any) -> None:
        nonlocal failures
        if failures or len(batches) < 2:
            return await send_batches(producer, batches)
        failures += 1
        await send_batches(producer, batches[:1])
        raise KafkaError("the second partition did not answer")

    monkeypatch.setattr(router, "send_batches", write_the_first_and_fail)
    # Two identifiers whose partitions differ, the owner's first.
    email = next(
        f"a{n}@x.org" for n in range(99) if partition_for(b"email:a%d@x.org" % n, 3) != partition_for(b"c1", 3)
    )
    await send(settings, [sent(settings, body("e1", identifiers={"customer_id": "c1", "email": email}))])

    async with running(settings, "router", identity=Identity()):
        log = await read(settings, settings.topics.log, 3)

    assert 1 == failures
    assert [b"c1", b"c1", f"email:{email}".encode()] == sorted(record.key for record in log)


async def test_an_operation_on_the_command_line_comes_to_the_log_through_a_topic_that_a_replay_reads(
    settings: Settings, config: Path
) -> None:
    arguments = ["identity", "unlink", "device_id:d7", "c42", "--who", "kim", "--why", "sold it", "-c", str(config)]

    ran = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    assert 0 == ran.exit_code, ran.output
    async with running(settings, "router", identity=Identity()):
        (record,) = await read(settings, settings.topics.log, 1)

    (operation,) = await read_all(settings.bootstrap_servers[0], settings.topics.operations)
    unlink = decode(record.key, record.timestamp, record.value)
    assert isinstance(unlink, Unlink)
    assert ("device_id:d7", "c42", "kim", "sold it") == (unlink.profile_id, unlink.parent, unlink.by, unlink.why)
    assert json.loads(operation.value)["event_id"] == unlink.event_id
    assert f"{settings.topics.operations}, partition {operation.partition}, offset 0" in ran.output


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[KafkaBroker]:
    with KafkaBroker(tmp_path / "kafka") as broker:
        yield broker


def records_with_raw_identifiers(settings: Settings) -> list[Sent]:
    """Good ones, and one for each way to end as a dead letter; wherever a raw identifier may stand, there is one."""
    who = {"email": EMAIL, "phone": PHONE}
    more = {"contact": EMAIL, "properties": {"notes": f"call {PHONE}", "sku": "A1"}}
    values: list[bytes | None] = [
        body("e1", identifiers={"customer_id": "c1", **who, "e-mail": EMAIL}, **more),
        body("e2", identifiers=who, **more),
        body("e3", identifiers={"email": EMAIL.lower(), "phone": WRONG_PHONE}, **more),
        body("e3", identifiers={"email": EMAIL}, value=20, **more),
        body("late", identifiers=who, **more | {"occurred_at": "1950-01-01T00:00:00Z"}),
        body("early", identifiers=who, **more | {"occurred_at": "2199-01-01T00:00:00Z"}),
        body("", identifiers=who),
        body("e4", identifiers={"phone": WRONG_PHONE}),
        body("e5", identifiers={"email": [EMAIL]}),
        body("e6", identifiers={"Email": EMAIL}),
        body("e7", identifiers=who, currency=EMAIL),
        body("e8", identifiers={EMAIL: {"phone": PHONE}}),
        body("e9", identifiers=who, occurred_at=EMAIL),
        body("e10", identifiers=who)[:-1],
        body("e11", identifiers=who, schema_version=EMAIL),
        EMAIL.encode(),
        None,
        body("o1", channel="identity", type="link", identifiers={"email": EMAIL, "customer_id": "c1"}),
        body("o2", channel="identity", type="link", identifiers={"email": EMAIL}),
        body("o3", channel="identity", type="block", identifiers={"phone": PHONE}),
        body("o4", channel="identity", type=EMAIL, identifiers=who),
    ]
    headers = (("mail", EMAIL.encode()), (EMAIL, b"x"))
    return [sent(settings, value, key=EMAIL.encode(), headers=headers) for value in values]


def segments(broker: KafkaBroker) -> dict[str, bytes]:
    """All that the broker's log segments hold, by topic."""
    found: dict[str, bytes] = {}
    for segment in sorted((broker.data_dir / "logs").rglob("*.log")):
        topic = segment.parent.name.rpartition("-")[0]
        found[topic] = found.get(topic, b"") + segment.read_bytes()
    return found


async def test_no_topic_but_the_sources_holds_a_raw_identifier(kafka: KafkaBroker, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    options = {"pseudonymise": ["email", "phone"], "pseudonym_key_file": "key", "drop_properties": ["notes"]}
    settings = read_config(write_config(tmp_path, kafka.bootstrap, "p.", partitions=2, **options))
    await create_topics(settings)
    records = records_with_raw_identifiers(settings)
    await send(settings, records)

    async with running(settings, identity=Identity()) as metrics:
        await until_counted(metrics, 4, "journey_records_in_total", topic=settings.sources[0], kind="admitted")
        letters = await read(settings, settings.topics.dead_letters, 15)
        await read(settings, settings.topics.stage_changes, 1)
        await send(settings, [sent(settings, body("last", identifiers={"customer_id": "c9", "email": EMAIL}))])
        await read(settings, settings.topics.stage_changes, 2)
    kafka.stop()

    held = segments(kafka)
    ours = held.keys() - {*settings.inputs}
    assert {*settings.topics} - {settings.topics.operations} <= ours
    assert {(topic, raw) for topic in ours for raw in RAW if raw in held[topic]} == set()
    assert all(raw in held[settings.sources[0]] for raw in (EMAIL.encode(), PHONE.encode(), WRONG_PHONE.encode()))
    assert b"email:hmac-" in held[settings.topics.log]
    assert b"email:hmac-" in held[settings.topics.state]
    withheld = [letter for letter in letters if ("dead_letter_stage", b"router") in letter.headers]
    assert {(None, None)} == {(letter.key, letter.value) for letter in withheld}
    assert {*range(len(records))} >= {int(dict(letter.headers)["dead_letter_offset"]) for letter in withheld}
