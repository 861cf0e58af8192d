from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey_stream.events.identifiers import BLOCKED, DEFAULT, NORMALISATION, RANKS, IdentifierRule, Policy

VALUES = {kind: f"{kind}-1" for kind in RANKS} | {"email": "ann@example.org", "phone": "+4930123456"}


def policy(*kinds: str | IdentifierRule, **options: Any) -> Policy:
    return Policy([IdentifierRule.default(kind) if isinstance(kind, str) else kind for kind in kinds], **options)


@pytest.mark.parametrize(("higher", "lower"), list(combinations(RANKS, 2)))
def test_the_highest_identifier_owns_the_touchpoint(higher: str, lower: str) -> None:
    identifiers = {lower: VALUES[lower], higher: VALUES[higher]}

    assert DEFAULT.owner_of(identifiers) == DEFAULT.profile_id(higher, VALUES[higher])
    assert DEFAULT.profile_ids_of(identifiers) == [DEFAULT.profile_id(one, VALUES[one]) for one in (higher, lower)]


@pytest.mark.parametrize(
    "placeholder", [*sorted(BLOCKED), "0", "000", "00000000-0000-0000-0000-000000000000", " NULL "]
)
def test_a_placeholder_names_nobody(placeholder: str) -> None:
    assert DEFAULT.owner_of({"customer_id": placeholder}) is None


def test_a_placeholder_gives_way_to_the_next_identifier() -> None:
    assert DEFAULT.owner_of({"customer_id": "null", "device_id": "d7"}) == "device_id:d7"


def test_an_unknown_identifier_type_names_nobody() -> None:
    assert DEFAULT.owner_of({"shoe_size": "44"}) is None


def test_a_customer_id_is_its_own_profile_id() -> None:
    assert DEFAULT.owner_of({"customer_id": "c42"}) == "c42"


def test_a_value_of_the_highest_type_is_its_own_profile_id_unless_it_looks_like_another() -> None:
    own = policy("member", "customer_id")

    assert ["m1", "customer_id:c1"] == own.profile_ids_of({"customer_id": "c1", "member": "m1"})
    assert ["member:customer_id:c1"] == own.profile_ids_of({"member": "customer_id:c1"})


def test_a_customer_id_that_looks_like_an_email_profile_stays_apart_from_it() -> None:
    assert DEFAULT.profile_id("customer_id", "email:ann@example.org") == "customer_id:email:ann@example.org"


@given(st.tuples(st.sampled_from(RANKS), st.text()), st.tuples(st.sampled_from(RANKS), st.text()))
def test_two_identifiers_never_share_a_profile_id(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (DEFAULT.profile_id(*one) == DEFAULT.profile_id(*other)) == (one == other)


@given(st.tuples(st.sampled_from(["member", *RANKS]), st.text() | st.just("member:1")), st.sampled_from(RANKS))
def test_a_type_of_the_models_own_shares_no_profile_id_either(one: tuple[str, str], kind: str) -> None:
    own = policy("member", *RANKS)

    assert (own.profile_id(*one) == own.profile_id(kind, "member:1")) == (one == (kind, "member:1"))


def test_the_order_is_that_of_the_policy() -> None:
    assert policy("device_id", "customer_id").profile_ids_of({"customer_id": "c1", "device_id": "d1"}) == [
        "d1",
        "customer_id:c1",
    ]


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        ("email", " Ann@X.org\n", "ann@x.org"),
        ("phone", "+49 (0)30 / 123-456", "+4930123456"),
        ("phone", "0049 30 123456", "+4930123456"),
        ("phone", "tel:+1-415-555-2671", "+14155552671"),
        ("customer_id", " C1 ", "C1"),
        ("device_id", "\tAB-1 ", "AB-1"),
    ],
)
def test_a_value_is_normalised_as_its_type_says(kind: str, written: str, value: str) -> None:
    assert DEFAULT.usable({kind: written}) == {kind: value}


@pytest.mark.parametrize(
    "written",
    ["030 123456", "4930123456", "+49", "+0301234567", "ask reception", "+49 30 123456 ext. 7", "+" + "1" * 16],
)
def test_what_cannot_be_a_phone_number_of_the_world_names_nobody(written: str) -> None:
    assert DEFAULT.usable({"phone": written}) == {}


@pytest.mark.parametrize(
    ("calling_code", "written", "value"),
    [
        ("49", "030 / 123 456", "+4930123456"),
        ("49", "+43 1 5880", "+4315880"),
        ("49", "00 43 1 5880", "+4315880"),
        ("1", "(415) 555-2671", "+14155552671"),
        ("1", "1 (415) 555-2671", "+14155552671"),
        ("39", "06 698 1234", "+39066981234"),
        ("7", "8 (912) 345-67-89", "+79123456789"),
        ("7", "812 345 67 89", "+78123456789"),
        ("36", "06 1 234 5678", "+3612345678"),
    ],
)
def test_a_number_as_it_is_dialled_at_home_has_the_calling_code_of_the_model(
    calling_code: str, written: str, value: str
) -> None:
    assert policy(IdentifierRule("phone", ("e164",), calling_code)).usable({"phone": written}) == {"phone": value}


def test_the_steps_of_a_type_are_taken_in_their_order() -> None:
    own = policy(IdentifierRule("loyalty_card", ("trim", "digits")), IdentifierRule("device_id", ()))

    assert own.usable({"loyalty_card": " 6300-1234 5678", "device_id": " A "}) == {
        "loyalty_card": "630012345678",
        "device_id": " A ",
    }
    assert own.usable({"loyalty_card": "card"}) == {}


@pytest.mark.parametrize("written", ["info@shop.example", "INFO@shop.example ", "NULL"])
def test_a_value_that_the_model_blocks_names_nobody(written: str) -> None:
    emails = IdentifierRule("email", NORMALISATION["email"], blocked=frozenset({" Info@Shop.example"}))
    own = policy("customer_id", emails)

    assert own.owner_of({"email": written}) is None
    assert own.owner_of({"email": "ann@shop.example"}) == "email:ann@shop.example"


def test_a_number_is_blocked_however_it_is_written() -> None:
    own = policy(IdentifierRule("phone", ("e164",), "49", frozenset({"030 123456"})))

    assert own.owner_of({"phone": "+49 30 12 34 56"}) is None


@given(st.sampled_from(RANKS), st.text(), st.sampled_from(["", "1", "7", "36", "39", "49"]))
def test_what_is_normal_stays_as_it_is(kind: str, written: str, calling_code: str) -> None:
    own = policy(IdentifierRule(kind, NORMALISATION.get(kind, ("trim",)), calling_code))

    for value in own.usable({kind: written}).values():
        assert own.usable({kind: value}) == {kind: value}


@given(st.text("+0123456789 ()-/.x", max_size=20), st.sampled_from(["", "1", "7", "36", "39", "49"]))
def test_a_phone_number_is_international_or_nobodys(written: str, calling_code: str) -> None:
    own = policy(IdentifierRule("phone", ("e164",), calling_code))

    for value in own.usable({"phone": written}).values():
        assert value[0] == "+"
        assert value[1] in "123456789"
        assert 7 <= len(value) - 1 <= 15
        assert own.usable({"phone": value}) == {"phone": value}


def test_a_value_with_a_null_character_names_nobody() -> None:
    assert DEFAULT.owner_of({"customer_id": "a\x00b", "email": "ann@x.org"}) == "email:ann@x.org"
