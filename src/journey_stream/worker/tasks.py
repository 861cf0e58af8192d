"""Which tasks this worker runs: the group decides, and tasks are started and stopped to match.

The group is used for membership alone; its consumer never fetches. That keeps the rebalance listener trivial: it takes
a note and returns, so heartbeats go on, and tasks that stay are not even interrupted. A task that moves is stopped here
and started elsewhere at the same time; the fence of the new one decides what the old one may still commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from journey_stream.engine.partition import Partition
from journey_stream.events.log import encode_tick
from journey_stream.worker.assignor import KeepTasks
from journey_stream.worker.clients import abandon_producer, close_consumer, group_consumer, idempotent_producer
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import PERMISSION_ERRORS, not_permitted
from journey_stream.worker.metrics import Metrics
from journey_stream.worker.task import State, Task

if TYPE_CHECKING:
    from journey_stream.worker.spans import Spans

REPORT_SECONDS = 1.0
RETRY_SECONDS = 1.0
ANSWER_SECONDS_MAX = 10.0

_log = logging.getLogger(__name__)


class Tasks(ConsumerRebalanceListener):  # type: ignore[misc]
    """Runs the tasks that the group gives to this worker until `stop`."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        make_engine: Callable[[], Partition],
        *,
        frames: Mapping[str, bytes] | None = None,
        spans: Spans | None = None,
    ) -> None:
        self._frames = frames
        self._spans = spans
        self._settings = settings
        self._metrics = metrics
        self._make_engine = make_engine
        self._topic = settings.topics.log
        self._wanted: set[int] = set()
        self._running: dict[int, tuple[Task, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._group: AIOKafkaConsumer | None = None
        self._joined = False
        self._ticker: AIOKafkaProducer | None = None
        self._ticker_lock = asyncio.Lock()

    def stop(self) -> None:
        """Finish and commit all batches at hand, leave the group, end `run`."""
        self._stopping.set()
        self._changed.set()

    def unready(self) -> list[str]:
        """Why the tasks that the group gives to this worker are not all at work; to be given none is not against it."""
        if self._stopping.is_set():
            return ["tasks: stopping"]
        reasons = [] if self._joined else [f"tasks: not in the group {self._settings.tasks_group}"]
        for partition in sorted(self._wanted):
            reason = self._running[partition][0].unready() if partition in self._running else "not begun"
            if reason is not None:
                reasons.append(f"task {partition}: {reason}")
        return reasons

    async def run(self) -> None:
        """Raises WorkerError if only a person can help."""
        member = asyncio.create_task(self._be_member())
        try:
            await self._match(member)
        finally:
            for task, _ in self._running.values():
                task.stop()
            ended = [running for _, running in self._running.values()]
            if ended:
                await asyncio.wait(ended)
            self._running.clear()
            member.cancel()
            await asyncio.wait({member})
            if self._group is not None:
                await close_consumer(self._group)
            if self._ticker is not None:
                await abandon_producer(self._ticker)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Nothing stops yet: most of them come back with the next assignment, and the fence guards the rest."""

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Take a note. The tasks fetch for themselves, so the group's consumer must not."""
        partitions = set(assigned)
        if self._group is not None and partitions:
            self._group.pause(*partitions)
        self._wanted = {partition.partition for partition in partitions}
        self._joined = True
        self._changed.set()

    async def _be_member(self) -> None:
        """Stay in the group; `getmany` is what tells of its errors. After one, join anew: the tasks go on meanwhile."""
        while True:
            self._group = group = group_consumer(
                self._settings,
                self._settings.tasks_group,
                # Routers have no state to come back to: what one leaves, another had better take at once.
                group_instance_id=self._settings.group_instance_id,
                partition_assignment_strategy=(KeepTasks(self._topic, lambda: tuple(self._running)),),
            )
            try:
                group.subscribe([self._topic], listener=self)
                await group.start()
                while True:
                    await group.getmany(timeout_ms=int(REPORT_SECONDS * 1000))
                    await self._report_offsets(group)
            except PERMISSION_ERRORS as error:
                raise not_permitted(error, self._settings) from error
            except (KafkaError, TimeoutError, OSError) as error:
                self._joined = False
                _log.warning("the group %s: joining again: %s", self._settings.tasks_group, error)
                await close_consumer(group)
                await asyncio.sleep(RETRY_SECONDS)

    async def _report_offsets(self, group: AIOKafkaConsumer) -> None:
        """Tell lag tools how far the tasks are. Only for them: a task takes its position from the changelog."""
        counts = dict.fromkeys(State, 0)
        offsets: dict[TopicPartition, int] = {}
        for partition, (task, _) in self._running.items():
            counts[task.state] += 1
            if task.position is not None and partition in self._wanted:
                offsets[TopicPartition(self._topic, partition)] = task.position
        for state, count in counts.items():
            self._metrics.tasks.labels(state.value).set(count)
        if offsets:
            with contextlib.suppress(KafkaError, IllegalStateError):  # in a rebalance; the next report will do
                await group.commit(offsets)

    async def _match(self, member: asyncio.Task[None]) -> None:
        """Start and stop tasks until `stop`, or until one fails for good."""
        while not self._stopping.is_set():
            self._changed.clear()
            for partition, (task, running) in list(self._running.items()):
                if running.done():
                    del self._running[partition]
                    self._metrics.forget_task(self._topic, partition)
                    running.result()  # raises what only a person can mend
                elif partition not in self._wanted:
                    task.stop()
            for partition in sorted(self._wanted - self._running.keys()):
                task = Task(
                    *(self._settings, partition, self._metrics),
                    make_engine=self._make_engine,
                    group=self,
                    frames=self._frames,
                    spans=None if self._spans is None else self._spans.of_task(self._settings, partition),
                )
                self._running[partition] = task, asyncio.create_task(task.run(), name=f"task {partition}")
            if member.done():
                member.result()
            changed = asyncio.create_task(self._changed.wait())
            running_tasks = [running for _, running in self._running.values()]
            await asyncio.wait({changed, member, *running_tasks}, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()

    async def reported(self, partition: int) -> int:
        """What `_report_offsets`, here or elsewhere, last told the group; 0 for nothing."""
        assert self._group is not None
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            return await self._group.committed(TopicPartition(self._topic, partition)) or 0

    async def still_ours(self, partition: int, next_offset: int | None) -> bool:
        """A commit is what a group refuses to those who are no longer members of its current generation."""
        if self._group is None or partition not in self._wanted:
            return False
        try:
            if next_offset is None:
                next_offset = await self.reported(partition)
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                await self._group.commit({TopicPartition(self._topic, partition): next_offset})
        except (KafkaError, IllegalStateError, TimeoutError):
            return False
        return True

    async def tick(self, partition: int, at_ms: int) -> int:
        """At least once: a tick that comes twice says nothing new."""
        async with self._ticker_lock:
            if self._ticker is None:
                ticker = idempotent_producer(self._settings)
                await ticker.start()
                self._ticker = ticker
        ticker = self._ticker
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                sent = await ticker.send_and_wait(
                    self._topic, encode_tick(at_ms), partition=partition, timestamp_ms=at_ms
                )
        except (KafkaError, TimeoutError):
            if self._ticker is ticker:
                self._ticker = None
            await abandon_producer(ticker)
            raise
        self._metrics.records_out.labels(self._topic, "tick").inc()
        offset: int = sent.offset
        return offset
