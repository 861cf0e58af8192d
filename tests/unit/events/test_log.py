import json

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from journey_stream.events import log
from journey_stream.events.admission import Admitted, read_touchpoint
from journey_stream.events.log import AsOf, Source, Tick, TouchpointRecord, Unreadable
from journey_stream.events.times import MS_MAX, MS_MIN, to_ms
from journey_stream.events.touchpoint import Touchpoint
from tests.unit.events.json_text import touchpoint_texts

WEB = Source("touchpoints.web", 3, 123)
PLAIN = (
    b'{"event_id":"e1","occurred_at":"2026-01-01T12:00:00Z","channel":"web","type":"purchase","customer_id":"c1",'
    b'"value":12,"currency":"EUR","campaign":"spring","properties":{"sku":"A1"},"extra":[1]}'
)


def admitted(value: bytes) -> Admitted:
    found = read_touchpoint(value)
    assert isinstance(found, Admitted)
    return found


def test_a_touchpoint_comes_out_of_the_log_as_it_went_in() -> None:
    value = log.encode_touchpoint(admitted(PLAIN), WEB, b"any key")

    expected = TouchpointRecord(
        profile_id="c1",
        arrived_at=77,
        occurred_at=1_767_268_800_000,
        event_id="e1",
        channel="web",
        type="purchase",
        value=12.0,
        currency="EUR",
        campaign="spring",
        properties={"sku": "A1"},
    )
    assert expected == log.decode(b"c1", 77, value)


@given(touchpoint_texts())
@settings(max_examples=500, suppress_health_check=[HealthCheck.filter_too_much])
def test_whatever_is_admitted_is_read_by_the_task_as_the_contract_reads_it(value: bytes) -> None:
    found = read_touchpoint(value)
    assume(isinstance(found, Admitted))
    assert isinstance(found, Admitted)

    record = log.decode(found.profile_id.encode(), 5, log.encode_touchpoint(found, WEB, None))

    contract = Touchpoint.model_validate_json(value)
    assert record == TouchpointRecord(
        found.profile_id,
        5,
        to_ms(contract.occurred_at),
        contract.event_id,
        contract.channel,
        contract.type,
        contract.value,
        contract.currency,
        contract.campaign,
        contract.properties if "properties" in contract.model_fields_set else None,
    )


@given(touchpoint_texts(), st.text(), st.integers(0), st.integers(0), st.none() | st.binary())
@settings(suppress_health_check=[HealthCheck.filter_too_much])
def test_the_original_comes_back_byte_for_byte(
    value: bytes, topic: str, partition: int, offset: int, key: bytes | None
) -> None:
    found = read_touchpoint(value)
    assume(isinstance(found, Admitted))
    assert isinstance(found, Admitted)
    source = Source(topic, partition % 2**31, offset % 2**63)

    original = log.original_of(log.encode_touchpoint(found, source, key))

    assert original == (source, None if key == found.profile_id.encode() else key, value)


@given(st.integers(MS_MIN, MS_MAX))
def test_ticks_and_ends_of_a_replay_come_out_as_they_went_in(at: int) -> None:
    assert Tick(at) == log.decode(None, 0, log.encode_tick(at))
    assert AsOf(at) == log.decode(None, 0, log.encode_as_of(at))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, None),
        (b"c1", b""),
        (b"c1", b"garbage"),
        (b"c1", b"{}"),
        (b"c1", b'{"kind":"touchpoint","at":1}'),
        (None, b'{"kind":"touchpoint","at":1,"touchpoint":' + PLAIN + b"}"),
        (b"\xff", b'{"kind":"touchpoint","at":1,"touchpoint":' + PLAIN + b"}"),
        (b"c1", b'{"kind":"touchpoint","at":1,"touchpoint":{}}'),
        (b"c1", b'{"kind":"touchpoint","at":%d,"touchpoint":%b}' % (MS_MAX + 1, PLAIN)),
        (None, log.encode_tick(MS_MAX + 1)),
        (None, log.encode_as_of(MS_MIN - 1)),
        (None, b'{"kind":"tock","at":1}'),
        (None, b'{"kind":"tick","at":"1"}'),
        (b"c1", b'{"kind":"touchpoint","at":1,"x":' + b"[" * 100_000),
    ],
)
def test_a_record_that_no_router_wrote_is_unreadable_and_says_why(key: bytes | None, value: bytes | None) -> None:
    record = log.decode(key, 0, value)

    assert isinstance(record, Unreadable)
    assert record.detail != ""


@given(st.none() | st.binary(), st.integers(), st.binary())
def test_no_bytes_make_the_log_raise(key: bytes | None, timestamp: int, value: bytes) -> None:
    log.decode(key, timestamp, value)
    log.original_of(value)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_no_field_of_a_foreign_record_makes_the_log_raise(strange: object) -> None:
    value = json.dumps({"kind": "touchpoint", "at": strange, "source": strange, "touchpoint": strange}).encode()

    assert isinstance(log.decode(b"c1", 0, value), Unreadable)
    assert log.original_of(value) is None


@pytest.mark.parametrize(
    "touchpoints",
    [b"[]", b'[[1,"e","web","view",{"value":%d}]]' % 2**63, b'[[1,"e","web","view",{"value":%d}]]' % 10**30],
    ids=["none", "more than the state holds", "a very long integer"],
)
@pytest.mark.parametrize("kind", [b"deliver", b"retract"])
def test_a_message_that_no_task_writes_is_unreadable(kind: bytes, touchpoints: bytes) -> None:
    value = b'{"kind":"%b","at":1,"via":"device_id:d","touchpoints":%b}' % (kind, touchpoints)

    assert isinstance(log.decode(b"c1", 1, value), Unreadable)
