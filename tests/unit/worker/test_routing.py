from __future__ import annotations

import pytest

from journey_stream.events.log import TouchpointRecord, decode
from journey_stream.events.reasons import Reason
from journey_stream.worker.config import Settings
from journey_stream.worker.murmur import partition_for
from journey_stream.worker.routing import Routed, Routing
from tests.unit.worker.records import T0, Rec, touchpoint

SETTINGS = Settings(partitions=8)
NOW = T0 + 1_000


def route(routing: Routing, records: list[Rec], now_ms: int) -> Routed:
    routed = Routed.none()
    for record in records:
        routing.route(record.topic, record.partition, [record], now_ms, routed)
    return routed


@pytest.fixture
def routing() -> Routing:
    return Routing(SETTINGS, dead_letter_partitions=3)


def test_a_touchpoint_goes_to_its_owners_partition_whatever_its_key_was(routing: Routing) -> None:
    routed = route(routing, [Rec(key, touchpoint(customer_id="c42")) for key in (None, b"", b"other", b"c42")], NOW)

    assert {partition_for(b"c42", 8): [b"c42"] * 4} == {p: [m[0] for m in found] for p, found in routed.log.items()}
    assert {"touchpoints.web": 4} == routed.admitted


@pytest.mark.parametrize(("timestamp", "expected"), [(T0, T0), (NOW + 10**12, NOW), (-1, NOW), (0, 0)])
def test_no_arrival_is_later_than_the_routers_clock(routing: Routing, timestamp: int, expected: int) -> None:
    routed = route(routing, [Rec(None, touchpoint(), timestamp)], NOW)

    assert [expected] == [message[3] for found in routed.log.values() for message in found]


def test_what_the_router_writes_is_what_the_task_reads(routing: Routing) -> None:
    (found,) = route(routing, [Rec(b"k", touchpoint("e9", type="view"), T0, 5)], NOW).log.values()

    key, value, _, timestamp = found[0]
    record = decode(key, timestamp or 0, value)

    assert isinstance(record, TouchpointRecord)
    assert ("c1", T0, T0, "e9") == (record.profile_id, record.arrived_at, record.occurred_at, record.event_id)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, Reason.EMPTY_VALUE),
        (b"{", Reason.INVALID_JSON),
        (touchpoint(customer_id=None), Reason.MISSING_IDENTIFIER),
        (touchpoint(occurred_at="yesterday"), Reason.INVALID_TOUCHPOINT),
        (touchpoint(schema_version=2), Reason.UNSUPPORTED_VERSION),
        (touchpoint(properties={"x": "y" * 10_000_000}), Reason.RECORD_TOO_LARGE),
    ],
)
def test_a_record_that_cannot_be_used_is_a_dead_letter_and_the_next_goes_on(
    routing: Routing, value: bytes | None, reason: Reason
) -> None:
    bad = Rec(b"their key", value, T0, 3, (("h", b"x"),), "touchpoints.crm", 4)

    routed = route(routing, [bad, Rec(None, touchpoint())], NOW)

    key, kept, some_headers, _ = routed.dead_letters[1][0]
    assert (b"their key", value) == (key, kept)
    headers = dict(some_headers)
    assert (b"x", reason.encode()) == (headers["h"], headers["dead_letter_reason"])
    assert (b"touchpoints.crm", b"4", b"3", b"router") == tuple(
        headers[f"dead_letter_{name}"] for name in ("topic", "partition", "offset", "stage")
    )
    assert {("touchpoints.crm", reason): 1} == routed.refused
    assert {"touchpoints.web": 1} == routed.admitted


def test_a_key_that_would_burst_the_log_record_is_refused(routing: Routing) -> None:
    routed = route(routing, [Rec(b"k" * 900_000, touchpoint())], NOW)

    assert {("touchpoints.web", Reason.RECORD_TOO_LARGE): 1} == routed.refused


def test_of_the_headers_only_the_trace_goes_on(routing: Routing) -> None:
    (found,) = route(
        routing, [Rec(None, touchpoint(), headers=(("traceparent", b"00-1"), ("x", b"y")))], NOW
    ).log.values()

    assert (("traceparent", b"00-1"),) == found[0][2]
