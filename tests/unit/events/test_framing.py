"""Touchpoints that come framed by a schema registry's clients are read, and their original bytes stay."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from journey_stream.events.admission import Admitted, Refused, read_touchpoint
from journey_stream.events.framing import SCHEMA_ID_MAX, frame_of, unframed
from journey_stream.events.log import Source, decode_touchpoint, encode_touchpoint, original_of
from journey_stream.events.operations import Operation
from journey_stream.events.pseudonyms import Pseudonyms
from journey_stream.events.reasons import Reason
from journey_stream.journey.load import preset
from tests.unit.events.json_text import touchpoint_texts
from tests.unit.events.touchpoints import touchpoint

SOURCE = Source("touchpoints.web", 2, 77)


def test_a_frame_is_a_zero_and_the_id_with_its_highest_byte_first() -> None:
    assert b"\x00\x00\x00\x01\x02" == frame_of(258)
    assert b"\x00\xff\xff\xff\xff" == frame_of(SCHEMA_ID_MAX)


@given(st.integers(0, SCHEMA_ID_MAX), st.binary())
def test_without_its_frame_a_value_is_what_it_was(schema_id: int, value: bytes) -> None:
    assert value == unframed(frame_of(schema_id) + value)


@pytest.mark.parametrize("value", [b"", b"{}", b" {}", b"0", b'"\\u0000"'])
def test_what_has_no_frame_stays_as_it_is(value: bytes) -> None:
    assert value == unframed(value)


@given(touchpoint_texts(), st.integers(0, SCHEMA_ID_MAX), st.none() | st.binary())
@example(touchpoint() + b" \n", 0xC3A4_7D7D, b"k")
@example(touchpoint(note=',"frame":"AAAAAAE="'), 1, None)
@settings(suppress_health_check=[HealthCheck.filter_too_much])
def test_a_framed_touchpoint_is_the_same_touchpoint_and_its_original_comes_back_byte_for_byte(
    value: bytes, schema_id: int, key: bytes | None
) -> None:
    plain, framed = read_touchpoint(value), read_touchpoint(frame_of(schema_id) + value)
    assume(isinstance(plain, Admitted))
    assert isinstance(plain, Admitted)
    assert isinstance(framed, Admitted)

    logged = encode_touchpoint(framed, SOURCE, key)

    assert (plain.profile_id, plain.occurred_at, plain.lower) == (framed.profile_id, framed.occurred_at, framed.lower)
    owner = plain.profile_id.encode()
    assert decode_touchpoint(owner, encode_touchpoint(plain, SOURCE, key)) == decode_touchpoint(owner, logged)
    assert (SOURCE, None if key == owner else key, frame_of(schema_id) + value) == original_of(logged)


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (b"\0", Reason.EMPTY_VALUE, "nothing stands behind the frame of a schema registry; expected JSON"),
        (frame_of(1), Reason.EMPTY_VALUE, "nothing stands behind the frame"),
        (frame_of(1) + b"\x08c42\x10web", Reason.INVALID_JSON, "of those, JSON is read and nothing else"),
        (frame_of(1) + frame_of(2) + touchpoint(), Reason.INVALID_JSON, "behind the frame of a schema registry"),
        (b"\0" * 100_000, Reason.INVALID_JSON, "behind the frame of a schema registry"),
        (frame_of(1) + touchpoint(channel=None), Reason.INVALID_TOUCHPOINT, "channel: "),
        (frame_of(1) + touchpoint(schema_version=2), Reason.UNSUPPORTED_VERSION, "schema_version: "),
    ],
    ids=["cut", "nothing", "Avro", "two frames", "many frames", "bad field", "version"],
)
def test_what_is_framed_and_no_touchpoint_is_refused_with_its_reason(value: bytes, reason: Reason, detail: str) -> None:
    found = read_touchpoint(value)

    assert isinstance(found, Refused)
    assert reason == found.reason
    assert detail in found.detail


@given(st.binary())
def test_no_bytes_behind_a_frame_make_reading_raise(value: bytes) -> None:
    read_touchpoint(frame_of(1) + value)


def test_a_framed_operation_is_the_same_operation() -> None:
    value = touchpoint(channel="identity", type="link", identifiers={"customer_id": "c1", "email": "ann@example.org"})

    framed = read_touchpoint(frame_of(7) + value, preset("six-stages").policy())

    assert isinstance(framed, Operation)
    assert read_touchpoint(value, preset("six-stages").policy()) == framed


def test_where_pseudonyms_are_made_the_frame_goes_with_the_original() -> None:
    policy = preset("six-stages").policy(Pseudonyms(b"k" * 32, ["email"]))
    value = touchpoint(identifiers={"email": "ann@example.org"})

    plain, framed = read_touchpoint(value, policy), read_touchpoint(frame_of(7) + value, policy)

    assert isinstance(framed, Admitted)
    assert plain == framed
