"""Dead letters back to their sources, each once.

The originals and a marker for each of them are written in one transaction, and what has a marker is not sent again.
There is one producer for this in an application: starting it ends what an earlier run had begun, and refuses what that
run may still try. So the markers are read after it has started, and they are complete.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition

from journey_stream.events.times import HOUR_MS, rfc3339
from journey_stream.worker.clients import close_consumer, partition_consumer
from journey_stream.worker.committed import STALL_SECONDS_MAX, committed_records
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import Fenced, Uncertain, WorkerError
from journey_stream.worker.fencing import TaskProducer
from journey_stream.worker.found_letters import FoundLetter, Wanted, message_of, obstacle, read_letter
from journey_stream.worker.outbox import Message, Place, Row, message_bytes
from journey_stream.worker.rights import LETTERS_PART
from journey_stream.worker.topic_checks import TopicState

MARKERS_PARTITION = 0
CHUNK_LETTERS = 500
CHUNK_BYTES = 4 * 1024 * 1024
RETENTION_MARGIN_MS = HOUR_MS
"""A router that reads a source must have so much time before the broker deletes what was written to it."""


class Seen(NamedTuple):
    """A letter that is meant, and why it cannot be sent (again): None if it can. `replayed_at` is when it was sent."""

    letter: FoundLetter
    obstacle: str | None
    replayed_at: str | None


class Outcome(NamedTuple):
    """What a replay has done: letters sent by source, how many had been sent before, and those that cannot be.

    `sent` counts what is committed, or with a dry run what would be.
    """

    sent: Counter[str]
    already: int
    unsent: list[Seen]


class Letters:
    """`async with Letters(settings, states) as letters`; `states` are the topics as the broker describes them.

    Joins no group and writes nothing. Raises KafkaError, and Uncertain if a broker stops to deliver.
    """

    def __init__(self, settings: Settings, states: dict[str, TopicState]) -> None:
        self._settings = settings
        self._states = states
        self._consumer: AIOKafkaConsumer = partition_consumer(settings)
        for topic in (settings.topics.dead_letters, settings.topics.replayed):
            if topic not in states:
                raise WorkerError(f"no topic {topic}; create it with: journey-stream topics create")

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await close_consumer(self._consumer)

    async def replayed(self) -> dict[str, str]:
        """When each original was sent again (RFC 3339), as far as that is committed."""
        found = {}
        async for record in committed_records(self._consumer, self._settings.topics.replayed, [MARKERS_PARTITION]):
            if record.key is not None and record.value is not None:
                found[record.key.decode()] = str(json.loads(record.value)["replayed_at"])
        return found

    async def require_settled_markers(self) -> None:
        """Raise Uncertain if markers are written that are neither committed nor aborted; only the replay writes any."""
        place = TopicPartition(self._settings.topics.replayed, MARKERS_PARTITION)
        self._consumer.assign([place])
        self._consumer.seek(place, (await self._consumer.end_offsets([place]))[place])
        deadline = time.monotonic() + STALL_SECONDS_MAX
        while self._consumer.highwater(place) is None:
            await self._consumer.getmany(place, timeout_ms=500, max_records=1)
            if time.monotonic() > deadline:
                raise Uncertain(f"{place.topic} gives no answer")
        stable, written = self._consumer.last_stable_offset(place), self._consumer.highwater(place)
        if stable is not None and 0 <= stable < written:
            raise Uncertain(f"{place.topic} ends with a transaction that the broker has not ended")

    async def matching(self, wanted: Wanted, replayed: dict[str, str], *, now: bool = False) -> AsyncIterator[Seen]:
        """The letters that are meant; those of a partition in order. `now` is for a replay with new timestamps."""
        topic = self._settings.topics.dead_letters
        async for record in committed_records(self._consumer, topic, range(self._states[topic].partitions)):
            letter = read_letter(record)
            if wanted.fits(letter):
                yield self._seen(letter, replayed, now=now)

    async def one(self, partition: int, offset: int) -> Seen | None:
        """The letter at a position, if there is one."""
        topic = self._settings.topics.dead_letters
        if partition >= self._states[topic].partitions:
            return None
        replayed = await self.replayed()
        async for record in committed_records(self._consumer, topic, [partition], at=offset):
            return self._seen(read_letter(record), replayed, now=False)
        return None

    def _seen(self, letter: FoundLetter, replayed: dict[str, str], *, now: bool) -> Seen:
        why = obstacle(letter, self._settings.inputs, self._settings.topics.log) or self._does_not_keep(letter, now=now)
        return Seen(letter, why, replayed.get(letter.original or ""))

    def _does_not_keep(self, letter: FoundLetter, *, now: bool) -> str | None:
        """Why its source would not take the original, or delete it before a router can read it."""
        assert letter.source is not None
        state = self._states.get(letter.source.topic)
        if state is None:
            return f"came from {letter.source.topic}, which does not exist"
        size = message_bytes(message_of(letter, timestamp=None))
        if size > state.number("max.message.bytes"):
            return f"takes {size} bytes uncompressed, more than {state.name} accepts"
        kept = state.number("retention.ms")
        if now or letter.timestamp is None or kept < 0:
            return None
        if letter.timestamp + kept - RETENTION_MARGIN_MS < _now_ms():
            return f"is older than {state.name} keeps records: raise its retention.ms, or send it with --now"
        return None


async def replay_letters(
    settings: Settings,
    states: dict[str, TopicState],
    wanted: Wanted,
    *,
    limit: int | None = None,
    now: bool = False,
    dry_run: bool = False,
) -> Outcome:
    """Send what is meant, and was not sent before, to its source again; at most `limit` letters.

    The original's partition, key, value and headers stay, and its timestamp does unless `now`. With `dry_run` nothing
    is written, and the outcome says what would be.

    Raises WorkerError, if another replay has taken over or nobody knows how a transaction ended, and KafkaError.
    """
    producer = TaskProducer(settings, LETTERS_PART)
    outcome = Outcome(Counter(), 0, [])
    run = _Run(settings, states, outcome.sent, None if dry_run else producer, now=now)
    try:
        async with Letters(settings, states) as letters:
            if not dry_run:
                await producer.open()
                await _settle(producer, letters, settings)
            replayed = await letters.replayed()
            async for seen in letters.matching(wanted, replayed, now=now):
                if seen.replayed_at is not None:
                    outcome = outcome._replace(already=outcome.already + 1)
                elif seen.obstacle is not None:
                    outcome.unsent.append(seen._replace(letter=seen.letter._replace(value=None)))
                elif limit is None or run.count < limit:
                    await run.send(seen.letter, replayed)
            await run.commit()
            await producer.close()
            return outcome
    except Fenced as error:
        raise WorkerError(
            f"Another replay of {settings.application_id} has started and goes on with what this one has not sent "
            f"({outcome.sent.total()} were). Nothing is sent twice."
        ) from error
    except Uncertain as error:
        raise WorkerError(
            f"The replay ended early, after {outcome.sent.total()} letters: {error}. Run it again: it goes on with "
            "those that were not sent, and sends none twice."
        ) from error
    finally:
        await producer.abandon()


class _Run:
    """Collects letters, and writes them in transactions; with no `producer` it only counts them in `sent`."""

    def __init__(
        self,
        settings: Settings,
        states: dict[str, TopicState],
        sent: Counter[str],
        producer: TaskProducer | None,
        *,
        now: bool,
    ) -> None:
        self.count = 0
        self._markers = settings.topics.replayed
        self._states = states
        self._sent = sent
        self._producer = producer
        self._now = now
        self._bytes = 0
        self._queues: dict[Place, list[Row]] = {}
        self._waiting: Counter[str] = Counter()

    async def send(self, letter: FoundLetter, replayed: dict[str, str]) -> None:
        """Send one letter with its marker, at the latest at the next `commit`, and note it in `replayed`."""
        source, original = letter.source, letter.original
        assert source is not None
        assert original is not None
        at = rfc3339(_now_ms())
        replayed[original] = at
        self.count += 1
        self._waiting[source.topic] += 1
        marker = json.dumps({"replayed_at": at, "dead_letter": letter.position}).encode()
        partition = source.partition % self._states[source.topic].partitions
        self._add((source.topic, partition), message_of(letter, timestamp=None if self._now else letter.timestamp))
        self._add((self._markers, MARKERS_PARTITION), Message(original.encode(), marker))
        if self._waiting.total() >= CHUNK_LETTERS or self._bytes >= CHUNK_BYTES:
            await self.commit()

    async def commit(self) -> None:
        """Write what waits, in one transaction."""
        if self._waiting and self._producer is not None:
            await self._producer.commit(self._queues)
        self._sent.update(self._waiting)
        self._waiting.clear()
        self._queues, self._bytes = {}, 0

    def _add(self, place: Place, message: Message) -> None:
        self._queues.setdefault(place, []).append(message)
        self._bytes += message_bytes(message)


async def _settle(producer: TaskProducer, letters: Letters, settings: Settings) -> None:
    """See to it that every marker counts or never will; a broker can lose the end of a transaction."""
    try:
        await letters.require_settled_markers()
    except Uncertain:
        places = [(settings.topics.replayed, MARKERS_PARTITION)]
        await producer.abort_hanging(places)
        await letters.require_settled_markers()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
