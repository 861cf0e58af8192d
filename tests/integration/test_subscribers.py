"""Subscribers on a real broker: Faust, and `journey-stream explain`."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from journey_stream.worker.config import Settings
from journey_stream.worker.topics import create_topics
from tests.integration.reading import published
from tests.integration.workers import Worker, read_config, write_config
from tests.support.kafka import Broker
from tests.unit.subscribe.changes import change

DEADLINE_SECONDS = 60.0
NOW = datetime.now(UTC)
ROOT = Path(__file__).parents[2]


class Journey:
    """A running worker, and touchpoints for it."""

    def __init__(self, config: Path) -> None:
        self.config = config
        self.settings: Settings = read_config(config)

    async def send(self, event_id: str, channel: str, type_: str, hours_ago: float, customer: str = "c1") -> None:
        occurred_at = (NOW - timedelta(hours=hours_ago)).isoformat()
        fields = {"event_id": event_id, "occurred_at": occurred_at, "channel": channel, "type": type_}
        topic = next(source for source in self.settings.sources if source.endswith(channel))
        async with AIOKafkaProducer(bootstrap_servers=self.settings.bootstrap_servers[0]) as producer:
            await producer.send_and_wait(topic, json.dumps(fields | {"customer_id": customer}).encode())

    async def settled(self, customer: str, revision: int) -> None:
        """Wait until so many messages about a customer are there."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len((await published(self.settings)).get(customer, ([], []))[0]) < revision:
            assert time.monotonic() < deadline, f"no revision {revision} of {customer}"
            await asyncio.sleep(0.1)

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "journey_stream.cli.main", *arguments, "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment())


def environment(**more: str) -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("JOURNEY_")} | more


@pytest.fixture
def journey(broker: Broker, prefix: str, tmp_path: Path) -> Iterator[Journey]:
    made = Journey(write_config(tmp_path, broker.bootstrap, prefix, partitions=2, session_timeout="3s"))
    asyncio.run(create_topics(made.settings))
    with Worker(made.config, "worker"):
        yield made


