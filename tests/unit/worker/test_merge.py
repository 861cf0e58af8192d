from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey_stream.worker.merge import FETCHES_MAX, SLACK_MS, Merge, next_offsets

NOW_MS = 1_000_000
SOON = SLACK_MS


class Rec(NamedTuple):
    timestamp: int
    offset: int = 0


class Fetched:
    """One batch of records, as a consumer hands it over."""

    def __init__(self, first_offset: int, records: Sequence[Rec], next_offset: int) -> None:
        self.first_offset = first_offset
        self.next_offset = next_offset
        self.newest_at = max((record.timestamp for record in records), default=-1)
        self._records = records

    def __iter__(self) -> Iterator[Rec]:
        return iter(self._records)


def merge(wait_seconds: float = 1.0) -> Merge[str, Rec]:
    return Merge(wait_seconds=wait_seconds)


def chunk(*times: int, first_offset: int = 0) -> Fetched:
    records = [Rec(at, offset) for offset, at in enumerate(times, first_offset)]
    return Fetched(first_offset, records, first_offset + len(records))


def fetched(buffers: Merge[str, Rec], partition: str, *times: int, lagging: bool, now: float = 0.0) -> None:
    buffers.add(partition, [chunk(*times)] if times else [], now=now, now_ms=NOW_MS)
    buffers.lags(partition, lagging, now=now)


def take(buffers: Merge[str, Rec], now: float = 0.0, most: int = 1_000) -> list[tuple[str, int]]:
    runs = buffers.take(most, now=now, now_ms=NOW_MS)
    return [(partition, record.timestamp) for partition, records, _ in runs for record in records]


def test_records_come_out_oldest_first_when_nothing_lags() -> None:
    buffers = merge()
    fetched(buffers, "a", 1, 4 * SOON, 5 * SOON, lagging=False)
    fetched(buffers, "b", 2 * SOON, 3 * SOON, 7 * SOON, lagging=False)

    expected = [("a", 1), ("b", 2), ("b", 3), ("a", 4), ("a", 5), ("b", 7)]
    assert [(p, at if at == 1 else at * SOON) for p, at in expected] == take(buffers)


def test_a_partition_goes_on_while_it_is_hardly_ahead() -> None:
    buffers = merge()
    fetched(buffers, "a", 1, 3, 5, 9 + SOON, lagging=False)
    fetched(buffers, "b", 2, 4, lagging=False)

    assert [("a", 1), ("a", 3), ("a", 5), ("b", 2), ("b", 4), ("a", 9 + SOON)] == take(buffers)


def test_no_more_is_taken_than_asked_for() -> None:
    buffers = merge()
    fetched(buffers, "a", 1, 3, 5, lagging=False)
    fetched(buffers, "b", 2, 4, lagging=False)

    assert [[("a", 1), ("a", 3)], [("b", 2), ("b", 4)], [("a", 5)], []] == [take(buffers, most=2) for _ in range(4)]


def test_what_a_lagging_partition_may_still_precede_is_held_back() -> None:
    buffers = merge()
    fetched(buffers, "a", 1, 9, lagging=False)
    fetched(buffers, "b", 2, 3, lagging=True)

    assert [("a", 1), ("b", 2), ("b", 3)] == take(buffers)
    assert 1 == buffers.buffered("a")


def test_what_was_held_back_follows_when_the_lagging_partition_has_gone_on() -> None:
    buffers = merge()
    fetched(buffers, "a", 1, 9, lagging=False)
    fetched(buffers, "b", 2, lagging=True)
    take(buffers)

    fetched(buffers, "b", 5, 12, lagging=False, now=0.1)

    assert {("b", 5), ("a", 9), ("b", 12)} == set(take(buffers, now=0.1))


def test_a_partition_that_brings_nothing_stops_the_others_for_a_bounded_time_only() -> None:
    buffers = merge(wait_seconds=1.0)
    fetched(buffers, "stuck", lagging=True)
    fetched(buffers, "a", 1, lagging=False)

    held, freed = take(buffers, now=0.9), take(buffers, now=1.1)

    assert [] == held
    assert [("a", 1)] == freed


