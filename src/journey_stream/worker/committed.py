"""Reads what partitions hold, from their beginnings to what is committed now."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from journey_stream.worker.errors import Uncertain

STALL_SECONDS_MAX = 60.0


async def committed_records(
    consumer: AIOKafkaConsumer, topic: str, partitions: Iterable[int], *, at: int | None = None
) -> AsyncIterator[Any]:
    """The committed records of these partitions, those of each in order; with `at`, only one at that offset, if any.

    `consumer` is in no group and reads what is committed. Raises KafkaError, and Uncertain if a broker stops to
    deliver.
    """
    ends = await _spans(consumer, [TopicPartition(topic, number) for number in partitions], at)
    places = list(ends)
    moved, before = time.monotonic(), Counter[TopicPartition]()
    while places:
        reached = Counter({place: await consumer.position(place) for place in places})
        if all(reached[place] >= ends[place] for place in places):
            return
        if reached != before:
            moved, before = time.monotonic(), reached
        elif time.monotonic() - moved > STALL_SECONDS_MAX:
            raise Uncertain(f"{topic} delivers nothing, before its end")
        for place, records in (await consumer.getmany(*places, timeout_ms=200)).items():
            for record in records:
                if record.offset < ends[place]:
                    yield record


async def _spans(consumer: AIOKafkaConsumer, places: list[TopicPartition], at: int | None) -> dict[TopicPartition, int]:
    """Seek to where reading begins, and return where it ends; without what holds no record at `at`."""
    consumer.assign(places)
    ends: dict[TopicPartition, int] = await consumer.end_offsets(places) if places else {}
    beginnings = await consumer.beginning_offsets(places) if places else {}
    if at is not None:
        ends = {place: at + 1 for place, end in ends.items() if beginnings[place] <= at < end}
        consumer.assign(list(ends))
    for place in ends:
        consumer.seek(place, beginnings[place] if at is None else at)
    return ends