class FaustWorker:
    """The subscriber as its own process; `reactions` is what it did so far."""

    def __init__(self, config: Path, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        self._directory = directory
        command = ["-m", "faust", "-A", "tests.integration.faust_subscriber", "worker", "--without-web"]
        command += ["--loglevel", "info"]
        environ = environment(JOURNEY_CONFIG=str(config), SUBSCRIBER_DIR=str(directory))
        with (directory / "faust.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *command], stdout=log, stderr=subprocess.STDOUT, env=environ, cwd=ROOT
            )

    @property
    def reactions(self) -> list[str]:
        file = self._directory / "reactions.txt"
        return file.read_text().splitlines() if file.exists() else []

    async def reacted(self, *expected: str, in_any_order: bool = False) -> None:
        """Wait until it has done just this."""
        order = sorted if in_any_order else list
        deadline = time.monotonic() + DEADLINE_SECONDS
        while order(self.reactions) != order(expected):
            assert self._process.poll() is None, self._tail()
            assert time.monotonic() < deadline, f"{self.reactions}, not {expected}\n{self._tail()}"
            await asyncio.sleep(0.1)

    def _tail(self) -> str:
        return (self._directory / "faust.log").read_text(errors="replace")[-4000:]

    def stop(self) -> None:
        """SIGTERM: it commits and leaves its group."""
        self._process.terminate()
        self._process.wait(timeout=DEADLINE_SECONDS)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


async def write_and_abort(settings: Settings, value: bytes) -> None:
    """Put a message on the stage changes inside a transaction that is then aborted."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers[0], transactional_id=f"{settings.topic_prefix}x"
    )
    async with producer:
        await producer.begin_transaction()
        await producer.send_and_wait(settings.topics.stage_changes, value, b"ghost", partition=0)
        await producer.abort_transaction()


async def test_a_faust_subscriber_acts_once_through_a_crash_and_takes_back_what_late_news_overturns(
    journey: Journey, tmp_path: Path
) -> None:
    await journey.send("e1", "store", "purchase", hours_ago=1)
    with FaustWorker(journey.config, tmp_path / "subscriber") as first:
        await first.reacted("act c1 purchase")
        first.kill()

    await journey.send("e2", "web", "page_view", hours_ago=2)
    await journey.settled("c1", 4)
    with FaustWorker(journey.config, tmp_path / "subscriber") as second:
        await second.reacted("act c1 purchase", "undo c1 purchase", "act c1 purchase")


async def test_a_faust_subscriber_that_is_stopped_in_the_middle_of_a_reaction_makes_up_for_it(
    journey: Journey, tmp_path: Path
) -> None:
    directory = tmp_path / "subscriber"
    directory.mkdir()
    (directory / "stuck").touch()
    await journey.send("e1", "store", "purchase", hours_ago=1)
    with FaustWorker(journey.config, directory) as first:
        await first.reacted("stuck c1 purchase")
        first.stop()

    (directory / "stuck").unlink()
    with FaustWorker(journey.config, directory) as second:
        await second.reacted("stuck c1 purchase", "act c1 purchase")


async def test_a_faust_subscriber_sees_nothing_of_an_aborted_transaction(journey: Journey, tmp_path: Path) -> None:
    await write_and_abort(journey.settings, change(1, "ghost").model_dump_json().encode())
    for number in range(8):
        await journey.send(f"e{number}", "web", "page_view", hours_ago=1, customer=f"c{number}")
        await journey.settled(f"c{number}", 1)

    with FaustWorker(journey.config, tmp_path / "subscriber") as worker:
        await worker.reacted(*(f"act c{number} awareness" for number in range(8)), in_any_order=True)


async def test_a_faust_subscriber_commits_its_position_behind_many_small_transactions(
    journey: Journey, tmp_path: Path
) -> None:
    count = 300
    settings = journey.settings
    options = {"bootstrap_servers": settings.bootstrap_servers[0]}
    async with AIOKafkaProducer(
        **options, transactional_id=f"{settings.topic_prefix}many", retry_backoff_ms=5
    ) as producer:
        for number in range(1, count + 1):
            async with producer.transaction():
                value = change(number, f"x{number}").model_dump_json().encode()
                await producer.send(settings.topics.stage_changes, value, b"c1", partition=0)

    place = TopicPartition(settings.topics.stage_changes, 0)
    group = f"{settings.application_id}-subscriber"
    async with AIOKafkaConsumer(**options, group_id=group, enable_auto_commit=False) as consumer:
        with FaustWorker(journey.config, tmp_path / "subscriber") as worker:
            await worker.reacted(*["act c1 decision"] * count)
            deadline = time.monotonic() + DEADLINE_SECONDS
            # The end is behind the marker of the last transaction, which a position cannot pass before a message does.
            while (await consumer.committed(place) or 0) < 2 * count - 1:
                assert time.monotonic() < deadline, await consumer.committed(place)
                await asyncio.sleep(0.1)


async def test_a_history_is_explained_with_its_reasons_and_corrections(journey: Journey) -> None:
    await journey.send("bought", "store", "purchase", hours_ago=1)
    await journey.settled("c1", 1)
    await journey.send("looked", "web", "page_view", hours_ago=2)
    await journey.settled("c1", 4)

    shown = journey.cli("explain", "c1")
    as_json = journey.cli("explain", "c1", "--json")
    nobody = journey.cli("explain", "somebody-else")

    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("c1 is in purchase since ")
    assert "First contact" in shown.stdout
    assert "retracted" in shown.stdout
    document = json.loads(as_json.stdout)
    assert document["profile"]["stage"] == "purchase"
    assert [change["because"]["evidence"] for change in document["history"]] == [["looked"], ["bought"]]
    assert [message["kind"] for message in document["messages"]] == ["entered", "retracted", "entered", "entered"]
    assert nobody.returncode == 1
    assert "nothing is known of 'somebody-else'" in nobody.stderr
