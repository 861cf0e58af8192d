"""One person is exported and erased from a real broker, and does not come back when all inputs come again."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from typer.testing import CliRunner

from journey_stream.cli.main import app
from journey_stream.journey.model import Identity
from journey_stream.worker.config import Settings
from journey_stream.worker.topics import create_topics
from tests.integration.journeys import MODEL, Sent
from tests.integration.reading import read_all
from tests.integration.running import running, send, until_counted
from tests.integration.workers import read_config, write_config
from tests.support.kafka import Broker

ANN = ["ann", "email:ann@x.org", "device_id:phone-of-ann"]
HOUR_MS = 3_600_000


@pytest.fixture
async def config(broker: Broker, prefix: str, tmp_path: Path) -> Path:
    (tmp_path / "model.yaml").write_text(MODEL.replace("identity: off\n", ""))
    path = write_config(tmp_path, broker.bootstrap, prefix, partitions=3, model=str(tmp_path / "model.yaml"))
    await create_topics(read_config(path))
    return path


@pytest.fixture
def settings(config: Path) -> Settings:
    return read_config(config)


def inputs(settings: Settings) -> list[Sent]:
    """Ann on her own phone and on a tablet that Bob uses after her."""
    now = time.time_ns() // 1_000_000
    said: list[tuple[float, str, dict[str, str]]] = [
        (9.5, "ann-0", {"device_id": "phone-of-ann"}),
        (9.0, "ann-1", {"customer_id": "ann", "email": "ann@x.org", "device_id": "phone-of-ann"}),
        (8.5, "ann-2", {"email": "Ann@x.org"}),
        (8.0, "ann-3", {"customer_id": "ann", "device_id": "tablet"}),
        (6.5, "ann-4", {"device_id": "tablet"}),
        (5.0, "bob-1", {"customer_id": "bob", "device_id": "tablet"}),
        (3.5, "bob-2", {"device_id": "tablet"}),
        (3.0, "bob-3", {"customer_id": "bob"}),
    ]
    return [
        Sent(
            settings.sources[0],
            0,
            now,
            None,
            json.dumps(
                {
                    "event_id": event_id,
                    "occurred_at": now - int(hours * HOUR_MS),
                    "channel": "web",
                    "type": "view",
                    "identifiers": identifiers,
                }
            ).encode(),
        )
        for hours, event_id, identifiers in said
    ]


async def command(*arguments: str) -> tuple[int, str]:
    ran = await asyncio.to_thread(CliRunner().invoke, app, list(arguments))
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        return 1, str(ran.exception)
    return ran.exit_code, ran.output


async def until_view(settings: Settings, profile: str, **wanted: Any) -> dict[str, Any]:
    """The view of a profile once it is as wanted."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        view = await last_value(settings, settings.topics.profiles, profile.encode())
        found = {} if view is None else json.loads(view)
        if all(found.get(name) == value for name, value in wanted.items()):
            return found
        await asyncio.sleep(0.2)
    raise AssertionError(f"{profile}: {found}")


async def last_value(settings: Settings, topic: str, key: bytes) -> bytes | None:
    found = None
    for record in await read_all(settings.bootstrap_servers[0], topic):
        if record.key == key:
            found = record.value
    return found


async def kept(settings: Settings, topic: str) -> dict[bytes, bytes]:
    """What compaction will leave of a topic."""
    found: dict[bytes, bytes] = {}
    for record in await read_all(settings.bootstrap_servers[0], topic):
        found.pop(record.key, None)
        if record.value is not None:
            found[record.key] = record.value
    return found


async def assert_no_ann(settings: Settings) -> None:
    topics = settings.topics
    for topic in (topics.state, topics.profiles, topics.erasures):
        for key, value in (await kept(settings, topic)).items():
            assert b"ann" not in key, (topic, key)
            assert b"ann" not in value, (topic, key, value)
    for topic in (topics.stage_changes, topics.churn_risk, topics.identity_changes):
        last = {record.key: record.value for record in await read_all(settings.bootstrap_servers[0], topic)}
        assert {last[one.encode()] for one in ANN if one.encode() in last} <= {None}, topic


