"""Records as they were fetched: packed, each unpacked when its turn comes.

A consumer of aiokafka makes an object of every record as soon as it is fetched, thousands of them ahead of the work. By
the time their turn comes they are out of the processor's caches, and that costs more than the unpacking. So the
consumers of the hot path (`value_deserializer=PACKED`) hand over whole Kafka batches in place of records; iterating one
unpacks its records, one at a time.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecord, DefaultRecordBatch
from aiokafka.structs import TopicPartition

_PartitionRecords = fetcher.PartitionRecords


class Packed:
    """The records of one Kafka batch with offsets in `first_offset` ≤ offset < `next_offset`.

    Iterate once; there may be none, where compaction has removed them. `newest_at` is the largest timestamp (ms).
    """

    __slots__ = ("_batch", "first_offset", "newest_at", "next_offset")

    def __init__(self, batch: DefaultRecordBatch, first_offset: int) -> None:
        self._batch = batch
        self.first_offset = first_offset
        self.next_offset = batch.next_offset
        self.newest_at = batch.max_timestamp

    def __iter__(self) -> Iterator[DefaultRecord]:
        if self._batch.base_offset >= self.first_offset:
            return chain(self._batch)  # which, unlike a batch, can be left and taken up again
        return (record for record in self._batch if record.offset >= self.first_offset)


def PACKED(_: bytes) -> bytes:  # noqa: N802 - a mark, never called
    """The `value_deserializer` that makes a consumer hand over `Packed` in place of records."""
    raise AssertionError("packed records are not deserialised")


class _WholeBatch:
    """A batch that iterates as one record: itself. So aiokafka's own reading, with all its cases, stays in charge."""

    def __init__(self, batch: DefaultRecordBatch) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    @property
    def offset(self) -> int:
        """That of the last record."""
        last: int = self._batch.next_offset - 1
        return last

    @property
    def whole(self) -> DefaultRecordBatch:
        return self._batch

    def __iter__(self) -> Iterator["_WholeBatch"]:
        yield self


class _WholeBatches:
    """The batches of one fetch."""

    def __init__(self, records: Any) -> None:
        self._records = records
        self.has_next = records.has_next

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        if not isinstance(batch, DefaultRecordBatch):
            raise CorruptRecordException("a record batch in a format from before Kafka 0.11; convert the topic")
        return batch if batch.is_control_batch else _WholeBatch(batch)


class _PackedRecords(_PartitionRecords):  # type: ignore[misc, valid-type]
    """What a consumer with PACKED iterates over when it thinks it iterates over records."""

    def __init__(self, tp: TopicPartition, records: Any, *rest: Any) -> None:
        super().__init__(tp, _WholeBatches(records), *rest)

    def _consumer_record(self, _: TopicPartition, record: _WholeBatch) -> Packed:
        return Packed(record.whole, self.next_fetch_offset)


def _partition_records(
    tp: TopicPartition, records: Any, aborted: Any, offset: int, key: Any, value: Any, checked: bool, isolation: int
) -> Any:
    kind = _PackedRecords if value is PACKED else _PartitionRecords
    # Brokers send nothing that is undecided, and name the aborted transactions in what they send. Mostly there are
    # none, and to ask every batch all the same whether it belongs to one costs more than a microsecond each.
    needed = isolation if aborted else fetcher.READ_UNCOMMITTED
    return kind(tp, records, aborted, offset, key, value, checked, needed)


# aiokafka offers no such thing; this is the one place where it makes its records.
fetcher.PartitionRecords = _partition_records