def test_a_caught_up_partition_that_begins_to_lag_is_waited_for_again() -> None:
    buffers = merge(wait_seconds=1.0)
    fetched(buffers, "idle", lagging=False)
    fetched(buffers, "a", 5, lagging=False, now=100)

    buffers.lags("idle", True, now=100)

    assert [] == take(buffers, now=100.5)
    assert 1 == len(take(buffers, now=101.5))


@pytest.mark.parametrize("at", [NOW_MS + 10**12, -1])
def test_a_partition_whose_times_say_nothing_does_not_hold_the_others_back(at: int) -> None:
    buffers = merge()
    fetched(buffers, "a", at, at, lagging=True)
    fetched(buffers, "b", 3, lagging=False)

    assert [("a", at), ("a", at), ("b", 3)] == take(buffers)


def test_an_unreadable_record_is_told_with_its_place() -> None:
    class Unreadable(Fetched):
        def __iter__(self) -> Iterator[Rec]:
            yield from super().__iter__()
            b"\xff".decode()

    buffers = merge()
    buffers.add("a", [Unreadable(3, [Rec(1, 3)], 9)], now=0, now_ms=NOW_MS)

    with pytest.raises(UnicodeDecodeError) as told:
        take(buffers)

    assert ["a, before offset 9"] == told.value.__notes__


def test_the_order_within_a_partition_stays_even_where_its_times_jump_back() -> None:
    buffers = merge()
    fetched(buffers, "a", 5 * SOON, 2 * SOON, 8 * SOON, lagging=False)
    fetched(buffers, "b", 6 * SOON + 1, lagging=False)

    assert [("a", 5 * SOON), ("a", 2 * SOON), ("b", 6 * SOON + 1), ("a", 8 * SOON)] == take(buffers)


def test_a_partition_is_full_until_one_of_its_fetches_is_through() -> None:
    buffers = merge()
    for start in range(FETCHES_MAX):
        assert not buffers.is_full("a")
        buffers.add("a", [chunk(1, first_offset=start), chunk(2, first_offset=start + 1)], now=0, now_ms=NOW_MS)
    buffers.lags("a", True, now=0)
    full_at_first = buffers.is_full("a")
    take(buffers, most=1)
    full_in_between = buffers.is_full("a")
    take(buffers, now=50)

    assert full_at_first
    assert full_in_between
    assert not buffers.is_full("a")


def test_a_batch_that_compaction_has_emptied_is_passed_without_a_record() -> None:
    buffers = merge()
    emptied = Fetched(0, [], 7)
    buffers.add("a", [emptied, chunk(1, first_offset=7), Fetched(8, [], 9)], now=0, now_ms=NOW_MS)
    buffers.lags("a", False, now=0)

    runs = buffers.take(10, now=0, now_ms=NOW_MS)

    assert [("a", [], 7), ("a", [Rec(1, 7)], 8), ("a", [], 9)] == runs
    assert {"a": 9} == next_offsets(runs)
    assert not buffers.buffered("a")


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.lists(st.lists(st.integers(-1, NOW_MS + 50), max_size=5), max_size=3),
            st.booleans(),
            st.integers(1, 8),
        ),
        max_size=30,
    )
)
def test_nothing_is_lost_or_doubled_and_partitions_keep_their_order(
    steps: list[tuple[str, list[list[int]], bool, int]],
) -> None:
    buffers = merge()
    put: dict[str, list[Rec]] = {"a": [], "b": [], "c": []}
    got: dict[str, list[Rec]] = {"a": [], "b": [], "c": []}

    def look(now: float, most: int) -> int:
        runs = buffers.take(most, now=now, now_ms=NOW_MS)
        for partition, records, next_offset in runs:
            got[partition] += records
            assert len(got[partition]) == next_offset
        assert sum(len(records) for _, records, _ in runs) <= most
        return len(runs)

    for now, (partition, batches, lagging, most) in enumerate(steps):
        chunks = []
        for times in batches:
            chunks.append(chunk(*times, first_offset=len(put[partition])))
            put[partition] += chunks[-1]
        buffers.add(partition, chunks, now=now, now_ms=NOW_MS)
        buffers.lags(partition, lagging, now=now)
        look(now, most)
    for partition in put:
        buffers.lags(partition, False, now=1_000)
    while look(1_000, 5):
        pass

    assert put == got
    assert not any(buffers.buffered(partition) or buffers.is_full(partition) for partition in put)
