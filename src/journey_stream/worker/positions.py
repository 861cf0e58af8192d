"""How far everything has come: what the sources hold, what was routed, what was logged and what was applied."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from journey_stream.worker.config import Settings
from journey_stream.worker.errors import WorkerError


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
        """Whether nothing waits anywhere."""
        return self.routed >= self.sent and self.applied >= self.logged

    @property
    def waiting(self) -> int:
        """About how many records wait anywhere.

        The router commits its position some time after it wrote to the log, so in between a record seems to wait
        twice; what was sent and not yet applied does not, but never forgets a dead letter. The smaller is right.
        """
        return min(self.unrouted + max(0, self.logged - self.applied), max(0, self.sent - self.applied))


class Positions:
    """`async with Positions(settings) as positions: await positions.read()`. It joins no group and writes nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin = AIOKafkaAdminClient(**settings.client_options())
        self._consumer = AIOKafkaConsumer(**settings.client_options(), enable_auto_commit=False)
        self.sources: dict[str, int] = {}
        """Partition count by source topic."""
        self.log_partitions = 0

    async def __aenter__(self) -> Self:
        await self._admin.start()
        try:
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
        """One reading. What is applied is read first, so that nothing seems to be applied before it was sent."""
        log = self._settings.topics.log
        applied = await self._committed(self._settings.tasks_group, [log])
        logged = await self._ends({log: self.log_partitions})
        routed = await self._committed(self._settings.router_group, self.sources)
        sent = await self._ends(self.sources)
        return Reading(sent, routed, logged, applied)

    async def _find_partitions(self) -> None:
        # A description of topics by name would let some brokers create them, so all are listed.
        described = {topic["topic"]: len(topic["partitions"]) for topic in await self._admin.describe_topics()}
        wanted = [*self._settings.sources, self._settings.topics.log]
        missing = [topic for topic in wanted if topic not in described]
        if missing:
            raise WorkerError(f"no topic {', '.join(missing)}; create them with: journey-stream topics create")
        self.sources = {topic: described[topic] for topic in self._settings.sources}
        self.log_partitions = described[self._settings.topics.log]

    async def _committed(self, group: str, topics: Iterable[str]) -> int:
        offsets: dict[TopicPartition, Any] = await self._admin.list_consumer_group_offsets(group)
        wanted = set(topics)
        return sum(max(0, found.offset) for place, found in offsets.items() if place.topic in wanted)

    async def _ends(self, partitions: dict[str, int]) -> int:
        places = [TopicPartition(topic, number) for topic, count in partitions.items() for number in range(count)]
        return sum((await self._consumer.end_offsets(places)).values())
