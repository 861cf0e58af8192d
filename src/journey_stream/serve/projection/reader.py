"""Reads the topics from where the store is, in no group: the store alone says what it contains."""

import logging
import time
from collections.abc import Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from journey_stream.serve.projection.gathering import FOLLOWED, Gathering
from journey_stream.worker.broker_errors import TopicsUnusable
from journey_stream.worker.clients import FETCH_WAIT_MS_OF_MANY, close_consumer, partition_consumer
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import Uncertain, WorkerError
from journey_stream.worker.rights_check import require_rights
from journey_stream.worker.topic_checks import Problem
from journey_stream.worker.topics import topic_states

FETCHED_MAX: Final = 16
"""So many Kafka batches are taken over at once, each up to some thousand records."""

STALL_SECONDS_MAX: Final = 60.0

_log = logging.getLogger(__name__)

Offsets = dict[tuple[str, int], int]


async def followed_partitions(settings: Settings) -> dict[str, int]:
    """How many partitions each followed topic has. Raises BrokerError: unreachable, not permitted or missing."""
    await require_rights(settings, "serve")
    names = [str(getattr(settings.topics, name)) for name in FOLLOWED]
    states = await topic_states(settings, names)
    if absent := [name for name in names if name not in states]:
        remedy = (
            "Create it with journey-stream topics create, or set topic_prefix to that of the workers; a topic that one "
            "may not describe looks the same: that takes the permission Describe"
        )
        raise TopicsUnusable([Problem(name, "error", "does not exist", f"{remedy}.") for name in absent])
    return {name: states[name].partitions for name in names}


class Reader:
    """One consumer over all partitions; for one life of the projection."""

    def __init__(self, settings: Settings, partitions: Mapping[str, int], gathering: Gathering) -> None:
        self._erasures = settings.topics.erasures
        self._gathering = gathering
        self._places = [TopicPartition(topic, number) for topic in partitions for number in range(partitions[topic])]
        self._consumer: AIOKafkaConsumer = partition_consumer(
            settings, packed=True, fetch_max_wait_ms=FETCH_WAIT_MS_OF_MANY
        )

    async def open(self, stored: Offsets) -> None:
        """Begin at these offsets, and where there are none at the beginning. Reads all erasures that there are.

        Raises KafkaError, WorkerError where the store is not of these topics, Uncertain after a stall.
        """
        consumer = self._consumer
        await consumer.start()
        first = await consumer.beginning_offsets(self._places)
        last = await consumer.end_offsets(self._places)
        starts = {place: self._start(place, stored, first[place], last[place]) for place in self._places}
        erasures = [place for place in self._places if place.topic == self._erasures]
        # Before anything that is erased can come, it must be known to be.
        await self._assign(erasures, starts)
        moved, before = time.monotonic(), -1
        while (at := sum([await consumer.position(place) for place in erasures])) < sum(last[one] for one in erasures):
            if at > before:
                moved, before = time.monotonic(), at
            elif time.monotonic() - moved > STALL_SECONDS_MAX:
                raise Uncertain(f"{self._erasures} delivers nothing, before its end")
            await self.read(200)
        for place in erasures:
            starts[place] = await consumer.position(place)
        await self._assign(self._places, starts)

    async def read(self, timeout_ms: int) -> bool:
        """Hand over what has come, or comes within this time. Returns whether there is probably more."""
        found = await self._consumer.getmany(timeout_ms=timeout_ms, max_records=FETCHED_MAX)
        for place, packed in found.items():
            for records in packed:
                self._gathering.add(place.topic, place.partition, records)
        return sum(map(len, found.values())) >= FETCHED_MAX

    async def note_positions(self) -> None:
        """Note how far everything that was handed over reaches."""
        for place in self._consumer.assignment():
            self._gathering.passed(place.topic, place.partition, await self._consumer.position(place))

    async def close(self) -> None:
        await close_consumer(self._consumer)

    async def _assign(self, places: list[TopicPartition], starts: Mapping[TopicPartition, int]) -> None:
        self._consumer.assign(places)
        for place in places:
            self._consumer.seek(place, starts[place])

    def _start(self, place: TopicPartition, stored: Offsets, first: int, last: int) -> int:
        at = stored.get((place.topic, place.partition))
        if at is None:
            return first
        if at > last:
            raise WorkerError(
                f"{place.topic}[{place.partition}] ends at offset {last}, and the store has read it up to {at}: the "
                "topic was made anew, or these are other brokers. Start with --rebuild to read everything again, or "
                "name another database with --database."
            )
        if at < first:
            _log.warning(
                "%s[%d]: offsets %d to %d are gone before they were read, because of the topic's retention; going on "
                "at offset %d. What was told there is missing from the map.",
                *(place.topic, place.partition, at, first - 1, first),
            )
            self._gathering.missed()
            return first
        return at
