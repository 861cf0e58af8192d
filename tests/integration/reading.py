"""Reads whole topics of a real broker, as a subscriber and as somebody who sees what was aborted."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from typing import Any, Literal

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from journey_stream.engine.partition import Partition
from journey_stream.journey.model import Model
from journey_stream.worker.changelog import Position
from journey_stream.worker.config import Settings
from journey_stream.worker.restore import restore
from tests.integration.journeys import Published, PublishedRisk, model, net_ids, net_of, scorer

Isolation = Literal["read_committed", "read_uncommitted"]


async def read_all(bootstrap: str, topic: str, isolation: Isolation = "read_committed") -> list[ConsumerRecord]:
    """Every record of a topic from its beginning to its present end."""
    async with AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level=isolation, enable_auto_commit=False, auto_offset_reset="earliest"
    ) as consumer:
        partitions = [TopicPartition(topic, number) for number in sorted(await _partitions(consumer, topic))]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(partitions)
        found: list[ConsumerRecord] = []
        while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += records
        return found


async def _partitions(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    partitions: set[int] = await consumer._client._wait_on_metadata(topic)
    return partitions


async def published(settings: Settings) -> dict[str, Published]:
    """What a subscriber of journey.stage-changes has seen, per profile."""
    messages: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in await read_all(settings.bootstrap_servers[0], settings.topics.stage_changes):
        messages[record.key.decode()].append(json.loads(record.value))
    return {
        profile: Published(_revisions(profile, found), net_of(found), _evidence(found))
        for profile, found in messages.items()
    }


def _revisions(profile: str, messages: list[dict[str, Any]]) -> list[int]:
    """The revisions of a profile's messages as they were read, which a lost or a doubled message would break."""
    found = [message["revision"] for message in messages]
    assert found == list(range(1, len(found) + 1)), f"{profile}: {found}"
    return found


async def published_risks(settings: Settings) -> dict[str, PublishedRisk]:
    """What a subscriber of journey.churn-risk has seen, per profile."""
    messages: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in await read_all(settings.bootstrap_servers[0], settings.topics.churn_risk):
        messages[record.key.decode()].append(json.loads(record.value))
    return {
        profile: PublishedRisk(
            _revisions(profile, found),
            net_ids([(message["kind"], message["risk_id"]) for message in found]),
            _evidence(found),
        )
        for profile, found in messages.items()
    }


def _evidence(messages: list[dict[str, Any]]) -> set[str]:
    return {event_id for message in messages for event_id in message["because"]["evidence"]}


async def published_identities(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """What a subscriber of journey.identity-changes has seen, per identifier."""
    messages: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in await read_all(settings.bootstrap_servers[0], settings.topics.identity_changes):
        messages[record.key.decode()].append(json.loads(record.value))
    return messages


async def views(settings: Settings) -> dict[str, dict[str, Any]]:
    """The last view of every profile, as a reader of the compacted topic ends up with it."""
    return {profile: view for profile, view in (await views_and_tombstones(settings)).items() if view is not None}


async def views_and_tombstones(settings: Settings) -> dict[str, dict[str, Any] | None]:
    """The same with what is deleted, as None."""
    found = await read_all(settings.bootstrap_servers[0], settings.topics.profiles)
    return {record.key.decode(): None if record.value is None else json.loads(record.value) for record in found}


async def state_of(
    settings: Settings, partition: int, journey: Model | None = None
) -> tuple[Partition, Position | None]:
    """A task's state as the next owner would find it; `journey` is that of `model` unless given."""
    engine = Partition(journey or model(), settings.limits, scorer())
    async with AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers[0], isolation_level="read_committed", auto_offset_reset="none"
    ) as consumer:
        changelog = TopicPartition(settings.topics.state, partition)
        position, _ = await restore(consumer, changelog, engine, settings.partitions)
    return engine, position


async def aborted_records(settings: Settings) -> int:
    """How many records of the outputs and the state belong to transactions that were aborted."""
    topics, count = settings.topics, 0
    for topic in (topics.stage_changes, topics.churn_risk, topics.identity_changes, topics.state):
        seen = {
            isolation: {
                (record.partition, record.offset)
                for record in await read_all(settings.bootstrap_servers[0], topic, isolation)
            }
            # In this order: who reads what is committed waits until all that was there is decided. The other way round,
            # what is written between the two looks would be taken for aborted.
            for isolation in ("read_uncommitted", "read_committed")
        }
        count += len(seen["read_uncommitted"] - seen["read_committed"])
    return count


async def until_written(settings: Settings, topic: str, seconds_max: float = 60.0) -> None:
    """Return as soon as anything, committed or not, is added to a topic."""
    async with AIOKafkaConsumer(bootstrap_servers=settings.bootstrap_servers[0], enable_auto_commit=False) as consumer:
        partitions = [TopicPartition(topic, number) for number in sorted(await _partitions(consumer, topic))]
        deadline, before = time.monotonic() + seconds_max, await consumer.end_offsets(partitions)
        while time.monotonic() < deadline:
            if await consumer.end_offsets(partitions) != before:
                return
            await asyncio.sleep(0.005)
    raise AssertionError(f"nothing was written to {topic} within {seconds_max:.0f} s")


async def behind(settings: Settings) -> int:
    """Records that the router or the tasks have not reported as done.

    Tasks write to the log, too, before they report: so its ends are asked for when all reports are in.
    """
    done: dict[TopicPartition, int] = {}
    for group, topics in (
        (settings.router_group, settings.inputs),
        (settings.tasks_group, (settings.topics.log,)),
    ):
        async with AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap_servers[0], group_id=group, enable_auto_commit=False
        ) as consumer:
            for topic in topics:
                count = len(await consumer._client._wait_on_metadata(topic))
                for place in [TopicPartition(topic, number) for number in range(count)]:
                    done[place] = await consumer.committed(place) or 0
    async with AIOKafkaConsumer(bootstrap_servers=settings.bootstrap_servers[0]) as consumer:
        ends = await consumer.end_offsets(list(done))
    return sum(ends[place] - reached for place, reached in done.items())
