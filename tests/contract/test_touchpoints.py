"""What the published schema of a touchpoint allows is admitted: a producer may test against the schema alone."""

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from journey_stream.events.admission import Admitted, read_touchpoint
from journey_stream.events.schemas import CONTRACTS, schema_of

_validator = Draft202012Validator(schema_of(CONTRACTS[0]), format_checker=FormatChecker())
_names = st.text(min_size=1, max_size=64) | st.integers(0, 10**20)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_customer = st.from_regex(r"c[0-9]{1,9}", fullmatch=True)
_optional = {
    "campaign": st.none() | st.text(max_size=256) | st.integers(),
    "value": st.none() | st.integers(-(10**18), 10**18) | st.floats(allow_nan=False, allow_infinity=False),
    "currency": st.none() | st.from_regex(r"[A-Z]{3}", fullmatch=True),
    "properties": st.dictionaries(st.text(), _json, max_size=3),
    "schema_version": st.just(1),
    "of_tomorrow": _json,
}
_offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_occurred_at = st.one_of(
    st.builds(datetime, st.integers(1900, 2200), st.integers(1, 12), st.integers(1, 28), tzinfo=_offsets).map(
        datetime.isoformat
    ),
    st.integers(0, 4_000_000_000_000),
    st.floats(0, 2e9),
)


@st.composite
def valid_touchpoints(draw: st.DrawFn) -> dict[str, Any]:
    who = draw(
        st.one_of(
            _customer.map(lambda value: {"customer_id": value}),
            st.dictionaries(st.text(min_size=1, max_size=64), st.text(max_size=512), max_size=2).flatmap(
                lambda others: _customer.map(lambda value: {"identifiers": {**others, "customer_id": value}})
            ),
        )
    )
    required = {
        "event_id": draw(_names),
        "occurred_at": draw(_occurred_at),
        "channel": draw(_names),
        "type": draw(_names),
    }
    return required | who | draw(st.fixed_dictionaries({}, optional=_optional))


@given(valid_touchpoints().filter(_validator.is_valid))
def test_what_the_schema_allows_is_admitted(document: dict[str, Any]) -> None:
    assert isinstance(read_touchpoint(json.dumps(document).encode()), Admitted)


@pytest.mark.parametrize(
    "change",
    [
        {"event_id": ""},
        {"event_id": "e" * 257},
        {"event_id": None},
        {"channel": "c" * 65},
        {"value": "12"},
        {"currency": "euro"},
        {"properties": []},
        {"schema_version": 2},
        {"identifiers": {"email": True}},
        {"occurred_at": None},
    ],
    ids=str,
)
def test_what_is_refused_does_not_fit_the_schema_either(change: dict[str, Any]) -> None:
    document = {"event_id": "e1", "occurred_at": 0, "channel": "web", "type": "visit", "customer_id": "c1"} | change

    assert not isinstance(read_touchpoint(json.dumps(document).encode()), Admitted)
    assert not _validator.is_valid(document)
