import json
from typing import Any

import pytest

from journey_stream.events.admission import Refused, read_touchpoint
from journey_stream.events.operations import ONE_TYPE, Operation
from journey_stream.events.pseudonyms import Pseudonyms
from journey_stream.events.reasons import Reason
from journey_stream.events.records import Block, Link, Unlink
from journey_stream.journey.load import preset

NOON = 1_767_268_800_000
POLICY = preset("six-stages").policy()
PAIR = {"device_id": "d7", "customer_id": "c42"}
WHO = {"who": "kim", "why": "sold the tablet"}


def operation(kind: str, identifiers: dict[str, Any], **properties: Any) -> bytes:
    return json.dumps(
        {
            "event_id": "o1",
            "occurred_at": NOON,
            "channel": "identity",
            "type": kind,
            "identifiers": identifiers,
            "properties": WHO | properties,
        }
    ).encode()


def test_a_link_by_hand_joins_the_lower_identifier_to_the_higher_one_since_it_was_decided() -> None:
    link = Link(
        profile_id="device_id:d7",
        at=NOON,
        parent="c42",
        event_id="o1",
        manual=True,
        decided_at=NOON,
        by="kim",
        why="sold the tablet",
    )

    assert Operation(link, NOON) == read_touchpoint(operation("link", PAIR), POLICY)


def test_a_link_by_hand_may_hold_since_long_before() -> None:
    found = read_touchpoint(operation("link", PAIR, at="2025-12-01T00:00:00Z"), POLICY)

    assert isinstance(found, Operation)
    assert isinstance(found.message, Link)
    assert (1_764_547_200_000, NOON, NOON) == (found.message.at, found.message.decided_at, found.occurred_at)


@pytest.mark.parametrize("since", [None, "2025-12-01T00:00:00Z", 1_764_547_200, 1_764_547_200_000])
def test_an_unlink_says_until_when_and_from_when(since: str | int | None) -> None:
    found = read_touchpoint(operation("unlink", PAIR, since=since), POLICY)

    when = None if since is None else 1_764_547_200_000
    unlink = Unlink(
        profile_id="device_id:d7", at=NOON, parent="c42", event_id="o1", since=when, by="kim", why="sold the tablet"
    )
    assert Operation(unlink, NOON) == found


def test_a_block_names_one_identifier() -> None:
    found = read_touchpoint(operation("block", {"email": "Info@Shop.example"}), POLICY)

    block = Block(profile_id="email:info@shop.example", at=NOON, event_id="o1", by="kim", why="sold the tablet")
    assert Operation(block, NOON) == found


def test_a_bare_customer_id_is_one_of_the_two() -> None:
    value = json.loads(operation("link", {"email": "ann@x.org"})) | {"customer_id": "c1"}

    found = read_touchpoint(json.dumps(value).encode(), POLICY)

    assert isinstance(found, Operation)
    assert isinstance(found.message, Link)
    assert ("email:ann@x.org", "c1") == (found.profile_id, found.message.parent)


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (operation("link", {"email": "a@x.org"}), Reason.UNSUPPORTED_ALIAS, ONE_TYPE),
        (operation("link", {"email": ["a@x.org", "b@x.org"]}), Reason.UNSUPPORTED_ALIAS, ONE_TYPE),
        (operation("unlink", PAIR | {"email": "a@x.org"}), Reason.UNSUPPORTED_ALIAS, "one operation for each pair"),
        (
            operation("link", PAIR | {"device_id": "null"}),
            Reason.UNSUPPORTED_ALIAS,
            "of the type device_id names nobody",
        ),
        (
            operation("link", {"email": "a@x.org", "shoe": "4"}),
            Reason.UNSUPPORTED_ALIAS,
            "of no type that the model has",
        ),
        (operation("block", PAIR), Reason.UNSUPPORTED_ALIAS, "block takes one"),
        (operation("block", {"email": "n/a"}), Reason.MISSING_IDENTIFIER, "none of them"),
        (operation("link", {}), Reason.MISSING_IDENTIFIER, "none of them"),
        (operation("merge", PAIR), Reason.INVALID_TOUCHPOINT, "expected link, unlink, block"),
        (operation("link", PAIR, at="yesterday"), Reason.INVALID_TOUCHPOINT, "properties.at: expected an instant"),
        (operation("unlink", PAIR, since=True), Reason.INVALID_TOUCHPOINT, "properties.since: expected an instant"),
        (operation("unlink", PAIR, since="2025-12-01"), Reason.INVALID_TOUCHPOINT, "properties.since"),
        (operation("unlink", PAIR, since=10**30), Reason.INVALID_TOUCHPOINT, "properties.since"),
        (operation("link", PAIR, who=["kim"]), Reason.INVALID_TOUCHPOINT, "properties.who: expected a text"),
        (operation("link", PAIR, why="x" * 1_001), Reason.INVALID_TOUCHPOINT, "properties.why: expected a text"),
    ],
)
def test_what_cannot_be_said_of_a_lower_and_a_higher_identifier_is_refused(
    value: bytes, reason: Reason, detail: str
) -> None:
    refused = read_touchpoint(value, POLICY)

    assert isinstance(refused, Refused)
    assert reason == refused.reason
    assert detail in refused.detail


def test_where_identity_is_off_there_is_nothing_to_operate_on() -> None:
    refused = read_touchpoint(operation("link", PAIR))

    assert isinstance(refused, Refused)
    assert Reason.UNSUPPORTED_ALIAS == refused.reason
    assert "identity: off" in refused.detail


def test_an_operation_may_name_what_it_is_about_or_the_pseudonym_that_the_outputs_show() -> None:
    pseudonyms = Pseudonyms(b"k" * 32, ["email"])
    policy = preset("six-stages").policy(pseudonyms)
    shown = pseudonyms.of("email", "ann@x.org")

    named, by_pseudonym = (
        read_touchpoint(operation("block", {"email": email}), policy) for email in (" Ann@X.org", shown)
    )

    assert isinstance(named, Operation)
    assert f"email:{shown}" == named.profile_id
    assert named == by_pseudonym
