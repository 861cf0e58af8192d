import pytest
import yaml

from journey_stream.events.identifiers import DEFAULT, RANKS, IdentifierRule
from journey_stream.journey.describe import markdown
from journey_stream.journey.load import parse_model
from journey_stream.journey.model import Identity, Model
from tests.unit.journey.model_texts import GOOD, message_of, mistakes_of

DAY_MS = 86_400_000
SECTION = """\
identity:
  identifiers:
    - member
    - {type: email, blocked: [info@shop.example, " Sales@shop.example"]}
    - {type: phone, calling_code: 49}
    - {type: card, normalise: [trim, digits]}
    - {type: device_id, normalise: []}
    - {type: anonymous_id, normalise: trim}
  look_back: 7d
  shared_after: {customers: 2, parents: 20}
"""


def model_with(section: str) -> Model:
    return parse_model(GOOD + section, "shop.yaml")


def test_a_file_that_says_nothing_has_the_usual_identity() -> None:
    assert Identity() == model_with("").identity
    assert RANKS == model_with("").policy().ranks
    assert model_with("").policy().links


def test_identity_may_be_off() -> None:
    model = model_with("identity: off\n")

    assert model.identity is None
    assert DEFAULT is model.policy()


def test_a_section_says_the_order_and_how_values_are_read() -> None:
    identity = model_with(SECTION).identity

    assert identity is not None
    assert ("member", "email", "phone", "card", "device_id", "anonymous_id") == identity.ranks
    assert (7 * DAY_MS, 2, 20) == (identity.look_back_ms, identity.customers_max, identity.parents_max)
    assert (
        IdentifierRule("member"),
        IdentifierRule("email", ("trim", "lower"), "", frozenset({"info@shop.example", " Sales@shop.example"})),
        IdentifierRule("phone", ("e164",), "49"),
        IdentifierRule("card", ("trim", "digits")),
        IdentifierRule("device_id", ()),
        IdentifierRule("anonymous_id"),
    ) == identity.identifiers()


@pytest.mark.parametrize("section", ["", "identity: off\n", "identity: {look_back: 0s}\n", SECTION])
def test_a_model_with_identity_survives_being_written_and_read(section: str) -> None:
    model = model_with(section)

    again = parse_model(yaml.safe_dump(model.to_document(), sort_keys=False), "again.yaml")

    assert again == model
    assert again.fingerprint == model.fingerprint


def test_what_is_said_as_it_is_by_default_changes_nothing() -> None:
    said = "identity:\n  identifiers: [customer_id, loyalty_card, {type: email, normalise: [trim, lower]}, phone, "

    model = model_with(said + "device_id, anonymous_id]\n  shared_after: {customers: 3}\n")

    assert model_with("") == model


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("look_back: 7d", "look_back: 8d"),
        ("customers: 2", "customers: 3"),
        ("parents: 20", "parents: 21"),
        ("calling_code: 49", "calling_code: 43"),
        ("[trim, digits]", "[digits]"),
        (" Sales@", " Support@"),
        ("- member\n", "- customer_id\n"),
    ],
)
def test_the_fingerprint_tells_apart_who_is_who(old: str, new: str) -> None:
    assert SECTION.count(old) == 1

    assert model_with(SECTION).fingerprint != model_with(SECTION.replace(old, new)).fingerprint


@pytest.mark.parametrize(
    ("section", "mistake"),
    [
        ("identity: on\n", (18, "identity", "'on'")),
        ("identity: [email]\n", (18, "identity", "a list")),
        ("identity: {identifier: [email]}\n", (18, "identity.identifier", "an unknown field")),
        ("identity: {identifiers: []}\n", (18, "identity.identifiers", "no identifier types")),
        ("identity: {identifiers: [email, email]}\n", (18, "identity.identifiers[1]", "'email'")),
        ("identity: {identifiers: ['a:b']}\n", (18, "identity.identifiers[0]", "'a:b'")),
        ("identity: {identifiers: [{normalise: [trim]}]}\n", (18, "identity.identifiers[0].type", "nothing")),
        (
            "identity: {identifiers: [{type: x, normalise: [trimm]}]}\n",
            (18, "identity.identifiers[0].normalise[0]", "'trimm'"),
        ),
        (
            "identity: {identifiers: [{type: x, normalise: [trim, trim]}]}\n",
            (18, "identity.identifiers[0].normalise[1]", "'trim'"),
        ),
        (
            "identity: {identifiers: [{type: phone, calling_code: '+49'}]}\n",
            (18, "identity.identifiers[0].calling_code", "'+49'"),
        ),
        (
            "identity: {identifiers: [{type: email, calling_code: 49}]}\n",
            (18, "identity.identifiers[0].calling_code", "a calling code"),
        ),
        ("identity: {look_back: soon}\n", (18, "identity.look_back", "'soon'")),
        ("identity: {shared_after: {customers: 0}}\n", (18, "identity.shared_after.customers", "0")),
        ("identity: {shared_after: {customers: 60}}\n", (18, "identity.shared_after.customers", "60")),
        ("identity: {shared_after: {parents: 2}}\n", (18, "identity.shared_after.parents", "2")),
    ],
)
def test_a_mistake_has_its_line_and_field(section: str, mistake: tuple[int, str, str]) -> None:
    assert [mistake] == mistakes_of(GOOD + section)


def test_a_step_that_there_is_not_is_told_with_those_that_there_are() -> None:
    message = message_of(GOOD + "identity: {identifiers: [{type: email, normalise: [lowr]}]}\n")

    assert "expected a step of normalisation: trim, lower, digits, e164 (did you mean 'lower'?)" in message


def test_more_types_than_a_touchpoint_may_pass_through_are_refused() -> None:
    types = ", ".join(f"t{number}" for number in range(17))

    assert [(18, "identity.identifiers", "17 identifier types")] == mistakes_of(
        f"{GOOD}identity: {{identifiers: [{types}]}}\n"
    )


def test_the_page_of_a_model_says_who_is_who() -> None:
    page = markdown(model_with(SECTION))

    assert "Identifiers, the best first: member, email, phone, card, device_id, anonymous_id." in page
    assert (
        "A link reaches 7d back; what is linked to more than 2 of the type member or 20 of any type is shared" in page
    )
    assert "| phone | e164 (calling code 49) |  |" in page
    assert "| device_id | as it is |  |" in page
    assert "nothing links one to another" in markdown(model_with("identity: off\n"))
