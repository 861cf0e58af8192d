from __future__ import annotations

import json
from typing import Any

import pytest

from journey_stream.events.framing import frame_of
from journey_stream.events.log import Link, TouchpointRecord, Unlink, decode
from journey_stream.events.pseudonyms import Pseudonyms
from journey_stream.events.reasons import Reason
from journey_stream.events.records import Record, Unreadable
from journey_stream.journey.load import preset
from journey_stream.worker import links
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


MODEL = preset("six-stages")
HOUR_MS = 3_600_000
EMAIL, DEVICE = "email:ann@x.org", "device_id:d1"


@pytest.fixture
def linking() -> Routing:
    return Routing(SETTINGS, dead_letter_partitions=3, policy=MODEL.policy())


def seen(event_id: str = "e1", at: int = T0, arrived_at: int = T0, **identifiers: str) -> Rec:
    identifiers = identifiers or {"email": "Ann@X.org", "device_id": "d1"}
    return Rec(None, touchpoint(event_id, at, identifiers=identifiers), arrived_at)


def logged(routed: Routed) -> dict[str, list[tuple[int, Record | Unreadable]]]:
    """Per profile id, the partition and the record of each message to the log."""
    found: dict[str, list[tuple[int, Record | Unreadable]]] = {}
    for partition, rows in routed.log.items():
        for key, value, _, timestamp in rows:
            assert key is not None
            found.setdefault(key.decode(), []).append((partition, decode(key, timestamp or 0, value)))
    return found


def links_in(routed: Routed) -> list[tuple[str, str, int]]:
    return [
        (record.profile_id, record.parent, record.at)
        for found in logged(routed).values()
        for _, record in found
        if isinstance(record, Link)
    ]


def test_each_lower_identifier_is_told_on_its_own_partition_that_it_was_seen_with_the_owner(linking: Routing) -> None:
    routed = route(linking, [seen("e7", T0 - 5, T0)._replace(headers=(("traceparent", b"00-1"),))], NOW)

    found = logged(routed)
    assert {"c1", EMAIL, DEVICE} == found.keys()
    for child in (EMAIL, DEVICE):
        link = Link(profile_id=child, arrived_at=T0, at=T0 - 5, parent="c1", event_id="e7")
        assert [(partition_for(child.encode(), 8), link)] == found[child]
    assert {(("traceparent", b"00-1"),)} == {row[2] for rows in routed.log.values() for row in rows}
    assert {"touchpoint": 1, "link": 2} == routed.written
    assert {"touchpoints.web": 1} == routed.admitted


def test_nothing_is_linked_where_identity_is_off(routing: Routing) -> None:
    assert [] == links_in(route(routing, [seen()], NOW))


def test_a_link_is_written_once_an_hour(linking: Routing) -> None:
    hour = T0 - T0 % HOUR_MS
    records = [
        seen(f"e{n}", hour + at, hour + at, email="a@x.org") for n, at in enumerate((0, 1, HOUR_MS - 1, HOUR_MS))
    ]

    found = links_in(route(linking, records, NOW + 2 * HOUR_MS))

    assert [("email:a@x.org", "c1", hour), ("email:a@x.org", "c1", hour + HOUR_MS)] == found


def test_a_link_to_another_owner_in_the_same_hour_is_written(linking: Routing) -> None:
    to_c1, to_card = seen("e1", email="a@x.org"), touchpoint(
        "e2", customer_id=None, identifiers={"loyalty_card": "l1", "email": "a@x.org"}
    )  # fmt: skip

    found = links_in(route(linking, [to_c1, Rec(None, to_card)], NOW))

    assert {("email:a@x.org", "c1", T0), ("email:a@x.org", "loyalty_card:l1", T0)} == {*found}


@pytest.mark.parametrize("ahead_ms", [-SETTINGS.lateness_ms - 1, SETTINGS.skew_ms + 1])
def test_a_link_that_no_task_accepts_does_not_stand_for_one_that_it_would(linking: Routing, ahead_ms: int) -> None:
    refused, accepted = seen("e1", NOW, NOW - ahead_ms), seen("e2", NOW, NOW)

    found = links_in(route(linking, [refused, accepted, accepted], NOW - min(0, ahead_ms)))

    assert [(EMAIL, "c1", NOW)] * 2 == [link for link in found if link[0] == EMAIL]


