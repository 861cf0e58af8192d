import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journey_stream.events.admission import Admitted, Refused, read_by_contract, read_touchpoint
from journey_stream.events.identifiers import DEFAULT, IdentifierRule, Policy
from journey_stream.events.plain import read_plain
from journey_stream.journey.load import preset
from tests.unit.events.json_text import touchpoint_texts


def touchpoint(**changes: Any) -> bytes:
    fields = {
        "event_id": "e1",
        "occurred_at": "2026-01-01T12:00:00.123Z",
        "channel": "web",
        "type": "page_view",
        "identifiers": {"customer_id": "c1"},
    }
    return json.dumps(fields | changes).encode()


instants = st.one_of(
    st.from_regex(r"\A[0-9]{4}-[0-9W]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]{3}|[.,][0-9]{6})?Z\Z"),
    st.from_regex(r"\A(19|20)[0-9]{2}-(0[1-9]|1[0-2])-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9](\.[0-9]{6})?Z\Z"),
    st.datetimes().map(lambda instant: instant.isoformat() + "Z"),
)


OWN = Policy(
    [IdentifierRule("phone", ("e164",), "49", frozenset({"+49 1"})), IdentifierRule("x"), IdentifierRule("email")]
)
policies = st.sampled_from([DEFAULT, preset("six-stages").policy(), OWN])


@given(value=touchpoint_texts(), policy=policies)
@settings(max_examples=300)
def test_what_is_read_fast_is_admitted_by_the_contract_with_the_same_meaning(value: bytes, policy: Policy) -> None:
    assert read_by_contract(value, policy) == read_touchpoint(value, policy)


@given(
    identifiers=st.dictionaries(
        st.sampled_from(["customer_id", "email", "phone", "device_id", "x"]),
        st.sampled_from([" A@x.org ", "null", "030 123456", "+49 30 123456", "0", "c1", " c1"]) | st.text(max_size=5),
    ),
    channel=st.sampled_from(["web", "identity"]),
    kind=st.sampled_from(["link", "unlink", "block", "view"]),
    policy=policies,
)
@settings(max_examples=300)
def test_identifiers_mean_the_same_fast_and_by_the_contract(
    identifiers: dict[str, str], channel: str, kind: str, policy: Policy
) -> None:
    value = touchpoint(identifiers=identifiers, channel=channel, type=kind)

    assert read_by_contract(value, policy) == read_touchpoint(value, policy)


numbers = st.one_of(
    st.integers(),
    st.integers(-(10**11), 10**11),
    st.integers(-(10**15), 10**15),
    st.sampled_from([0, -1, 2 * 10**10, 2 * 10**10 + 1, 253_402_300_799_999, 253_402_300_800_000]),
)


@given(occurred_at=instants | numbers)
@settings(max_examples=600)
def test_an_instant_means_the_same_fast_and_by_the_contract(occurred_at: str | int) -> None:
    value = touchpoint(occurred_at=occurred_at)

    assert read_by_contract(value) == read_touchpoint(value)


@given(
    fields=st.fixed_dictionaries(
        {},
        optional={
            "event_id": st.text(max_size=300),
            "channel": st.text(max_size=70),
            "customer_id": st.sampled_from(["c1", "c2", None, "0", ""]),
            "identifiers": st.dictionaries(
                st.sampled_from(["email", "customer_id", "", "x" * 65]), st.text(max_size=5)
            ),
            "currency": st.sampled_from(["EUR", "EUR\n", "eur", "", None, "ÄÖÜ"]),
            "campaign": st.one_of(st.none(), st.text(max_size=300)),
            "value": st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
            "schema_version": st.sampled_from([1, 2, "1", True, 1.0, None]),
            "properties": st.one_of(st.none(), st.dictionaries(st.text(max_size=3), st.integers(), max_size=3)),
        },
    )
)
@settings(max_examples=300)
def test_a_field_of_any_shape_means_the_same_fast_and_by_the_contract(fields: dict[str, Any]) -> None:
    value = touchpoint(**fields)

    assert read_by_contract(value) == read_touchpoint(value)


@pytest.mark.parametrize(
    "occurred_at", ["2026-01-01T12:00:00Z", "2026-01-01T12:00:00.123Z", 1_767_268_800, 1_767_268_800_000]
)
def test_a_plain_touchpoint_is_read_fast(occurred_at: str | int) -> None:
    value = touchpoint(occurred_at=occurred_at, value=3, currency="EUR", properties={"sku": "a"})

    assert read_plain(value) is not None
    assert isinstance(read_touchpoint(value), Admitted)


@pytest.mark.parametrize(
    "occurred_at",
    [
        "2026-01-31T09330300Z",
        "2026-01-31T09:330300Z",
        "2026-01-31T093000.1Z",
        "2026-01-31T093000.Z1Z",
        "2026-01-31T0930+0000",
        "2026-01-31T09300000.000Z",
        "2026-01-31T09:30:60Z",
        "2026-01-31T24:00:00Z",
        "2026-W05-6T09:30:00Z",
    ],
)
def test_an_instant_in_any_other_notation_of_the_same_length_is_left_to_the_contract(occurred_at: str) -> None:
    value = touchpoint(occurred_at=occurred_at)

    assert read_plain(value) is None
    assert isinstance(read_by_contract(value), Refused)


def test_what_nests_deeply_is_left_to_the_contract_which_refuses_it() -> None:
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]

    assert read_plain(touchpoint(properties={"x": deep})) is None
    assert isinstance(read_touchpoint(touchpoint(properties={"x": deep})), Refused)


def test_what_is_long_but_flat_is_read_fast() -> None:
    assert read_plain(touchpoint(properties={f"p{n}": [n] for n in range(150)})) is not None
