from __future__ import annotations

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from journey_stream.worker.packed import PACKED, Packed

TP = TopicPartition("touchpoints.web", 0)
READ_COMMITTED = 1
PRODUCER = 7


def batch_of(first_offset: int, *values: bytes, transactional: bool = False) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, int(transactional), PRODUCER if transactional else -1, 0, 0, 100_000)
    for index, value in enumerate(values):
        builder.append(index, 1_000 + first_offset + index, b"k", value, [("h", b"x")])
    return first_offset.to_bytes(8, "big") + bytes(builder.build())[8:]


def read(data: bytes, from_offset: int, aborted: list[tuple[int, int]] | None = None) -> list[Packed]:
    records = MemoryRecords(data)
    return list(fetcher.PartitionRecords(TP, records, aborted, from_offset, None, PACKED, True, READ_COMMITTED))


def test_what_is_packed_unpacks_to_the_records() -> None:
    first, second = read(batch_of(0, b"a", b"b") + batch_of(2, b"c"), 0)

    assert [(0, b"a"), (1, b"b")] == [(record.offset, record.value) for record in first]
    assert [(2, b"c", b"k", 1_002, [("h", b"x")])] == [
        (r.offset, r.value, r.key, r.timestamp, r.headers) for r in second
    ]
    assert (0, 2, 1_001) == (first.first_offset, first.next_offset, first.newest_at)


def test_a_fetch_from_within_a_batch_leaves_out_what_lies_before() -> None:
    (packed,) = read(batch_of(10, b"a", b"b", b"c"), 12)

    assert (12, 13) == (packed.first_offset, packed.next_offset)
    assert [b"c"] == [record.value for record in packed]


def test_unpacking_can_be_left_and_taken_up_again() -> None:
    (packed,) = read(batch_of(0, b"a", b"b", b"c"), 0)
    records = iter(packed)

    assert b"a" == next(records).value
    assert [b"b", b"c"] == [record.value for record in records]


def test_what_an_aborted_transaction_wrote_is_passed() -> None:
    data = batch_of(0, b"gone", transactional=True) + batch_of(1, b"kept")

    assert [[b"kept"]] == [[record.value for record in packed] for packed in read(data, 0, [(PRODUCER, 0)])]


def test_a_consumer_without_the_mark_gets_records_as_ever() -> None:
    records = fetcher.PartitionRecords(TP, MemoryRecords(batch_of(0, b"a")), None, 0, None, None, True, READ_COMMITTED)

    assert [(TP.topic, 0, b"a")] == [(record.topic, record.offset, record.value) for record in records]


def test_a_damaged_batch_and_one_in_an_ancient_format_are_refused() -> None:
    damaged = bytearray(batch_of(0, b"value"))
    damaged[-3] ^= 1
    ancient = LegacyRecordBatchBuilder(1, 0, 100_000)
    ancient.append(0, timestamp=1, key=b"k", value=b"v")

    for data in (bytes(damaged), bytes(ancient.build())):
        with pytest.raises(CorruptRecordException):
            read(data, 0)


def test_the_library_still_reads_as_this_module_expects() -> None:
    assert isinstance(MemoryRecords(batch_of(0, b"a")).next_batch(), DefaultRecordBatch)
