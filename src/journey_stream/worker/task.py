"""One task: the state machine of one log partition, run exactly once.

A life of a task: open the producer (which fences the former owner), restore state and position, then read, compute and
commit batch after batch. Whatever goes wrong ends the life and everything in memory with it, and a new one begins after
a pause: memory may be ahead of the log, and only the changelog knows what was committed.

The task has a consumer of its own that is in no group. So it neither stops for a rebalance nor can it skip a record
in one, and there is nothing to lock: the group only says which tasks a worker should run.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from journey_stream.engine.partition import Partition, StateMismatch
from journey_stream.worker.batch import Batch, Processor
from journey_stream.worker.clients import close_consumer, partition_consumer
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import PERMISSION_ERRORS, Fenced, Uncertain, WorkerError, not_permitted
from journey_stream.worker.fencing import TaskProducer
from journey_stream.worker.metrics import Metrics
from journey_stream.worker.outbox import Outbox
from journey_stream.worker.restore import restore
from journey_stream.worker.task_report import TaskReport
from journey_stream.worker.ticking import Ticking, now_ms

STRIDE_RECORDS = 200
"""A stride of computing takes two milliseconds or so. A transaction is several requests, one after another: without
such pauses each would wait until some other task has computed its whole batch."""

RETRY_SECONDS_MIN = 0.2
RETRY_SECONDS_MAX = 10.0
LONG_LIFE_SECONDS = 30.0

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

    `make_engine` makes an empty state machine.
    """

    def __init__(
        self,
        settings: Settings,
        partition: int,
        metrics: Metrics,
        *,
        make_engine: Callable[[], Partition],
        group: Group,
    ) -> None:
        self.partition = partition
        self.position: int | None = None
        """The next offset as far as it is committed; None until then."""
        self.state = State.WAITING
        self._settings = settings
        self._report = TaskReport(metrics, settings.topics, partition)
        self._make_engine = make_engine
        self._group = group
        self._log_tp = TopicPartition(settings.topics.log, partition)
        self._changelog_tp = TopicPartition(settings.topics.state, partition)
        self._stopping = asyncio.Event()
        self._outbox = Outbox(settings, partition)

    def stop(self) -> None:
        """Finish and commit the batch at hand, then end `run`."""
        self._stopping.set()

    async def run(self) -> None:
        """Live until `stop`. Raises WorkerError if only a person can help."""
        pause = RETRY_SECONDS_MIN
        while not self._stopping.is_set():
            born = time.monotonic()
            try:
                await self._live_or_stop()
            except PERMISSION_ERRORS as error:
                raise not_permitted(error, self._settings) from error
            except (OffsetOutOfRangeError, StateMismatch) as error:
                raise self._for_a_person(error) from error
            except (Fenced, Uncertain, KafkaError, TimeoutError, OSError) as error:
                self._report.restarting()
                long_life = time.monotonic() - born > LONG_LIFE_SECONDS
                pause = RETRY_SECONDS_MIN if long_life else min(pause * 2, RETRY_SECONDS_MAX)
                _log.warning("task %d: starting again: %s", self.partition, error)
                await self._wait_for_the_group(pause)
        self.state = State.STOPPED

    async def _live_or_stop(self) -> None:
        """One life; `stop` lets it finish its batch, but does not wait for a restore."""
        living = asyncio.create_task(self._live())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({living, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not living.done() and self.state is not State.RESTORING:
                await asyncio.wait({living}, timeout=STOP_SECONDS_MAX)
        finally:
            stopping.cancel()
            if not living.done():
                living.cancel()
                await asyncio.wait({living})
        if not living.cancelled():
            living.result()

    async def _live(self) -> None:
        self.state = State.RESTORING
        producer = TaskProducer(self._settings, self.partition)
        consumer: AIOKafkaConsumer | None = None
        try:
            await producer.open()
            processor = await self._restored()
            consumer = await self._log_consumer(processor.next_offset)
            self.state = State.RUNNING
            await self._work(consumer, producer, processor)
            await producer.close()
        finally:
            self.state = State.WAITING
            await producer.abandon()
            if consumer is not None:
                await close_consumer(consumer)

    async def _restored(self) -> Processor:
        started = time.monotonic()
        consumer = partition_consumer(self._settings, committed_only=True)
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
        consumer = partition_consumer(self._settings)
        try:
            await consumer.start()
            consumer.assign([self._log_tp])
            consumer.seek(self._log_tp, next_offset)
        except BaseException:
            await close_consumer(consumer)
            raise
        return consumer

    async def _work(self, consumer: AIOKafkaConsumer, producer: TaskProducer, processor: Processor) -> None:
        """Compute one batch while the one before it commits; a failure of either is the end of both."""
        committing: asyncio.Task[None] | None = None
        ticking = Ticking(self._settings.ticks)
        try:
            while not self._stopping.is_set():
                records = await self._poll(consumer, processor, ticking)
                batch = await self._compute(processor, records) if records else None
                if committing is not None:
                    await committing
                    committing = None
                if batch is not None:
                    committing = asyncio.create_task(self._commit(producer, batch))
                elif self._is_quiet(consumer, processor) and ticking.due(processor):
                    await self._send_tick(ticking)
                behind = max(0, (consumer.highwater(self._log_tp) or 0) - processor.next_offset)
                self._report.progress(processor.engine, behind, records[-1].timestamp if records else None)
            if committing is not None:
                await committing
        finally:
            if committing is not None:
                committing.cancel()
                await asyncio.wait({committing})
                if not committing.cancelled():
                    committing.exception()  # seen: what is being raised already says enough

    async def _send_tick(self, ticking: Ticking) -> None:
        try:
            ticking.sent(await self._group.tick(self.partition, now_ms()))
        except (KafkaError, TimeoutError, OSError) as error:
            _log.warning("task %d: no tick could be written, time stands still: %s", self.partition, error)
            ticking.sent(-1)

    async def _poll(self, consumer: AIOKafkaConsumer, processor: Processor, ticking: Ticking) -> list[ConsumerRecord]:
        found = await consumer.getmany(
            self._log_tp, timeout_ms=ticking.poll_ms(processor), max_records=self._settings.batch_records_max
        )
        records: list[ConsumerRecord] = found.get(self._log_tp, [])
        return records

    async def _compute(self, processor: Processor, records: list[ConsumerRecord]) -> Batch:
        """Apply the records in strides, between which the event loop sends and receives for everybody else."""
        seconds = 0.0
        for start in range(0, len(records), STRIDE_RECORDS):
            started = time.perf_counter()
            processor.apply(records[start : start + STRIDE_RECORDS])
            seconds += time.perf_counter() - started
            await asyncio.sleep(0)
        started = time.perf_counter()
        batch = processor.finish()
        self._report.computed(len(records), seconds + time.perf_counter() - started)
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
        self._report.committed(batch, messages, time.perf_counter() - started)

    def _is_quiet(self, consumer: AIOKafkaConsumer, processor: Processor) -> bool:
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
