from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey_stream.events.erasures import (
    UNKEYED,
    ErasureKey,
    Erasures,
    common,
    covers,
    decode_erasure,
    encode_erasure,
    is_whole,
    united,
    whole,
)
from journey_stream.events.times import MS_MIN

SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=6)
INSTANTS = range(32)


@given(SPANS)
def test_spans_are_united_to_the_same_instants_in_order_and_without_touching(spans: list[tuple[int, int]]) -> None:
    found = united(spans)

    assert [covers(found, at) for at in INSTANTS] == [covers(spans, at) for at in INSTANTS]
    assert all(before[1] + 1 < after[0] for before, after in pairwise(found))


@given(SPANS, SPANS)
def test_common_are_the_instants_of_both(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
    found = common(some, others)

    assert [covers(found, at) for at in INSTANTS] == [covers(some, at) and covers(others, at) for at in INSTANTS]


def test_what_is_written_is_read_back() -> None:
    spans = united([(MS_MIN, 5), (8, 9)])

    assert decode_erasure(encode_erasure(UNKEYED.fingerprint, spans)) == (UNKEYED.fingerprint, spans)


@pytest.mark.parametrize("value", [b"", b"{", b"{}", b'{"key":"a","spans":[[1]]}'])
def test_what_is_no_erasure_is_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="not an erasure"):
        decode_erasure(value)


def test_a_touchpoint_is_dropped_for_its_owner_or_for_any_identifier_that_is_erased_wholly() -> None:
    erasures = Erasures(UNKEYED)
    erasures.add(UNKEYED.name_of("ann"), whole(10))
    erasures.add(UNKEYED.name_of("device_id:d"), [(3, 6)])

    assert erasures.drops(10, "ann", ())
    assert not erasures.drops(11, "ann", ())
    assert erasures.drops(10, "bob", ("device_id:d", "ann"))
    assert erasures.drops(3, "device_id:d", ())
    assert not erasures.drops(2, "device_id:d", ())
    # What a shared identifier did with somebody else is that one's.
    assert not erasures.drops(5, "bob", ("device_id:d",))


def test_later_erasures_add_to_earlier_ones() -> None:
    erasures, name = Erasures(UNKEYED), UNKEYED.name_of("ann")

    assert erasures.add(name, [(3, 4)]) == ((3, 4),)
    assert is_whole(erasures.add(name, whole(2)))
    assert erasures.of("ann") == ((MS_MIN, 4),)
    assert erasures.latest == 4


def test_a_key_gives_the_same_names_always_and_others_give_others() -> None:
    one, same, other = ErasureKey(b"one"), ErasureKey(b"one"), ErasureKey(b"other")

    assert (one.name_of("ann"), one.fingerprint) == (same.name_of("ann"), same.fingerprint)
    assert {one.name_of("ann"), one.fingerprint}.isdisjoint({other.name_of("ann"), other.fingerprint})
    with pytest.raises(ValueError, match="empty"):
        ErasureKey(b"")