async def test_a_person_is_exported_and_erased_and_does_not_come_back(settings: Settings, config: Path) -> None:
    option = ("-c", str(config))
    sent = inputs(settings)
    await send(settings, sent)
    async with running(settings, identity=Identity()) as metrics:
        await until_counted(metrics, 8, "journey_records_in_total", topic=settings.topics.log, kind="touchpoint")
        await until_view(settings, "ann", identifiers=["device_id:phone-of-ann", "device_id:tablet", "email:ann@x.org"])
        bob = await until_view(settings, "bob", identifiers=["device_id:tablet"])

        code, exported = await command("export", "ann", *option)
        assert code == 0, exported
        document = json.loads(exported)
        touchpoints = [one for about in document["identifiers"].values() for one in about["touchpoints"]]
        assert {one["original"].encode() for one in touchpoints} == {one.value for one in sent[:5]}
        assert document["identifiers"]["ann"]["profile"]["stage"] is not None
        assert document["identifiers"]["ann"]["stage_changes"] != []

        code, refused = await command("erase", "device_id:phone-of-ann", "--why", "asked to", *option)
        assert code == 1
        assert "belongs to ann: erase that one" in refused
        code, dry = await command("erase", "ann", "--why", "asked to", "--dry-run", *option)
        assert code == 0, dry
        assert f"erased wholly: {', '.join([ANN[0], ANN[2], ANN[1]])}" in dry or ANN[1] in dry
        assert await last_value(settings, settings.topics.profiles, b"ann") is not None

        code, proof = await command("erase", "ann", "--why", "asked to", "--who", "dpo", *option)
        assert code == 0, proof
        await assert_no_ann(settings)
        [profiles] = [line.split() for line in proof.splitlines() if f"{settings.topics.profiles} " in line][-1:]
        assert profiles[2] == "0"
        code, again = await command("erase", "ann", "--why", "again", *option)
        assert code == 0, again
        assert "ann is erased already" in again
        assert len(await read_all(settings.bootstrap_servers[0], settings.topics.operations)) == 1
        assert await until_view(settings, "bob", identifiers=["device_id:tablet"]) == bob
        histories = await kept(settings, settings.topics.state)

    # All inputs once more, by the same application.
    await rewind(settings)
    async with running(settings, identity=Identity()) as metrics:
        await until_counted(metrics, 5, "journey_erased_touchpoints_total", stage="router")
        await until_counted(metrics, 3, "journey_records_in_total", topic=settings.sources[0], kind="admitted")
        await until_counted(metrics, 1, "journey_records_in_total", topic=settings.topics.log, kind="erase")
        await until_counted(metrics, 3, "journey_records_in_total", topic=settings.topics.log, kind="touchpoint")
    await assert_no_ann(settings)
    assert (await views_of(settings)).keys() == {"bob"}
    assert (await kept(settings, settings.topics.state)).keys() == histories.keys()

    await assert_that_another_application_does_not_bring_her_back(settings, bob)


async def rewind(settings: Settings) -> None:
    """Let the routers begin at the beginning of all inputs."""
    async with AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers[0], group_id=settings.router_group, enable_auto_commit=False
    ) as consumer:
        places = [TopicPartition(topic, number) for topic in settings.inputs for number in range(settings.partitions)]
        consumer.assign(places)
        await consumer.commit(dict.fromkeys(places, 0))


async def assert_that_another_application_does_not_bring_her_back(settings: Settings, bob: dict[str, Any]) -> None:
    """One that has the same inputs, and nothing of the first but its erasures."""
    other = settings.model_copy(
        update={
            "application_id": settings.application_id + "-new",
            "topic_prefix": settings.topic_prefix + "new.",
            "erasures_topic": settings.topics.erasures,
            "erasure_key": type(settings).model_validate({"erasure_key": settings.application_id}).erasure_key,
        }
    )
    await create_topics(other)
    async with running(other, identity=Identity()) as metrics:
        await until_counted(metrics, 5, "journey_erased_touchpoints_total", stage="router")
        await until_counted(metrics, 3, "journey_records_in_total", topic=other.topics.log, kind="touchpoint")
        bob_again = await until_view(other, "bob", identifiers=["device_id:tablet"])
    await assert_no_ann(other)
    assert (await views_of(other)).keys() == {"bob"}
    for name in ("stage", "entered_at", "last_touchpoint_at"):
        assert bob_again[name] == bob[name]


async def views_of(settings: Settings) -> dict[str, Any]:
    return {key.decode(): json.loads(value) for key, value in (await kept(settings, settings.topics.profiles)).items()}


async def test_an_erasure_that_nobody_carries_out_is_told_to_the_person_on_call(
    settings: Settings, config: Path
) -> None:
    await send(settings, inputs(settings)[1:2])
    async with running(settings, identity=Identity()):
        await until_view(settings, "ann", profile_id="ann")

    code, complaint = await command("erase", "ann", "--why", "asked to", "--timeout", "2", "-c", str(config))

    assert code == 1
    assert "has not arrived after 2 s" in complaint
    assert f"is a worker of {settings.application_id} running" in complaint


async def test_there_is_nothing_to_export_or_erase_of_somebody_unknown(config: Path) -> None:
    for arguments in (("export", "nobody-1"), ("erase", "nobody-1", "--why", "asked to")):
        code, complaint = await command(*arguments, "-c", str(config))

        assert code == 1
        assert "nothing is held on 'nobody-1'" in complaint
