"""Exactly once, through everything that can happen to workers and their broker."""

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
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewTopic

from journey_stream.worker.config import Settings
from journey_stream.worker.topics import create_topics
from tests.integration.faults import Cluster
from tests.integration.feeder import Feeder
from tests.integration.journeys import MODEL, Truth, touchpoints, truth
from tests.integration.reading import (
    aborted_records,
    published,
    published_risks,
    read_all,
    state_of,
    until_written,
    views,
)
from tests.integration.workers import create, read_config, until, write_config
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

        clocks = await _check_state(settings)
        expected = await asyncio.to_thread(truth, sent, settings.partitions, clocks, settings.limits)
        await _check_outputs(settings, expected)
        aborted = await aborted_records(settings)
        _say(f"faults: {dict(cluster.done)}; {aborted} records belong to aborted transactions")
        assert aborted > 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


async def _prepared(directory: Path, broker: KafkaBroker) -> Settings:
    (directory / "model.yaml").write_text(MODEL)
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
    await _until_all_is_processed(settings, ordeal.settle_seconds_max, cluster)
    _say(f"settled after {time.monotonic() - started:.0f} s")


async def _until_output(settings: Settings) -> None:
    async with AIOKafkaConsumer(
        settings.topics.stage_changes,
        bootstrap_servers=settings.bootstrap_servers[0],
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    ) as subscriber:
        await asyncio.wait_for(subscriber.getone(), 60)


async def _until_all_is_processed(settings: Settings, seconds_max: float, cluster: Cluster) -> None:
    deadline = until(seconds_max)
    while behind := await _behind(settings):
        assert time.monotonic() < deadline, f"still {behind} records behind\n{cluster.logs()}"
        await asyncio.sleep(0.5)


async def _behind(settings: Settings) -> int:
    """Records that the router or the tasks have not reported as done."""
    behind = 0
    for group, topics in (
        (settings.router_group, settings.sources),
        (settings.tasks_group, (settings.topics.log,)),
    ):
        async with AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap_servers[0], group_id=group, enable_auto_commit=False
        ) as consumer:
            for topic in topics:
                count = len(await consumer._client._wait_on_metadata(topic))
                partitions = [TopicPartition(topic, number) for number in range(count)]
                ends = await consumer.end_offsets(partitions)
                for partition in partitions:
                    behind += ends[partition] - (await consumer.committed(partition) or 0)
    return behind


async def _check_state(settings: Settings) -> list[int]:
    """Every task has applied its whole log; returns their clocks (ms)."""
    async with AIOKafkaConsumer(bootstrap_servers=settings.bootstrap_servers[0]) as consumer:
        places = [TopicPartition(settings.topics.log, number) for number in range(settings.partitions)]
        log_ends = await consumer.end_offsets(places)
    clocks = []
    for place in places:
        engine, position = await state_of(settings, place.partition)
        assert position is not None
        assert log_ends[place] == position.next_offset
        clocks.append(engine.clock)
    return clocks


async def _check_outputs(settings: Settings, expected: list[Truth]) -> None:
    seen = await published(settings)
    assert {p: list(range(1, len(f.revisions) + 1)) for p, f in seen.items()} == {
        p: f.revisions for p, f in seen.items()
    }
    assert {p: net for one in expected for p, net in one.net.items()} == {p: f.net for p, f in seen.items() if f.net}
    risks = await published_risks(settings)
    assert {p: list(range(1, len(f.revisions) + 1)) for p, f in risks.items()} == {
        p: f.revisions for p, f in risks.items()
    }
    assert {p: net for one in expected for p, net in one.risks.items()} == {p: f.net for p, f in risks.items() if f.net}
    last = await views(settings)
    stages = {profile: view["stage"] for profile, view in last.items()}
    assert {profile: stage for one in expected for profile, stage in one.stages.items()} == stages
    bands = {profile: view["risk"]["band"] for profile, view in last.items() if view["risk"] is not None}
    assert {profile: band for one in expected for profile, band in one.bands.items()} == bands
    assert [] == await read_all(settings.bootstrap_servers[0], settings.topics.dead_letters)
    hashes = [(await state_of(settings, number))[0].state_hash() for number in range(settings.partitions)]
    assert [one.state_hash for one in expected] == hashes
