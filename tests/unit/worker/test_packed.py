from __future__ import annotations

from struct import pack, unpack_from
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from journey_stream.worker.packed import PACKED, Packed

TP = TopicPartition("touchpoints.web", 0)
READ_COMMITTED = 1
PRODUCER = 7
CONTROL = 0x20


def batch_of(first_offset: int, *values: bytes, transactional: bool = False, producer: int | None = None) -> bytes:
    if producer is None:
        producer = PRODUCER if transactional else -1
    builder = DefaultRecordBatchBuilder(2, 0, int(transactional), producer, 0, 0, 100_000)
    for index, value in enumerate(values):
        builder.append(index, 1_000 + first_offset + index, b"k", value, [("h", b"x")])
    return first_offset.to_bytes(8, "big") + bytes(builder.build())[8:]


def end_of_transaction(offset: int, *, committed: bool, producer: int = PRODUCER) -> bytes:
    """The control batch that a broker writes."""
    builder = DefaultRecordBatchBuilder(2, 0, 1, producer, 0, -1, 1_000)
    builder.append(0, 1_000 + offset, pack(">hh", 0, committed), pack(">hi", 0, 0), [])
    batch = offset.to_bytes(8, "big") + bytes(builder.build())[8:]
    (attributes,) = unpack_from(">h", batch, 21)
    checked = pack(">h", attributes | CONTROL) + batch[23:]
    return batch[:17] + pack(">I", calc_crc32c(checked)) + checked


def records_of(data: bytes, from_offset: int, aborted: list[tuple[int, int]] | None) -> Any:
    """What a consumer makes of the answer to a fetch; `aborted` has producers and first offsets, as brokers tell it."""
    records = MemoryRecords(data)
    return fetcher.PartitionRecords(TP, records, aborted, from_offset, None, PACKED, True, READ_COMMITTED)


def read(data: bytes, from_offset: int, aborted: list[tuple[int, int]] | None = None) -> list[Packed]:
    return list(records_of(data, from_offset, aborted))


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


def test_of_what_routers_and_tasks_write_side_by_side_only_the_aborted_is_left_out() -> None:
    router, first, second = 3, 7, 8
    data = b"".join(
        [
            batch_of(0, b"r0", producer=router),
            batch_of(1, b"first aborted", transactional=True, producer=first),
            batch_of(2, b"second", b"committed", transactional=True, producer=second),
            batch_of(4, b"r4", producer=router),
            batch_of(5, b"first aborted too", transactional=True, producer=first),
            end_of_transaction(6, committed=True, producer=second),
            end_of_transaction(7, committed=False, producer=first),
            batch_of(8, b"first again", transactional=True, producer=first),
            batch_of(9, b"second aborted", transactional=True, producer=second),
            batch_of(10, b"r10", producer=router),
            end_of_transaction(11, committed=True, producer=first),
            end_of_transaction(12, committed=False, producer=second),
            batch_of(13, b"r13", producer=router),
        ]
    )
    aborted = [(second, 9), (first, 1)]

    seen = [(record.offset, record.value) for packed in read(data, 0, aborted) for record in packed]

    assert [
        (0, b"r0"),
        (2, b"second"),
        (3, b"committed"),
        (4, b"r4"),
        (8, b"first again"),
        (10, b"r10"),
        (13, b"r13"),
    ] == seen


@pytest.mark.parametrize(
    ("data", "aborted", "seen"),
    [
        pytest.param(
            batch_of(5, b"a", transactional=True) + end_of_transaction(6, committed=True), None, 1, id="committed"
        ),
        pytest.param(
            batch_of(5, b"a", transactional=True) + end_of_transaction(6, committed=False),
            [(PRODUCER, 5)],
            0,
            id="aborted",
        ),
        pytest.param(
            end_of_transaction(5, committed=False) + end_of_transaction(6, committed=True), None, 0, id="only markers"
        ),
    ],
)
def test_the_position_passes_what_is_not_shown_at_the_end(
    data: bytes, aborted: list[tuple[int, int]] | None, seen: int
) -> None:
    records = records_of(data, 5, aborted)

    assert (seen, 7) == (len(list(records)), records.next_fetch_offset)


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
