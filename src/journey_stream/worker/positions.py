"""How far everything has come: what the sources hold, what was routed, what was logged and what was applied."""

from __future__ import annotations

from types import TracebackType
from typing import Any, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)

from journey_stream.worker.config import Settings
from journey_stream.worker.errors import WorkerError

# A broker that has just started, or moved a group, cannot tell its offsets for a moment.
_NOT_YET = (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError)


class Reading(NamedTuple):
    """Offsets summed over partitions; each is what the one before it had a little earlier, or less."""

    sent: int
    routed: int
    logged: int
    applied: int

    @property
    def unrouted(self) -> int:
        """Records of the sources that wait for the router."""
        return max(0, self.sent - self.routed)

    @property
    def settled(self) -> bool:
        """Whether nothing waits anywhere. What comes of a record is in the log before the record counts as applied."""
        return not self.unrouted and not self.unapplied

    @property
    def unapplied(self) -> int:
        """Records of the log that wait for the tasks, those of open transactions among them."""
        return max(0, self.logged - self.applied)


class Positions:
    """`async with Positions(settings) as positions: await positions.read()`. It joins no group and writes nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin = AIOKafkaAdminClient(**settings.client_options())
        self._consumer = AIOKafkaConsumer(**settings.client_options(), enable_auto_commit=False)
        self.sources: dict[str, int] = {}
        """Partition count by topic that the router reads."""
        self.log_partitions = 0

    async def __aenter__(self) -> Self:
        try:
            await self._admin.start()
            await self._consumer.start()
            await self._find_partitions()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def read(self) -> Reading:
        """One reading; a group that cannot be asked yet has read nothing.

        What is applied is read first, so that nothing seems to be applied before it was sent. Ends are those of what
        was written, whether it is committed or not.
        """
        log = {self._settings.topics.log: self.log_partitions}
        applied = await self._reached(self._settings.tasks_group, log)
        logged = await self._ends(log)
        routed = await self._reached(self._settings.router_group, self.sources)
        sent = await self._ends(self.sources)
        return Reading(sent, routed, logged, applied)

    async def _find_partitions(self) -> None:
        # A description of topics by name would let some brokers create them, so all are listed.
        described = {topic["topic"]: len(topic["partitions"]) for topic in await self._admin.describe_topics()}
        wanted = [*self._settings.inputs, self._settings.topics.log]
        missing = [topic for topic in wanted if topic not in described]
        if missing:
            raise WorkerError(f"no topic {', '.join(missing)}; create them with: journey-stream topics create")
        self.sources = {topic: described[topic] for topic in self._settings.inputs}
        self.log_partitions = described[self._settings.topics.log]

    async def _reached(self, group: str, partitions: dict[str, int]) -> int:
        """Where the group stands: at the beginning of a partition that it has not read."""
        places = _places(partitions)
        beginnings = await self._consumer.beginning_offsets(places)
        try:
            committed: dict[TopicPartition, Any] = await self._admin.list_consumer_group_offsets(group)
        except _NOT_YET:
            committed = {}
        return sum(max(beginnings[place], committed[place].offset if place in committed else 0) for place in places)

    async def _ends(self, partitions: dict[str, int]) -> int:
        return sum((await self._consumer.end_offsets(_places(partitions))).values())


def _places(partitions: dict[str, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for topic, count in partitions.items() for number in range(count)]
