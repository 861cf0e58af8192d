from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey_stream.events.admission import LOG_VALUE_BYTES_MAX, Admitted, Refused, read_touchpoint
from journey_stream.events.reasons import Reason
from journey_stream.journey.load import preset
from tests.unit.events.json_text import touchpoint_texts
from tests.unit.events.touchpoints import touchpoint

NOON = 1_767_268_800_000


def with_raw(field: str, token: str) -> bytes:
    return touchpoint()[:-1] + f',"{field}":{token}}}'.encode()


def test_a_plain_touchpoint_is_admitted_with_its_bytes() -> None:
    value = touchpoint()

    assert Admitted("c1", NOON, value) == read_touchpoint(value)


@pytest.mark.parametrize(
    "occurred_at",
    [
        "2026-01-01T12:00:00Z",
        "2026-01-01T12:00:00.000+00:00",
        "2026-01-01T14:30:00+02:30",
        "2026-01-01 12:00:00Z",
        NOON // 1000,
        NOON / 1000,
        NOON,
    ],
)
def test_an_instant_may_be_rfc_3339_or_seconds_or_milliseconds(occurred_at: str | float) -> None:
    admitted = read_touchpoint(touchpoint(occurred_at=occurred_at))

    assert isinstance(admitted, Admitted)
    assert admitted.occurred_at == NOON


@pytest.mark.parametrize(
    ("occurred_at", "ms"),
    [
        (-1, -1_000),
        (-1.25, -1_250),
        ("-1.25", -1_250),
        (-5_850_477.688, -5_850_477_688),
        (-20_000_000_000.5, -20_000_000_001),
        (-1_704_067_200_000.25, -1_704_067_200_001),
    ],
)
def test_a_number_before_the_epoch_counts_backwards_with_its_fraction(occurred_at: str | float, ms: int) -> None:
    admitted = read_touchpoint(touchpoint(occurred_at=occurred_at))

    assert isinstance(admitted, Admitted)
    assert admitted.occurred_at == ms


@pytest.mark.parametrize("token", ["-1e300", "-62135596800001.5"])
def test_a_fraction_too_far_back_is_refused(token: str) -> None:
    value = touchpoint(occurred_at=...)[:-1] + f',"occurred_at":{token}}}'.encode()
    refused = read_touchpoint(value)

    assert isinstance(refused, Refused)
    assert (refused.reason, refused.detail.split(":")[0]) == (Reason.INVALID_TOUCHPOINT, "occurred_at")


@pytest.mark.parametrize(
    ("changes", "profile_id"),
    [
        ({"identifiers": ..., "customer_id": "c9"}, "c9"),
        ({"identifiers": ..., "customer_id": 9}, "9"),
        ({"customer_id": "c1"}, "c1"),
        ({"identifiers": {"email": "ann@example.org", "device_id": "d1"}}, "email:ann@example.org"),
        ({"identifiers": {"customer_id": "0", "phone": "+49 30 1234567"}}, "phone:+49301234567"),
        ({"identifiers": {"customer_id": "0", "loyalty_card": 4930123}}, "loyalty_card:4930123"),
        ({"identifiers": {"email": " Ann@X.org "}}, "email:ann@x.org"),
        ({"identifiers": {"customer_id": "émile\t1"}}, "émile\t1"),
    ],
)
def test_a_touchpoint_belongs_to_its_highest_identifier(changes: dict[str, Any], profile_id: str) -> None:
    admitted = read_touchpoint(touchpoint(**changes))

    assert isinstance(admitted, Admitted)
    assert admitted.profile_id == profile_id


