"""What the router may commit: offsets of records that the log has acknowledged, and what lies behind them unseen."""

from collections.abc import Sequence
from typing import Protocol

from aiokafka import TopicPartition


class _Fetched(Protocol):
    next_offset: int


class Progress:
    """Next offsets per source partition since the assignment.

    A consumer's position can be further than the record after the last one: markers of transactions, and what was
    compacted away, are never seen. When all that was seen is acknowledged the position itself is committed, so that
    lag tools come to zero.
    """

    def __init__(self) -> None:
        self._acknowledged: dict[TopicPartition, int] = {}
        self._seen: dict[TopicPartition, int] = {}
        self._positions: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}

    def fetched(self, partition: TopicPartition, records: Sequence[_Fetched] | None, position: int) -> None:
        """The consumer stands at `position` after it has handed over `records`."""
        if records:
            self._seen[partition] = records[-1].next_offset
        self._positions[partition] = position

    def acknowledged(self, ends: dict[TopicPartition, int]) -> None:
        """The log has everything before these offsets."""
        self._acknowledged.update(ends)

    def to_commit(self) -> dict[TopicPartition, int]:
        """The offsets that have moved since those of the last `committed`."""
        moved = {}
        for partition, done in self._acknowledged.items():
            offset = self._positions.get(partition, done) if done == self._seen.get(partition) else done
            if offset != self._committed.get(partition):
                moved[partition] = offset
        return moved

    def committed(self, offsets: dict[TopicPartition, int]) -> None:
        """The group has taken note of these."""
        self._committed.update(offsets)
