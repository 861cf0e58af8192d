from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey_stream.events.identifiers import BLOCKED, RANKS, owner_of, profile_id


@pytest.mark.parametrize(("higher", "lower"), list(combinations(RANKS, 2)))
def test_the_highest_identifier_owns_the_touchpoint(higher: str, lower: str) -> None:
    assert owner_of({lower: "l1", higher: "h1"}) == profile_id(higher, "h1")


@pytest.mark.parametrize(
    "placeholder", [*sorted(BLOCKED), "0", "000", "00000000-0000-0000-0000-000000000000", " NULL "]
)
def test_a_placeholder_names_nobody(placeholder: str) -> None:
    assert owner_of({"customer_id": placeholder}) is None


def test_a_placeholder_gives_way_to_the_next_identifier() -> None:
    assert owner_of({"customer_id": "null", "device_id": "d7"}) == "device_id:d7"


def test_an_unknown_identifier_type_names_nobody() -> None:
    assert owner_of({"shoe_size": "44"}) is None


def test_a_customer_id_is_its_own_profile_id() -> None:
    assert owner_of({"customer_id": "c42"}) == "c42"


def test_a_customer_id_that_looks_like_an_email_profile_stays_apart_from_it() -> None:
    assert profile_id("customer_id", "email:ann@example.org") == "customer_id:email:ann@example.org"


@given(st.tuples(st.sampled_from(RANKS), st.text()), st.tuples(st.sampled_from(RANKS), st.text()))
def test_two_identifiers_never_share_a_profile_id(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (profile_id(*one) == profile_id(*other)) == (one == other)
