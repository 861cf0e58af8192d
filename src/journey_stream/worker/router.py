"""The router: from the sources to the owner's partition of the log. At least once, and without any state to lose.

What it writes twice, after a crash or a rebalance, has the same event_id, and the engine ignores it. So offsets are
committed only for what the log has acknowledged, and nothing has to be locked against a rebalance. A touchpoint and the
links that it brings go to several partitions; its offset counts once all of them are acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import ConsumerStoppedError, IllegalOperation, IllegalStateError, KafkaError
from aiokafka.record.default_records import DefaultRecord

from journey_stream.events.identifiers import Policy
from journey_stream.worker.building import Batches
from journey_stream.worker.clients import (
    FETCH_WAIT_MS_OF_MANY,
    REST_SECONDS,
    abandon_producer,
    close_consumer,
    close_producer,
    group_consumer,
    idempotent_producer,
)
from journey_stream.worker.config import Settings, TopicNames
from journey_stream.worker.erasure_feed import ErasureFeed
from journey_stream.worker.erasure_key import erasure_key_of
from journey_stream.worker.errors import PERMISSION_ERRORS, WorkerError, not_permitted
from journey_stream.worker.fencing import send_batches
from journey_stream.worker.health import SILENCE_SECONDS_MAX
from journey_stream.worker.lives import Pauses, live_until, settle
from journey_stream.worker.logs import speak_as
from journey_stream.worker.merge import Merge, Run, next_offsets
from journey_stream.worker.metrics import Metrics
from journey_stream.worker.packed import PACKED, Packed
from journey_stream.worker.progress import Progress
from journey_stream.worker.routing import Routed, Routing

if TYPE_CHECKING:
    from journey_stream.worker.spans import Spans, TracedRouting

POLL_MS = 200
SLICE_RECORDS = 4_000
STRIDE_RECORDS = 400
COMMIT_SECONDS = 0.5
WAIT_FOR_A_PARTITION_SECONDS = 1.0

STOP_SECONDS_MAX = 15.0

_Run = Run[TopicPartition, DefaultRecord]

_log = logging.getLogger(__name__)


class Router(ConsumerRebalanceListener):  # type: ignore[misc]
    """Routes the source partitions that the group gives to this worker until `stop`."""

    def __init__(self, settings: Settings, metrics: Metrics, policy: Policy, spans: Spans | None = None) -> None:
        self._spans = spans
        self._settings = settings
        self._policy = policy
        self._metrics = metrics
        self._stopping = asyncio.Event()
        self._merge = _new_merge()
        self._waiting = 0
        """How many records are known to wait at the brokers."""
        self._generation = 0
        self._new_assignment = False
        self._progress = Progress()
        self._committed_at = 0.0
        self._consumer: AIOKafkaConsumer | None = None
        self._joined = False
        metrics.expect(settings.sources)

    def stop(self) -> None:
        """Finish what is being written, commit, leave the group, end `run`."""
        self._stopping.set()

    def unready(self) -> list[str]:
        """Why it routes nothing; empty if it does, or would if the group had given it partitions.

        It does not fetch while a write is not acknowledged, so that is a silence too.
        """
        if self._stopping.is_set():
            return ["router: stopping"]
        consumer = self._consumer
        if consumer is None or not self._joined:
            return [f"router: not in the group {self._settings.router_group}"]
        answers = [consumer.last_poll_timestamp(partition) or 0 for partition in consumer.assignment()]
        if not answers:
            return []
        if not (heard_at_ms := max(answers)):
            return ["router: waiting for the first answer of the broker"]
        silent_seconds = time.time() - heard_at_ms / 1000
        if silent_seconds <= SILENCE_SECONDS_MAX:
            return []
        return [f"router: neither fetched nor written for {silent_seconds:.0f} s"]

    async def run(self) -> None:
        """Raises WorkerError if only a person can help."""
        speak_as("router")
        pauses = Pauses()
        while not self._stopping.is_set():
            pauses.born()
            try:
                await live_until(
                    self._stopping,
                    self._live,
                    worth_finishing=lambda: self._consumer is not None,
                    seconds_max=STOP_SECONDS_MAX,
                )
            except PERMISSION_ERRORS as error:
                raise not_permitted(error, self._settings) from error
            except UnicodeDecodeError as error:
                where = ", ".join(getattr(error, "__notes__", ()))
                raise WorkerError(
                    f"A source record cannot be read, because the name of one of its headers is not UTF-8 ({where}). "
                    f"Have the producer mended, and move the group {self._settings.router_group} past the record: "
                    "kafka-consumer-groups.sh --reset-offsets"
                ) from error
            except (KafkaError, IllegalOperation, ConsumerStoppedError, TimeoutError, OSError) as error:
                self._metrics.restarts.labels("router").inc()
                pause = pauses.died()
                _log.warning("router: starting again in %.1f s: %s", pause, error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause)

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Tell the group how far the log has it, so that the next owner repeats as little as possible."""
        if self._consumer is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._commit(self._consumer), STOP_SECONDS_MAX / 5)
        self._generation += 1
        self._progress = Progress()
        self._merge.clear()
        for partition in revoked:
            self._metrics.forget_lag(partition.topic, partition.partition)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:  # noqa: ARG002
        """Start with empty buffers."""
        self._merge = _new_merge()
        self._new_assignment = self._joined = True

    async def _live(self) -> None:
        producer = idempotent_producer(self._settings)
        consumer = group_consumer(
            self._settings,
            self._settings.router_group,
            value_deserializer=PACKED,
            fetch_max_wait_ms=FETCH_WAIT_MS_OF_MANY,
        )
        feed = ErasureFeed(self._settings, erasure_key_of(self._settings))
        following: asyncio.Task[None] | None = None
        try:
            await producer.start()
            letter_partitions = len(await producer.partitions_for(self._settings.topics.dead_letters))
            # It remembers what it has written, so it must not outlive a write that failed.
            # Who is erased has to be known before the first record of a source, or a replay brings them back.
            await feed.open()
            following = asyncio.create_task(feed.follow())
            untraced = Routing(self._settings, letter_partitions, self._policy, feed.erasures)
            routing = untraced if self._spans is None else self._spans.of_router(self._settings, untraced)
            consumer.subscribe(list(self._settings.inputs), listener=self)
            await consumer.start()
            self._consumer = consumer
            await self._work(consumer, producer, routing, following)
            await close_producer(producer)
        finally:
            self._consumer, self._joined = None, False
            self._progress = Progress()
            await close_consumer(consumer)
            await abandon_producer(producer)
            if following is not None:
                following.cancel()
                await asyncio.wait({following})
            await feed.close()

    async def _work(
        self,
        consumer: AIOKafkaConsumer,
        producer: AIOKafkaProducer,
        routing: Routing | TracedRouting,
        following: asyncio.Task[None],
    ) -> None:
        """Fetch and route while the slice before is being acknowledged."""
        writing: asyncio.Task[None] | None = None
        slice_: _Slice | None = None
        try:
            while not self._stopping.is_set():
                if following.done():
                    following.result()
                # While there is work, what has come meanwhile is taken over after each slice: aiokafka asks for more
                # only then.
                await self._fetch(consumer, POLL_MS if slice_ is None else 0)
                slice_ = await self._route(producer, routing)
                if writing is not None and (slice_ is not None or writing.done()):
                    await writing
                    writing = None
                if slice_ is not None:
                    writing = asyncio.create_task(self._write(producer, slice_))
                    if slice_.records + self._waiting < STRIDE_RECORDS:
                        await asyncio.sleep(REST_SECONDS)
                if time.monotonic() - self._committed_at >= COMMIT_SECONDS:
                    await self._commit(consumer)
            if writing is not None:
                await writing
            await self._commit(consumer)
        finally:
            if writing is not None:
                await settle(writing)

    async def _report_lost(self, consumer: AIOKafkaConsumer) -> None:
        """Say so when records were deleted before they were routed: aiokafka just goes on with what is left."""
        assigned = consumer.assignment()
        for partition, beginning in (await consumer.beginning_offsets(assigned)).items() if assigned else ():
            committed = await consumer.committed(partition)
            if committed is not None and committed < beginning:
                self._metrics.lost.labels(partition.topic).inc(beginning - committed)
                _log.error(
                    "%s[%d]: offsets %d to %d were deleted before they were routed; raise its retention",
                    *(partition.topic, partition.partition, committed, beginning - 1),
                )

    async def _fetch(self, consumer: AIOKafkaConsumer, poll_ms: int) -> None:
        if self._new_assignment:
            self._new_assignment = False
            await self._report_lost(consumer)
        fetched = await consumer.getmany(timeout_ms=poll_ms)
        now, now_ms = time.monotonic(), time.time_ns() // 1_000_000
        merge = self._merge
        for partition, records in fetched.items():
            merge.add(partition, records, now=now, now_ms=now_ms)
        paused = consumer.paused()
        self._waiting = 0
        for partition in consumer.assignment():
            end = consumer.last_stable_offset(partition)
            if end is None:
                merge.lags(partition, True, now=now)  # nothing is known yet
                continue
            at: int = await consumer.position(partition)
            merge.lags(partition, at < end, now=now)
            self._waiting += end - at
            self._progress.fetched(partition, fetched.get(partition), at)
            # Pausing right after a fetch costs nothing: aiokafka has not asked for the next one yet.
            if merge.is_full(partition) and partition not in paused:
                consumer.pause(partition)
            elif partition in paused and not merge.is_full(partition):
                consumer.resume(partition)
            if (newest := fetched.get(partition)) or at >= end:
                self._report_lag(partition, end - at + merge.buffered(partition), newest, now_ms)

    async def _route(self, producer: AIOKafkaProducer, routing: Routing | TracedRouting) -> _Slice | None:
        """Route what is buffered, up to a slice of it; None if nothing is to be routed.

        In strides, between which the event loop sends what is being written and receives what comes next. A rebalance
        in between ends the slice.
        """
        made = _Slice(self._generation)
        started = time.perf_counter()
        while made.records < SLICE_RECORDS and made.generation == self._generation:
            now_ms = time.time_ns() // 1_000_000
            runs = self._merge.take(STRIDE_RECORDS, now=time.monotonic(), now_ms=now_ms)
            if not runs:
                break
            made.route(runs, routing, producer, self._settings.topics, now_ms)
            made.seconds += time.perf_counter() - started
            await asyncio.sleep(0)
            started = time.perf_counter()
        if not made.ends:
            return None
        self._metrics.batch_seconds.labels("router").observe(made.seconds)
        self._metrics.batch_records.labels("router").observe(made.records)
        return made

    async def _write(self, producer: AIOKafkaProducer, made: _Slice) -> None:
        await send_batches(producer, [(*where, batches.built()) for where, batches in made.batches.items()])
        if made.generation == self._generation:
            self._progress.acknowledged(made.ends)
        self._count(made.routed)

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        self._committed_at = time.monotonic()
        progress = self._progress
        if offsets := progress.to_commit():
            # Refused in a rebalance: then somebody routes these records once more.
            with contextlib.suppress(KafkaError, IllegalStateError):
                await consumer.commit(offsets)
                progress.committed(offsets)

    def _count(self, routed: Routed) -> None:
        metrics, topics = self._metrics, self._settings.topics
        for topic, count in routed.admitted.items():
            metrics.records_in.labels(topic, "admitted").inc(count)
        for kind, count in routed.written.items():
            metrics.records_out.labels(topics.log, kind).inc(count)
        for topic, count in routed.erased.items():
            metrics.records_in.labels(topic, "erased").inc(count)
            metrics.erased_touchpoints.labels("router").inc(count)
        for (topic, reason), count in routed.refused.items():
            metrics.records_in.labels(topic, "refused").inc(count)
            metrics.records_out.labels(topics.dead_letters, "dead_letter").inc(count)
            metrics.dead_letters.labels("router", reason.value).inc(count)

    def _report_lag(self, partition: TopicPartition, behind: int, fetched: list[Packed] | None, now_ms: int) -> None:
        if fetched:
            self._metrics.lag(
                partition.topic, partition.partition, behind, (now_ms - fetched[-1].newest_at) / 1000 if behind else 0.0
            )
        elif not behind:
            self._metrics.lag(partition.topic, partition.partition, 0, 0.0)


class _Slice:
    """What is routed and written in one go: Kafka batches in the making, and the offsets that follow on its records."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.records = 0
        self.seconds = 0.0
        self.ends: dict[TopicPartition, int] = {}
        self.routed = Routed.none()
        self.batches: dict[tuple[str, int], Batches] = {}

    def route(
        self,
        runs: list[_Run],
        routing: Routing | TracedRouting,
        producer: AIOKafkaProducer,
        topics: TopicNames,
        now_ms: int,
    ) -> None:
        """Route runs of records that follow on those before."""
        routed = self.routed
        for partition, records, _ in runs:
            routing.route(partition.topic, partition.partition, records, now_ms, routed)
            self.records += len(records)
        self.ends |= next_offsets(runs)
        for topic, queues in ((topics.log, routed.log), (topics.dead_letters, routed.dead_letters)):
            for number, messages in queues.items():
                batches = self.batches.get((topic, number))
                if batches is None:
                    batches = self.batches[topic, number] = Batches(producer.create_batch)
                batches.add(messages)
                messages.clear()


def _new_merge() -> Merge[TopicPartition, DefaultRecord]:
    return Merge(wait_seconds=WAIT_FOR_A_PARTITION_SECONDS)