def test_the_links_remembered_are_the_last_ones_used(monkeypatch: pytest.MonkeyPatch, linking: Routing) -> None:
    monkeypatch.setattr(links, "REMEMBERED_MAX", 2)

    found = links_in(route(linking, [seen(email=f"{name}@x.org") for name in "abacab"], NOW))

    assert [f"email:{name}@x.org" for name in "abbc"] == sorted(child for child, _, _ in found)


def test_a_router_that_starts_again_writes_its_links_again(linking: Routing) -> None:
    once = links_in(route(linking, [seen()], NOW))

    again = Routing(SETTINGS, dead_letter_partitions=3, policy=MODEL.policy())

    assert once == links_in(route(again, [seen()], NOW))


def test_an_operation_goes_to_the_partition_of_the_lower_identifier(linking: Routing) -> None:
    value = touchpoint("o1", channel="identity", type="unlink", identifiers={"device_id": "d1"})

    routed = route(linking, [Rec(None, value, NOW + 5)], NOW)

    unlink = Unlink(profile_id=DEVICE, arrived_at=NOW, at=T0, parent="c1", event_id="o1")
    assert {DEVICE: [(partition_for(DEVICE.encode(), 8), unlink)]} == logged(routed)
    assert {"unlink": 1} == routed.written
    assert {"touchpoints.web": 1} == routed.admitted


def test_an_operation_that_cannot_be_carried_out_is_a_dead_letter_with_its_bytes(linking: Routing) -> None:
    value = touchpoint("o1", channel="identity", type="link")

    routed = route(linking, [Rec(b"k", value)], NOW)

    assert {("touchpoints.web", Reason.UNSUPPORTED_ALIAS): 1} == routed.refused
    assert value == routed.dead_letters[0][0][1]
    assert {} == routed.log


def test_the_dead_letter_of_a_framed_value_has_its_frame(routing: Routing) -> None:
    values = [frame_of(7) + b"\x08Avro", frame_of(7) + touchpoint(type=None)]

    routed = route(routing, [Rec(None, value) for value in values], NOW)

    assert values == [row[1] for row in routed.dead_letters[0]]


RAW = ("ann.secret@example.org", "+493012345678", "030 1234 5678")


def with_pseudonyms(**values: Any) -> Rec:
    """A record that holds raw identifiers wherever one may."""
    value = touchpoint(
        customer_id=None, identifiers={"email": RAW[0].upper(), "phone": RAW[2]}, contact=RAW[0], **values
    )
    return Rec(RAW[0].encode(), value, headers=(("mail", RAW[0].encode()), ("traceparent", b"00-1")))


@pytest.mark.parametrize(
    "record",
    [
        with_pseudonyms(),
        with_pseudonyms(channel="identity", type="link"),
        with_pseudonyms(type=None),
        with_pseudonyms(occurred_at=RAW[0]),
        with_pseudonyms()._replace(value=RAW[0].encode()),
        with_pseudonyms()._replace(value=None),
        with_pseudonyms(properties={"x": "y" * 10_000_000}),
    ],
    ids=["touchpoint", "operation", "bad field", "bad time", "no JSON", "nothing", "too large"],
)
def test_no_raw_identifier_leaves_a_router_that_makes_pseudonyms(record: Rec) -> None:
    policy = MODEL.policy(Pseudonyms(b"k" * 32, ["email", "phone"]))
    routing = Routing(SETTINGS, dead_letter_partitions=3, policy=policy)

    routed = route(routing, [record], NOW)

    rows = [row for found in (routed.log, routed.dead_letters) for some in found.values() for row in some]
    assert rows
    written = json.dumps(rows, default=lambda value: value.decode()).lower()
    assert not any(raw in written for raw in RAW)


def test_a_dead_letter_of_a_router_that_makes_pseudonyms_says_where_the_record_is() -> None:
    policy = MODEL.policy(Pseudonyms(b"k" * 32, ["email"]))
    routing = Routing(SETTINGS, dead_letter_partitions=3, policy=policy)

    routed = route(routing, [with_pseudonyms(type=None)._replace(partition=2, offset=7)], NOW)

    ((key, value, headers, _),) = routed.dead_letters[2]
    assert (None, None) == (key, value)
    assert {
        "dead_letter_reason": b"invalid_touchpoint",
        "dead_letter_topic": b"touchpoints.web",
        "dead_letter_partition": b"2",
        "dead_letter_offset": b"7",
        "dead_letter_stage": b"router",
        "dead_letter_withheld": b"key, value and headers",
        "dead_letter_detail": b"type: Input should be a valid string",
        "dead_letter_timestamp": b"%d" % T0,
    } == dict(headers)
