"""A router and tasks inside the test's own process."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from journey_stream.engine.partition import Partition
from journey_stream.journey.model import Identity
from journey_stream.worker.config import Settings
from journey_stream.worker.erasure_key import erasure_key_of
from journey_stream.worker.metrics import Metrics
from journey_stream.worker.pseudonym_key import pseudonyms_of
from journey_stream.worker.router import Router
from journey_stream.worker.task import State
from journey_stream.worker.tasks import Tasks
from tests.integration.journeys import Sent, model, scorer


@contextlib.asynccontextmanager
async def running(
    settings: Settings, *roles: str, to_failure: bool = False, identity: Identity | None = None
) -> AsyncIterator[Metrics]:
    """Run the roles until the block ends, or one fails if `to_failure`; then stop them. Raises what they raise."""
    journey = replace(model(), identity=identity)
    metrics = Metrics()
    parts: list[Router | Tasks] = []
    if "router" in roles or not roles:
        parts.append(Router(settings, metrics, journey.policy(pseudonyms_of(settings))))
    if "tasks" in roles or not roles:
        parts.append(
            Tasks(settings, metrics, lambda: Partition(journey, settings.limits, scorer(), erasure_key_of(settings)))
        )
    ran = [asyncio.create_task(part.run()) for part in parts]
    try:
        yield metrics
        if to_failure:
            await asyncio.wait(ran, timeout=40, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for part in parts:
            part.stop()
        await asyncio.wait(ran, timeout=40)
    for one in ran:
        one.result()


async def send(settings: Settings, records: Iterable[Sent], **options: Any) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers[0], enable_idempotence=True, **options
    ) as producer:
        waiting = [
            await producer.send(one.topic, one.value, one.key, one.partition, one.timestamp, list(one.headers))
            for one in records
        ]
        await asyncio.gather(*waiting)


async def read(settings: Settings, topic: str, count: int, seconds_max: float = 30.0) -> list[ConsumerRecord]:
    """The first `count` committed records of a topic; fails if they do not come in time."""
    found: list[ConsumerRecord] = []
    async with AIOKafkaConsumer(
        topic,
        bootstrap_servers=settings.bootstrap_servers[0],
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    ) as subscriber:
        try:
            async with asyncio.timeout(seconds_max):
                while len(found) < count:
                    found.append(await subscriber.getone())
        except TimeoutError:
            raise AssertionError(f"{topic}: {len(found)} of {count} records within {seconds_max:.0f} s") from None
    return found


async def until_reported(settings: Settings, partition: int, seconds_max: float = 20.0) -> None:
    """Return when the group of the tasks has been told of progress on a partition of the log."""
    async with AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers[0], group_id=settings.tasks_group, enable_auto_commit=False
    ) as consumer:
        deadline = time.monotonic() + seconds_max
        while time.monotonic() < deadline:
            if await consumer.committed(TopicPartition(settings.topics.log, partition)):
                return
            await asyncio.sleep(0.1)
    raise AssertionError(f"no progress reported within {seconds_max:.0f} s")


async def until_running(metrics: Metrics, tasks: int, seconds_max: float = 30.0) -> None:
    """Return when a worker reports exactly so many tasks as running, and none in any other state."""
    deadline = time.monotonic() + seconds_max
    while time.monotonic() < deadline:
        found = {state: metrics.registry.get_sample_value("journey_tasks", {"state": state}) for state in State}
        if found == dict.fromkeys(State, 0.0) | {State.RUNNING: float(tasks)}:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"not {tasks} running tasks within {seconds_max:.0f} s but {found}")


async def until_counted(metrics: Metrics, count: float, name: str, seconds_max: float = 60.0, **labels: str) -> None:
    """Return when a metric has come to at least `count`."""
    deadline = time.monotonic() + seconds_max
    while (found := metrics.registry.get_sample_value(name, labels) or 0.0) < count:
        assert time.monotonic() < deadline, f"{name} is {found} after {seconds_max:.0f} s"
        await asyncio.sleep(0.1)
