"""One task: the state machine of one log partition, run exactly once.

A life of a task: open the producer (which fences the former owner), restore state and position, then read, compute and
commit batch after batch. Whatever goes wrong ends the life and everything in memory with it, and a new one begins after
a pause: memory may be ahead of the log, and only the changelog knows what was committed.

The task has a consumer of its own that is in no group. So it neither stops for a rebalance nor can it skip a record
in one, and there is nothing to lock: the group only says which tasks a worker should run.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from itertools import chain, islice
from typing import TYPE_CHECKING, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from aiokafka.record.default_records import DefaultRecord

from journey_stream.engine.partition import Partition, StateMismatch
from journey_stream.worker.batch import Batch, Processor
from journey_stream.worker.clients import REST_SECONDS, close_consumer, partition_consumer
from journey_stream.worker.commits import Commits
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import PERMISSION_ERRORS, Fenced, Hanging, Uncertain, WorkerError, not_permitted
from journey_stream.worker.fencing import TaskProducer
from journey_stream.worker.health import SILENCE_SECONDS_MAX
from journey_stream.worker.lives import Pauses, live_until
from journey_stream.worker.logs import speak_as
from journey_stream.worker.metrics import Metrics
from journey_stream.worker.outbox import Outbox
from journey_stream.worker.restore import restore
from journey_stream.worker.task_report import TaskReport
from journey_stream.worker.ticking import Ticking, now_ms

if TYPE_CHECKING:
    from journey_stream.worker.spans import TaskSpans

STRIDE_RECORDS = 200
"""A stride of computing takes two milliseconds or so. A transaction is several requests, one after another: without
such pauses each would wait until some other task has computed its whole batch."""

POLL_MS_GROWING = 10
"""How long to wait for more records while a batch may grow."""

STOP_SECONDS_MAX = 20.0
"""How long the last commit may take after `stop`; what it leaves undone the next owner does."""

_log = logging.getLogger(__name__)


class Group(Protocol):
    """What a task asks of the group that its worker is a member of."""

    async def tick(self, partition: int, at_ms: int) -> int:
        """Append a tick to the log partition and return its offset."""
        ...

    async def still_ours(self, partition: int, next_offset: int | None) -> bool:
        """Whether the group, as of now, wants this worker to run the task. It is told the next offset, if known."""
        ...

    async def reported(self, partition: int) -> int:
        """The next offset that the group was last told for the task; 0 for none."""
        ...


class State(StrEnum):
    """What a task is doing; a label of the metrics."""

    RESTORING = "restoring"
    RUNNING = "running"
    WAITING = "waiting"
    STOPPED = "stopped"


class Task:
    """Runs partition `partition` until `stop`.

    `make_engine` makes an empty state machine, `frames` is for its `Outbox`, and `spans` is there if it is traced.
    """

    def __init__(
        self,
        settings: Settings,
        partition: int,
        metrics: Metrics,
        *,
        make_engine: Callable[[], Partition],
        group: Group,
        frames: Mapping[str, bytes] | None = None,
        spans: TaskSpans | None = None,
    ) -> None:
        self.partition = partition
        self.position: int | None = None
        """The next offset as far as it is committed; None until then."""
        self.state = State.WAITING
        self._settings = settings
        self._report = TaskReport(metrics, settings.topics, partition, ticks=settings.ticks)
        self._make_engine = make_engine
        self._group = group
        self._log_tp = TopicPartition(settings.topics.log, partition)
        self._changelog_tp = TopicPartition(settings.topics.state, partition)
        self._applied_at = 0
        self._computed_seconds = 0.0
        self._heard_at_ms = 0
        """When the broker last answered a fetch of this life."""
        self._fetched: Iterator[DefaultRecord] = iter(())
        """What is left of the last fetch, to be unpacked one by one."""
        self._fetched_to = 0
        """The offset behind the last fetch, which may be further than behind its last record."""
        self._stopping = asyncio.Event()
        self._outbox = Outbox(settings, partition, frames)
        self._spans = spans

    def stop(self) -> None:
        """Finish and commit the batch at hand, then end `run`."""
        self._stopping.set()

    async def run(self) -> None:
        """Live until `stop`. Raises WorkerError if only a person can help."""
        speak_as("task", self.partition)
        pauses = Pauses()
        while not self._stopping.is_set():
            pauses.born()
            try:
                await live_until(
                    self._stopping,
                    self._live,
                    worth_finishing=lambda: self.state is not State.RESTORING,
                    seconds_max=STOP_SECONDS_MAX,
                )
            except PERMISSION_ERRORS as error:
                raise not_permitted(error, self._settings) from error
            except (OffsetOutOfRangeError, StateMismatch) as error:
                raise self._for_a_person(error) from error
            except (Fenced, Uncertain, KafkaError, TimeoutError, OSError) as error:
                self._report.restarting()
                _log.warning("task %d: starting again: %s", self.partition, error)
                await self._wait_for_the_group(pauses.died())
        self.state = State.STOPPED

    def unready(self) -> str | None:
        """Why it is not doing its work; None if it is.

        What it computes it commits before it fetches again, so a commit that hangs is a silence too.
        """
        if self.state is not State.RUNNING:
            return self.state.value
        if not self._heard_at_ms:
            return "waiting for the first answer of the broker"
        silent_seconds = (now_ms() - self._heard_at_ms) / 1000
        return (
            f"neither fetched nor committed for {silent_seconds:.0f} s"
            if silent_seconds > SILENCE_SECONDS_MAX
            else None
        )

    async def _live(self) -> None:
        self.state = State.RESTORING
        self._heard_at_ms = 0
        producer = TaskProducer(self._settings, self.partition)
        consumer: AIOKafkaConsumer | None = None
        try:
            await producer.open()
            processor = await self._restored_by(producer)
            consumer = await self._log_consumer(processor.next_offset)
            self.state = State.RUNNING
            await self._work(consumer, producer, processor)
            await producer.close()
        finally:
            self.state = State.WAITING
            if self._spans is not None:
                self._spans.thrown_away()
            await producer.abandon()
            if consumer is not None:
                await close_consumer(consumer)

    async def _restored_by(self, producer: TaskProducer) -> Processor:
        """State and position, after the end of any transaction that the broker has left open."""
        try:
            return await self._restored()
        except Hanging as error:
            _log.warning(
                "task %d: %s: the broker has lost its end, which happens when all replicas of a partition are down. It "
                "is aborted, and its batch is computed again",
                *(self.partition, error),
            )
            await producer.abort_hanging(self._outbox.places())
        try:
            return await self._restored()
        except Hanging as error:
            raise Uncertain(f"it could not be aborted: {error}") from error

    async def _restored(self) -> Processor:
        started = time.monotonic()
        consumer = partition_consumer(self._settings)
        engine = self._make_engine()
        try:
            await consumer.start()
            position, count = await restore(consumer, self._changelog_tp, engine, self._settings.partitions)
            if position is None:
                await self._require_new()
                next_offset = (await consumer.beginning_offsets([self._log_tp]))[self._log_tp]
            else:
                next_offset = self.position = position.next_offset
        finally:
            await close_consumer(consumer)
        seconds = time.monotonic() - started
        self._report.restored(count, seconds)
        self._report.state(engine)
        _log.info(
            "task %d: %d state records of %d profiles restored in %.2f s, continuing at offset %d",
            *(self.partition, count, engine.profiles, seconds, next_offset),
        )
        if engine.parameters_before is not None:
            _log.warning(
                "task %d: churn risk was scored with other parameters (%s) before; %d profiles are scored anew, spread "
                "over an hour of the log's time",
                *(self.partition, engine.parameters_before, engine.to_rescore),
            )
        return Processor(engine, self._log_tp.topic, self.partition, next_offset)

    async def _require_new(self) -> None:
        """An empty changelog is right for a new task only. For any other, a start from nothing would repeat it all."""
        if self.position is None and not await self._group.reported(self.partition):
            return
        group = self._settings.tasks_group
        raise WorkerError(
            f"{self._changelog_tp.topic}[{self.partition}] holds no state, but the group {group} has been told of "
            "progress. If the topic was deleted by mistake, bring it back. To start anew on purpose, delete the group "
            f"as well: kafka-consumer-groups.sh --delete --group {group}"
        )

    async def _log_consumer(self, next_offset: int) -> AIOKafkaConsumer:
        consumer = partition_consumer(self._settings, packed=True)
        try:
            await consumer.start()
            consumer.assign([self._log_tp])
            consumer.seek(self._log_tp, next_offset)
        except BaseException:
            await close_consumer(consumer)
            raise
        return consumer

    async def _work(self, consumer: AIOKafkaConsumer, producer: TaskProducer, processor: Processor) -> None:
        """Gather the next batch while the one before it commits; a failure of either is the end of both."""
        commits = Commits()
        stored = self._fetched_to = processor.next_offset
        self._fetched, self._computed_seconds = iter(()), 0.0
        ticking = Ticking(self._settings.ticks)
        count, count_max = 0, self._settings.batch_records_max
        try:
            while not self._stopping.is_set():
                poll_ms = POLL_MS_GROWING if count or commits.under_way else ticking.poll_ms(processor)
                applied = await self._gather(consumer, processor, poll_ms, count_max - count)
                count += applied
                if count < count_max and commits.may_grow(count, (now_ms() - self._applied_at) / 1000):
                    if applied + self._behind(consumer, processor) < STRIDE_RECORDS:
                        await asyncio.sleep(REST_SECONDS)
                    continue
                await commits.end()
                applied_at = self._applied_at if count else None
                # Where nothing but ends of transactions has come, and the position is left alone, it stays behind them
                # for as long as the log is quiet: lag tools never come to 0, and retention may overtake it.
                if count or processor.next_offset > stored:
                    batch = self._finish(processor, count)
                    count, stored = 0, batch.next_offset
                    commits.begin(self._commit(producer, batch))
                elif self._is_quiet(consumer, processor) and ticking.due(processor):
                    await self._send_tick(ticking)
                self._report.progress(processor.engine, self._behind(consumer, processor), applied_at)
            await commits.end()
            if count:
                await self._commit(producer, self._finish(processor, count))
        finally:
            await commits.settle()

    async def _send_tick(self, ticking: Ticking) -> None:
        try:
            ticking.sent(await self._group.tick(self.partition, now_ms()))
        except (KafkaError, TimeoutError, OSError) as error:
            _log.warning("task %d: no tick could be written, time stands still: %s", self.partition, error)
            ticking.sent(-1)

    async def _gather(self, consumer: AIOKafkaConsumer, processor: Processor, poll_ms: int, count_max: int) -> int:
        """Apply what has been fetched, or else what the next fetch brings; return how many records there were."""
        applied = await self._apply(processor, count_max)
        if not applied:
            found = await consumer.getmany(self._log_tp, timeout_ms=poll_ms)
            self._fetched_to = await consumer.position(self._log_tp)
            self._heard_at_ms = consumer.last_poll_timestamp(self._log_tp) or 0
            self._fetched = chain.from_iterable(found.get(self._log_tp, ()))
            applied = await self._apply(processor, count_max)
        return applied

    async def _apply(self, processor: Processor, count_max: int) -> int:
        """Apply up to so many of the fetched records, and return how many there were.

        In strides, between which the event loop sends and receives for everybody else.
        """
        count = 0
        while count < count_max:
            started = time.perf_counter()
            stride = list(islice(self._fetched, min(STRIDE_RECORDS, count_max - count)))
            if not stride:
                processor.passed(self._fetched_to)
                break
            processor.apply(stride if self._spans is None else self._spans.begun(stride))
            count += len(stride)
            self._applied_at = stride[-1].timestamp
            self._computed_seconds += time.perf_counter() - started
            await asyncio.sleep(0)
        return count

    def _finish(self, processor: Processor, count: int) -> Batch:
        """The batch of the last `count` records."""
        started = time.perf_counter()
        batch = processor.finish()
        seconds, self._computed_seconds = self._computed_seconds + time.perf_counter() - started, 0.0
        if count:
            self._report.computed(count, seconds)
        return batch

    async def _commit(self, producer: TaskProducer, batch: Batch) -> None:
        messages = self._outbox.messages(batch)
        started = time.perf_counter()
        try:
            await producer.commit(messages)
        except (Fenced, Uncertain) as error:
            self._report.aborted("fenced" if isinstance(error, Fenced) else "uncertain")
            raise
        self.position = batch.next_offset
        if self._spans is not None:
            self._spans.committed(batch)
        self._report.committed(batch, messages, time.perf_counter() - started)

    def _behind(self, consumer: AIOKafkaConsumer, processor: Processor) -> int:
        """How many offsets are known to be still to come."""
        return max(0, (consumer.highwater(self._log_tp) or 0) - processor.next_offset)

    def _is_quiet(self, consumer: AIOKafkaConsumer, processor: Processor) -> bool:
        """Whether nothing waits in the log, not even in a transaction that is open: what it brings comes first."""
        return bool(consumer.highwater(self._log_tp) == processor.next_offset)

    async def _wait_for_the_group(self, pause: float) -> None:
        """Return when it is certain that this worker should run the task, or that it should stop.

        A zombie must not start again before it knows what has happened since: it would fence its successor.
        """
        while not self._stopping.is_set():
            await self._rest(pause)
            if self._stopping.is_set() or await self._group.still_ours(self.partition, self.position):
                return

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    def _for_a_person(self, error: Exception) -> WorkerError:
        if isinstance(error, StateMismatch):
            return WorkerError(f"{self._changelog_tp.topic}[{self.partition}]: {error}")
        return WorkerError(
            f"{self._log_tp.topic}[{self.partition}] no longer holds offset {self.position}, where this task has to "
            "continue: records were deleted before they were processed (by its retention, or because the topic was "
            "made anew). Restore the topic, or start anew under another topic_prefix and application_id."
        )
