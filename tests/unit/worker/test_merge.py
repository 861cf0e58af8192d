from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey_stream.worker.merge import Merge

NOW_MS = 1_000_000


class Rec(NamedTuple):
    timestamp: int
    value: bytes | None = b""


def merge(**changes: float) -> Merge[str, Rec]:
    return Merge(
        records_max=int(changes.get("records_max", 100)),
        bytes_max=int(changes.get("bytes_max", 10_000)),
        wait_seconds=changes.get("wait_seconds", 1.0),
    )


def fetched(buffers: Merge[str, Rec], partition: str, *times: int, lagging: bool, now: float = 0.0) -> None:
    buffers.add(partition, [Rec(at) for at in times], now=now, now_ms=NOW_MS)
    buffers.lags(partition, lagging, now=now)


def test_records_come_out_oldest_first_when_nothing_lags() -> None:
    buffers = merge()
    fetched(buffers, "a", 1, 4, 5, lagging=False)
    fetched(buffers, "b", 2, 3, 6, lagging=False)

    taken = buffers.take(now=0)

    assert [("a", 1), ("b", 2), ("b", 3), ("a", 4), ("a", 5), ("b", 6)] == [(p, r.timestamp) for p, r in taken]


def test_what_a_lagging_partition_may_still_precede_is_held_back() -> None:
    buffers = merge()
    fetched(buffers, "a", 1, 9, lagging=False)
    fetched(buffers, "b", 2, 3, lagging=True)

    taken = buffers.take(now=0)

    assert [1, 2, 3] == [record.timestamp for _, record in taken]
    assert 1 == buffers.buffered("a")


def test_what_was_held_back_follows_when_the_lagging_partition_has_gone_on() -> None:
    buffers = merge()
    fetched(buffers, "a", 1, 9, lagging=False)
    fetched(buffers, "b", 2, lagging=True)
    buffers.take(now=0)

    fetched(buffers, "b", 5, 12, lagging=False, now=0.1)

    assert [5, 9, 12] == [record.timestamp for _, record in buffers.take(now=0.1)]


def test_a_partition_that_brings_nothing_stops_the_others_for_a_bounded_time_only() -> None:
    buffers = merge(wait_seconds=1.0)
    fetched(buffers, "stuck", lagging=True)
    fetched(buffers, "a", 1, lagging=False)

    held, freed = buffers.take(now=0.9), buffers.take(now=1.1)

    assert [] == held
    assert [("a", Rec(1))] == freed


def test_a_caught_up_partition_that_begins_to_lag_is_waited_for_again() -> None:
    buffers = merge(wait_seconds=1.0)
    fetched(buffers, "idle", lagging=False)
    fetched(buffers, "a", 5, lagging=False, now=100)

    buffers.lags("idle", True, now=100)

    assert [] == buffers.take(now=100.5)
    assert 1 == len(buffers.take(now=101.5))


def test_a_time_from_the_future_does_not_hold_a_partition_back() -> None:
    buffers = merge()
    fetched(buffers, "a", 1, NOW_MS + 10**12, 2, lagging=False)
    fetched(buffers, "b", 3, lagging=True)

    taken = buffers.take(now=0)

    assert [1, NOW_MS + 10**12, 2, 3] == [record.timestamp for _, record in taken]


def test_the_order_within_a_partition_stays_even_where_its_times_jump_back() -> None:
    buffers = merge()
    fetched(buffers, "a", 5, 2, 8, lagging=False)
    fetched(buffers, "b", 6, lagging=False)

    assert [5, 2, 6, 8] == [record.timestamp for _, record in buffers.take(now=0)]


@pytest.mark.parametrize(
    ("records", "full"), [([Rec(1)] * 99, False), ([Rec(1)] * 100, True), ([Rec(1, b"x" * 10_000)], True)]
)
def test_a_partition_is_full_by_records_or_by_bytes(records: list[Rec], full: bool) -> None:
    buffers = merge()

    buffers.add("a", records, now=0, now_ms=NOW_MS)

    assert full == buffers.is_full("a")


def test_a_full_partition_does_not_stop_itself() -> None:
    buffers = merge(records_max=2)
    fetched(buffers, "a", 1, 2, lagging=True)

    assert 2 == len(buffers.take(now=50))
    assert not buffers.is_full("a")


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.lists(st.integers(-1, NOW_MS + 50), max_size=5), st.booleans()),
        max_size=30,
    )
)
def test_nothing_is_lost_or_doubled_and_partitions_keep_their_order(
    steps: list[tuple[str, list[int], bool]],
) -> None:
    buffers = merge()
    put: dict[str, list[Rec]] = {"a": [], "b": [], "c": []}
    got: dict[str, list[Rec]] = {"a": [], "b": [], "c": []}
    for now, (partition, times, lagging) in enumerate(steps):
        records = [Rec(at) for at in times]
        put[partition] += records
        buffers.add(partition, records, now=now, now_ms=NOW_MS)
        buffers.lags(partition, lagging, now=now)
        for owner, record in buffers.take(now=now):
            got[owner].append(record)
    for partition in put:
        buffers.lags(partition, False, now=1_000)
    for owner, record in buffers.take(now=1_000):
        got[owner].append(record)

    assert put == got