@pytest.mark.parametrize(
    "changes",
    [
        {"event_id": 17},
        {"channel": 3, "type": 4},
        {"value": 10, "currency": "EUR", "campaign": 2026},
        {"value": -0.5},
        {"something_new": {"deep": [1, None]}},
        {"properties": None},
        {"identifiers": {"customer_id": "c1", "email": None}},
        {"identifiers": {"customer_id": None}, "customer_id": "c1"},
        {"identifiers": None, "customer_id": "c1"},
        {"properties": {"control": "\x00\x1f", "big": 10**40}},
        {"schema_version": 1},
        {"occurred_at": "1969-07-20T20:17:40Z"},
        {"occurred_at": "9999-12-31T23:59:59Z"},
    ],
    ids=str,
)
def test_these_are_admitted(changes: dict[str, Any]) -> None:
    assert isinstance(read_touchpoint(touchpoint(**changes)), Admitted)


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (None, Reason.EMPTY_VALUE, "null or empty"),
        (b"", Reason.EMPTY_VALUE, "null or empty"),
        (b"{", Reason.INVALID_JSON, "EOF"),
        (b"\xff\xfe{}", Reason.INVALID_JSON, "expected value"),
        (b"\xef\xbb\xbf" + touchpoint(), Reason.INVALID_JSON, "expected value"),
        (touchpoint() + touchpoint(), Reason.INVALID_JSON, "trailing characters"),
        (b"[" * 100_000, Reason.INVALID_JSON, "recursion limit"),
        (with_raw("x", '"\xff"').replace("\xff".encode(), b"\xff"), Reason.INVALID_JSON, "unicode"),
        (with_raw("x", r'"\ud800"'), Reason.INVALID_JSON, "hex escape"),
        (with_raw("x", "NaN"), Reason.INVALID_JSON, "malformed"),
        (with_raw("properties", '{"a":[-Infinity]}'), Reason.INVALID_JSON, "malformed"),
        (with_raw("properties", '{"a":[1e999]}'), Reason.INVALID_TOUCHPOINT, "out of range"),
        (with_raw("campaign", "1e999"), Reason.INVALID_TOUCHPOINT, "out of range"),
        (with_raw("value", "1e999"), Reason.INVALID_TOUCHPOINT, "value: Input should be a finite number"),
        (b"null", Reason.INVALID_TOUCHPOINT, "should be an object"),
        (b"[]", Reason.INVALID_TOUCHPOINT, "should be an object"),
        (touchpoint(event_id=...), Reason.INVALID_TOUCHPOINT, "event_id: Field required"),
        (touchpoint(event_id=""), Reason.INVALID_TOUCHPOINT, "event_id: "),
        (touchpoint(event_id="e" * 257), Reason.INVALID_TOUCHPOINT, "event_id: "),
        (touchpoint(event_id=1.5), Reason.INVALID_TOUCHPOINT, "$.event_id"),
        (touchpoint(event_id=True), Reason.INVALID_TOUCHPOINT, "event_id: "),
        (touchpoint(channel=""), Reason.INVALID_TOUCHPOINT, "channel: "),
        (touchpoint(type=None), Reason.INVALID_TOUCHPOINT, "type: "),
        (touchpoint(value="12.5"), Reason.INVALID_TOUCHPOINT, "value: Input should be a valid number (found '12.5')"),
        (touchpoint(value=True), Reason.INVALID_TOUCHPOINT, "value: "),
        (touchpoint(currency="euro"), Reason.INVALID_TOUCHPOINT, "currency: "),
        (touchpoint(properties=[]), Reason.INVALID_TOUCHPOINT, "properties: "),
        (touchpoint(occurred_at="2026-01-01T12:00:00"), Reason.INVALID_TOUCHPOINT, "timezone"),
        (touchpoint(occurred_at="yesterday"), Reason.INVALID_TOUCHPOINT, "occurred_at: "),
        (touchpoint(occurred_at=True), Reason.INVALID_TOUCHPOINT, "occurred_at: "),
        (touchpoint(occurred_at=10**18), Reason.INVALID_TOUCHPOINT, "occurred_at: "),
        (touchpoint(occurred_at="0001-01-01T00:00:00+01:00"), Reason.INVALID_TOUCHPOINT, "years 1 to 9999"),
        (touchpoint(occurred_at="9999-12-31T23:59:59-01:00"), Reason.INVALID_TOUCHPOINT, "years 1 to 9999"),
        (touchpoint(customer_id="c2"), Reason.INVALID_TOUCHPOINT, "customer_id and identifiers.customer_id differ"),
        (touchpoint(identifiers={"email": True}), Reason.INVALID_TOUCHPOINT, "identifiers.email: "),
        (touchpoint(identifiers={"email": None}), Reason.MISSING_IDENTIFIER, "none given"),
        (touchpoint(schema_version=2), Reason.UNSUPPORTED_VERSION, "schema_version: Input should be 1 (found 2)"),
        (touchpoint(identifiers=...), Reason.MISSING_IDENTIFIER, "none given"),
        (touchpoint(identifiers={}), Reason.MISSING_IDENTIFIER, "none given"),
        (touchpoint(identifiers={"customer_id": "null"}), Reason.MISSING_IDENTIFIER, "none of customer_id"),
        (touchpoint(identifiers={"phone": 4930123}), Reason.MISSING_IDENTIFIER, "starts with + and the calling code"),
        (touchpoint(identifiers={"shoe_size": "44"}), Reason.MISSING_IDENTIFIER, "none of shoe_size"),
        (touchpoint(properties={"a": "x" * LOG_VALUE_BYTES_MAX}), Reason.RECORD_TOO_LARGE, "900000"),
    ],
)
def test_an_unusable_record_is_refused_with_a_reason_and_a_sentence(
    value: bytes | None, reason: Reason, detail: str
) -> None:
    refused = read_touchpoint(value)

    assert isinstance(refused, Refused)
    assert refused.reason == reason
    assert detail in refused.detail


def test_several_mistakes_are_named_at_once() -> None:
    refused = read_touchpoint(touchpoint(event_id=..., value="much", currency="euro"))

    assert isinstance(refused, Refused)
    assert ["event_id", "value", "currency"] == [part.split(":")[0] for part in refused.detail.split("; ")]


def test_a_refusal_stays_short_whatever_was_found() -> None:
    refused = read_touchpoint(touchpoint(channel=["x" * 10_000], type={"x" * 10_000: 1}, value="x" * 10_000))

    assert isinstance(refused, Refused)
    assert len(refused.detail) < 1_000


@given(st.binary())
def test_no_bytes_make_it_raise(value: bytes) -> None:
    assert isinstance(read_touchpoint(value), Admitted | Refused)


@given(touchpoint_texts())
def test_no_json_makes_it_raise(value: bytes) -> None:
    assert isinstance(read_touchpoint(value), Admitted | Refused)


IDENTITY = preset("six-stages").policy()
EVERYBODY = {"customer_id": "c1", "email": " Ann@X.org", "phone": "030 1", "device_id": "null", "anonymous_id": "a1"}


def test_the_lower_identifiers_that_name_somebody_are_told_the_highest_first() -> None:
    value = touchpoint(identifiers=EVERYBODY)

    assert Admitted("c1", NOON, value, ("email:ann@x.org", "anonymous_id:a1"), "e1") == read_touchpoint(value, IDENTITY)


def test_nothing_is_lower_where_identity_is_off_or_one_alone_names_somebody() -> None:
    several, one = touchpoint(identifiers=EVERYBODY), touchpoint(identifiers={"customer_id": "c1", "email": "n/a"})

    assert Admitted("c1", NOON, several) == read_touchpoint(several)
    assert Admitted("c1", NOON, one) == read_touchpoint(one, IDENTITY)
