"""Exactly once, through everything that can happen to workers and their broker, with people who are not always known.

Tasks write to one another's partitions of the log here: what is passed on is under way while they die.
"""

from __future__ import annotations

import asyncio
import functools
import os
import random
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import NewTopic

from journey_stream.worker.config import Settings
from journey_stream.worker.topics import create_topics
from tests.integration.faults import Cluster
from tests.integration.feeder import Feeder
from tests.integration.journeys import WITH_IDENTITY
from tests.integration.judging import judge, until_all_is_processed
from tests.integration.people import touchpoints
from tests.integration.reading import aborted_records, until_written
from tests.integration.workers import create, read_config, write_config
from tests.support.kafka import KafkaBroker

SESSION_SECONDS = 3
EXTRA_FAULTS_MAX = 5
PREFIX = "crash."
SOURCES = {
    "crash.touchpoints.web": 5,
    "crash.touchpoints.email": 3,
    "crash.touchpoints.store": 2,
    "crash.touchpoints.crm": 1,
}


class Ordeal(NamedTuple):
    touchpoints: int
    customers: int
    faults: int
    settle_seconds_max: int


@pytest.mark.parametrize(
    "ordeal",
    [
        pytest.param(Ordeal(30_000, 500, 7, 60), id="short"),
        pytest.param(Ordeal(300_000, 5_000, 28, 240), id="long", marks=pytest.mark.soak),
    ],
)
async def test_no_touchpoint_is_lost_or_doubled_through_crashes(ordeal: Ordeal, tmp_path: Path) -> None:
    seed = int(os.environ.get("JOURNEY_TEST_SEED", random.Random().randrange(2**31)))
    _say(f"\nJOURNEY_TEST_SEED={seed} repeats the draw of these faults")
    with KafkaBroker(tmp_path / "kafka") as broker:
        settings = await _prepared(tmp_path, broker)
        sent = touchpoints(ordeal.touchpoints, SOURCES, seed, ordeal.customers)
        feeder = Feeder(settings, sent, seconds=6.0 * ordeal.faults)
        until_work = functools.partial(until_written, settings, settings.topics.state)
        cluster = Cluster(tmp_path / "journey.yaml", broker, SESSION_SECONDS, seed, feeder.hurry, until_work)
        try:
            await _suffer(cluster, settings, feeder, ordeal)
            assert set(await cluster.stop()) == {0}
        finally:
            cluster.close()

        between_partitions = await judge(settings, sent)
        aborted = await aborted_records(settings)
        _say(
            f"faults: {dict(cluster.done)}; {aborted} records of the outputs and the state belong to aborted "
            f"transactions; {between_partitions} messages went from one partition to another"
        )
        assert aborted > 0
        assert between_partitions > 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


async def _prepared(directory: Path, broker: KafkaBroker) -> Settings:
    (directory / "model.yaml").write_text(WITH_IDENTITY)
    config = write_config(
        directory,
        broker.bootstrap,
        PREFIX,
        session_timeout=f"{SESSION_SECONDS}s",
        transaction_timeout="20s",
        model=str(directory / "model.yaml"),
        batch_records_max=200,
    )
    settings = read_config(config)
    sources = [NewTopic(name, count, 1, topic_configs={"retention.ms": "-1"}) for name, count in SOURCES.items()]
    await create(broker.bootstrap, sources)
    await create_topics(settings, history=True)
    return settings


async def _suffer(cluster: Cluster, settings: Settings, feeder: Feeder, ordeal: Ordeal) -> None:
    """Feed touchpoints all the time that faults happen, then let the workers finish in peace.

    Nobody can tell from outside when a transaction is open. So the last fifth of the touchpoints is kept until all the
    drawn faults are over, and more power failures follow until one of them has hit.
    """
    faults = cluster.draw(ordeal.faults)
    _say(f"faults to come: {', '.join(faults)}")
    started = time.monotonic()
    feeding = asyncio.create_task(feeder.run())
    for _ in range(2):
        cluster.start()
    await _until_output(settings)
    for fault in faults:
        await cluster.inflict(fault)
        await cluster.pause()
    while not feeder.only_the_rest_is_left:
        feeder.hurry()
        await cluster.pause()
    for _ in range(EXTRA_FAULTS_MAX):
        if await aborted_records(settings):
            break
        await cluster.inflict("power failure")
        await cluster.pause()
    feeder.finish()
    await feeding
    _say(f"{ordeal.touchpoints} touchpoints fed, {len(faults)} faults over after {time.monotonic() - started:.0f} s")
    await until_all_is_processed(settings, ordeal.settle_seconds_max, cluster.logs)
    _say(f"settled after {time.monotonic() - started:.0f} s")


async def _until_output(settings: Settings) -> None:
    async with AIOKafkaConsumer(
        settings.topics.stage_changes,
        bootstrap_servers=settings.bootstrap_servers[0],
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    ) as subscriber:
        await asyncio.wait_for(subscriber.getone(), 60)
