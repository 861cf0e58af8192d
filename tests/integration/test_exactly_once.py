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
from typing import Any, NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewTopic

from journey_stream.events.log import Deliver, Message, decode
from journey_stream.worker.config import Settings
from journey_stream.worker.murmur import partition_for
from journey_stream.worker.topics import create_topics
from tests.integration.faults import Cluster
from tests.integration.feeder import Feeder
from tests.integration.journeys import WITH_IDENTITY, Sent, model
from tests.integration.people import customers_of, decided_on, touchpoints
from tests.integration.reading import (
    aborted_records,
    behind,
    published,
    published_identities,
    published_risks,
    read_all,
    state_of,
    until_written,
    views_and_tombstones,
)
from tests.integration.truth import PassedOn, Truth, known, truth
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

        clocks, hashes = await _check_state(settings)
        expected = await asyncio.to_thread(truth, sent, model(WITH_IDENTITY), clocks, settings.limits)
        assert expected.state_hashes == hashes
        await _check_outputs(settings, expected, sent)
        between_partitions = await _check_what_was_passed_on(settings, expected, sent)
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
    while left := await behind(settings):
        assert time.monotonic() < deadline, f"still {left} records behind\n{cluster.logs()}"
        await asyncio.sleep(0.5)


async def _check_state(settings: Settings) -> tuple[list[int], list[str]]:
    """Every task has applied its whole log; returns their clocks (ms), and the hashes of their states."""
    async with AIOKafkaConsumer(bootstrap_servers=settings.bootstrap_servers[0]) as consumer:
        places = [TopicPartition(settings.topics.log, number) for number in range(settings.partitions)]
        log_ends = await consumer.end_offsets(places)
    clocks, hashes = [], []
    for place in places:
        engine, position = await state_of(settings, place.partition, model(WITH_IDENTITY))
        assert position is not None
        assert log_ends[place] == position.next_offset
        clocks.append(engine.clock)
        hashes.append(engine.state_hash())
    return clocks, hashes


async def _check_outputs(settings: Settings, expected: Truth, sent: list[Sent]) -> None:
    seen, risks, identities = (
        await published(settings),
        await published_risks(settings),
        await published_identities(settings),
    )
    for revisions in (
        {profile: found.revisions for profile, found in seen.items()},
        {profile: found.revisions for profile, found in risks.items()},
        {profile: [message["revision"] for message in found] for profile, found in identities.items()},
    ):
        assert {profile: list(range(1, len(found) + 1)) for profile, found in revisions.items()} == revisions
    assert expected.net == {profile: found.net for profile, found in seen.items() if found.net}
    assert expected.risks == {profile: found.net for profile, found in risks.items() if found.net}

    assert expected.identities == known((m for found in identities.values() for m in found), decided_on(sent))
    assert {"linked", "unlinked", "shared", "blocked"} == {m["kind"] for found in identities.values() for m in found}

    views = await views_and_tombstones(settings)
    gone = {profile for profile, view in views.items() if view is None}
    assert gone
    standing = {profile: view for profile, view in views.items() if view is not None}
    assert _shown(expected.views) == _shown(standing)
    customers = customers_of(sent)
    assert [] == [
        (profile, event_id)
        for told_of in (seen, risks)
        for profile, found in told_of.items()
        for event_id in found.evidence
        if customers.get(event_id, profile) != profile
    ]
    assert [] == await read_all(settings.bootstrap_servers[0], settings.topics.dead_letters)


def _shown(views: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Views without what depends on when they were written."""
    passing = {"revision", "last_touchpoint_at", "updated_at", "rfm"}
    shown = {profile: {name: view[name] for name in view.keys() - passing} for profile, view in views.items()}
    for view in shown.values():
        if view["risk"] is not None:
            del view["risk"]["revision"]
    return shown


async def _check_what_was_passed_on(settings: Settings, expected: Truth, sent: list[Sent]) -> int:
    """Of what identifiers said to one another nothing was lost or doubled; returns how much left its partition."""
    passed, customers, left = PassedOn(), customers_of(sent), 0
    for record in await read_all(settings.bootstrap_servers[0], settings.topics.log):
        message = decode(record.key, record.timestamp, record.value)
        sender = passed.add(message) if isinstance(message, Message) else None
        if sender is None:
            continue
        assert partition_for(record.key, settings.partitions) == record.partition
        left += partition_for(sender.encode(), settings.partitions) != record.partition
        if isinstance(message, Deliver):
            named = [one.event_id for one in message.touchpoints if one.event_id in customers]
            assert [] == named, f"{sender} has passed on what named a customer"
    assert expected.passed == passed.net
    return left
