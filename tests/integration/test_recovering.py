"""The rebuild of docs/recovering.md on a real broker, and state that a release does not read."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from journey_stream.engine import partition as engine_partition
from journey_stream.engine.meta import STATE_FORMAT
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.topics import create_topics
from tests.integration.journeys import Sent, net_of
from tests.integration.judging import judge, until_all_is_processed
from tests.integration.load import prepare, some
from tests.integration.reading import published
from tests.integration.running import read, running, send
from tests.integration.test_cli import Cli
from tests.integration.test_worker import touchpoint
from tests.integration.workers import Worker, change_config, read_config, until, write_config
from tests.support.kafka import Broker
from tests.support.pages import ROOT

PAGE = ROOT / "docs" / "recovering.md"
COUNT = 6_000

Histories = dict[str, list[tuple[str, str | None, str]]]


@pytest.mark.parametrize(
    "partitions",
    [
        pytest.param(4, id="rebuilt with as many partitions", marks=pytest.mark.soak),
        pytest.param(3, id="with other partitions"),
    ],
)
async def test_a_new_application_rebuilds_everything_from_the_sources(
    broker: Broker, prefix: str, tmp_path: Path, partitions: int
) -> None:
    old = await prepare(tmp_path, broker.bootstrap, prefix)
    sent = [_to_operations(one, old) for one in some(prefix, COUNT)]
    await _feed(broker.bootstrap, sent)
    config = tmp_path / "journey.yaml"
    cli = Cli(config)
    simulated = await asyncio.to_thread(_simulated, cli, tmp_path, sent)
    with Worker(config, "old") as worker:
        await _until_told(old, simulated, worker)
        assert await asyncio.to_thread(worker.terminate) == 0, worker.tail()

    change_config(
        config,
        application_id=f"{prefix}second",
        topic_prefix=f"{prefix}second.",
        partitions=partitions,
        sources=[*old.sources, old.topics.operations],
        erasures_topic=old.topics.erasures,
        erasure_key=old.application_id,
        ticks=False,
    )
    new = read_config(config)
    for arguments in (("topics", "create", "--history"), ("topics", "check", "--history")):
        done = await asyncio.to_thread(cli, *arguments)
        assert (0, "") == (done.returncode, done.stderr), done.stdout
    with Worker(config, "new") as worker:
        await asyncio.to_thread(worker.wait_started)
        await until_all_is_processed(new, 90, worker.tail)
        assert await asyncio.to_thread(worker.terminate) == 0, worker.tail()
    change_config(config, ticks=True)
    with Worker(config, "ticking") as worker:
        await _until_told(new, simulated, worker)
        assert await asyncio.to_thread(worker.terminate) == 0, worker.tail()

    await judge(new, sent)


@pytest.mark.parametrize(
    ("reads", "told"),
    [(STATE_FORMAT - 1, "written by a newer release"), (STATE_FORMAT + 1, "written by an older release")],
)
async def test_a_worker_refuses_state_of_another_format(
    broker: Broker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: int, told: str
) -> None:
    settings = read_config(write_config(tmp_path, broker.bootstrap, prefix, partitions=1, session_timeout="2s"))
    await create_topics(settings, history=True)
    async with running(settings):
        await send(settings, [touchpoint(settings, "e1")])
        await read(settings, settings.topics.profiles, 1)

    monkeypatch.setattr(engine_partition, "STATE_FORMAT", reads)
    with pytest.raises(WorkerError, match=rf"(?s){told}.*docs/recovering\.md"):
        async with running(settings, "tasks", to_failure=True):
            pass


@pytest.mark.parametrize(
    ("reads", "told"), [(STATE_FORMAT + 1, "after an update,"), (STATE_FORMAT - 1, "after a downgrade:")]
)
async def test_another_release_ends_with_what_the_page_says_and_leaves_all_as_it_was(
    broker: Broker, prefix: str, tmp_path: Path, reads: int, told: str
) -> None:
    config = write_config(tmp_path, broker.bootstrap, prefix, partitions=1, session_timeout="2s")
    settings = read_config(config)
    await create_topics(settings)
    await send(settings, [touchpoint(settings, "e1")])
    with Worker(config, "before") as worker:
        await read(settings, settings.topics.profiles, 1)
        assert 0 == await asyncio.to_thread(worker.terminate), worker.tail()
    written = await _ends(settings)

    with Worker(config, "other", module=["tests.integration.other_release", str(reads)]) as worker:
        code = await asyncio.to_thread(worker.wait)

    assert 1 == code, worker.tail()
    assert _without_numbers(_line_on_the_page(told)) == _without_numbers(worker.tail(1))
    assert written == await _ends(settings)
    with Worker(config, "again") as worker:
        await send(settings, [touchpoint(settings, "e2", "add_to_cart")])
        await read(settings, settings.topics.profiles, 2)
        assert 0 == await asyncio.to_thread(worker.terminate), worker.tail()


def _line_on_the_page(after: str) -> str:
    """The line that a worker ends with, as docs/recovering.md shows it after these words."""
    (found,) = re.findall(rf"{re.escape(after)}.*?```text\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
    return str(found)


def _without_numbers(line: str) -> str:
    """A line without the name of the topic and the formats."""
    return re.sub(r"format \d+", "format N", re.sub(r"^\S+state\[\d+\]", "STATE", line))


async def _ends(settings: Settings) -> dict[str, int]:
    """How many records, committed or not, each of our topics and the position have."""
    async with AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers[0], group_id=settings.tasks_group, enable_auto_commit=False
    ) as consumer:
        places = [TopicPartition(topic, 0) for topic in settings.topics]
        ends = await consumer.end_offsets(places)
        committed = await consumer.committed(TopicPartition(settings.topics.log, 0))
    return {place.topic: end for place, end in ends.items()} | {"position": committed or 0}


async def _until_told(settings: Settings, expected: Histories, worker: Worker, seconds_max: float = 60.0) -> None:
    """Return when the net history of every profile is as expected: all is processed, and all silences are over."""
    deadline = until(seconds_max)
    while expected != {profile: found.net for profile, found in (await published(settings)).items() if found.net}:
        assert worker.running, worker.tail()
        assert time.monotonic() < deadline, f"not what was simulated within {seconds_max:.0f} s:\n{worker.tail()}"
        await asyncio.sleep(0.5)


async def _feed(bootstrap: str, sent: list[Sent]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        waiting = [await producer.send(one.topic, one.value, one.key, one.partition, one.timestamp) for one in sent]
        await asyncio.gather(*waiting)


def _to_operations(one: Sent, settings: Settings) -> Sent:
    """What people decide about identifiers goes to the topic for it."""
    if json.loads(one.value or b"")["channel"] != "identity":
        return one
    return one._replace(topic=settings.topics.operations, partition=0)


def _simulated(cli: Cli, directory: Path, sent: list[Sent]) -> Histories:
    """The net history per profile that `journey-stream simulate` has of the same records."""
    lines = [one.value or b"" for one in sent]
    (directory / "history.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    as_of = datetime.fromtimestamp(time.time(), UTC).isoformat()
    done = cli("simulate", directory / "history.jsonl", "--out", directory / "simulated", "--as-of", as_of)
    assert done.returncode == 0, done.stderr
    messages: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in (directory / "simulated" / "stage-changes.jsonl").read_text().splitlines():
        message = json.loads(line)
        messages[message["profile_id"]].append(message)
    return {profile: net for profile, found in messages.items() if (net := net_of(found))}
