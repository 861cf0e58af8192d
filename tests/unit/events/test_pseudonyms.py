import hashlib
import hmac
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey_stream.events.admission import Admitted, Refused, read_touchpoint
from journey_stream.events.body import read_body
from journey_stream.events.pseudonyms import Pseudonyms, is_pseudonym
from journey_stream.events.reasons import Reason
from journey_stream.journey.load import preset
from journey_stream.journey.model import Model
from tests.unit.events.json_text import touchpoint_texts

KEY = b"0123456789abcdef0123456789abcdef"
PSEUDONYMS = Pseudonyms(KEY, ["email", "phone"], ["notes"])
MODEL: Model = preset("six-stages")
POLICY = MODEL.policy(PSEUDONYMS)
RAW = ("Ann.Secret@Example.org", "ann.secret@example.org", "+49 30 7654321", "+49307654321")


def touchpoint(**changes: Any) -> bytes:
    fields = {
        "event_id": "e1",
        "occurred_at": "2026-01-01T12:00:00Z",
        "channel": "web",
        "type": "page_view",
        "identifiers": {"email": RAW[0], "phone": RAW[2], "device_id": "d1"},
    }
    return json.dumps(fields | changes).encode()


def holds_a_raw_value(text: bytes | str) -> bool:
    found = text if isinstance(text, str) else text.decode(errors="replace")
    return any(raw.lower() in found.lower() for raw in RAW)


def test_a_pseudonym_is_half_of_the_keyed_hash_of_type_and_normal_value() -> None:
    expected = hmac.new(KEY, b"email:ann.secret@example.org", hashlib.sha256).hexdigest()[:32]

    assert f"hmac-{expected}" == PSEUDONYMS.of("email", "ann.secret@example.org")
    assert is_pseudonym(f"hmac-{expected}")


def test_a_value_is_replaced_in_the_profile_ids_and_in_the_bytes_that_go_on() -> None:
    email, phone = PSEUDONYMS.of("email", RAW[1]), PSEUDONYMS.of("phone", RAW[3])

    admitted = read_touchpoint(touchpoint(), POLICY)

    assert isinstance(admitted, Admitted)
    assert f"email:{email}" == admitted.profile_id
    assert (f"phone:{phone}", "device_id:d1") == admitted.lower
    assert {"email": email, "phone": phone, "device_id": "d1"} == json.loads(admitted.value)["identifiers"]
    assert not holds_a_raw_value(repr(admitted))


def test_another_key_makes_other_people() -> None:
    other = MODEL.policy(Pseudonyms(KEY[::-1], ["email"]))

    one, another = read_touchpoint(touchpoint(), POLICY), read_touchpoint(touchpoint(), other)

    assert isinstance(one, Admitted)
    assert isinstance(another, Admitted)
    assert one.profile_id != another.profile_id


def test_a_pseudonym_that_comes_in_stays_as_it_is() -> None:
    admitted = read_touchpoint(touchpoint(), POLICY)
    assert isinstance(admitted, Admitted)

    again = read_touchpoint(admitted.value, POLICY)

    assert isinstance(again, Admitted)
    assert (admitted.profile_id, admitted.lower) == (again.profile_id, again.lower)


@pytest.mark.parametrize(
    "changes",
    [
        {"email": RAW[0], "contact": {"mail": RAW[1]}},
        {"identifiers": {"customer_id": "c1", "e-mail": RAW[0]}},
        {"identifiers": {"customer_id": "c1", "phone": "tel " + RAW[2]}},
        {"properties": {"sku": "A1", "notes": f"write to {RAW[0]}"}},
    ],
)
def test_what_nobody_needs_does_not_go_on(changes: dict[str, Any]) -> None:
    admitted = read_touchpoint(touchpoint(**changes), POLICY)

    assert isinstance(admitted, Admitted)
    assert not holds_a_raw_value(admitted.value)


@given(touchpoint_texts())
def test_rules_read_the_same_from_the_bytes_that_go_on(value: bytes) -> None:
    plain, admitted = read_touchpoint(value, MODEL.policy()), read_touchpoint(value, POLICY)

    assert type(plain) is type(admitted)
    if isinstance(plain, Admitted) and isinstance(admitted, Admitted):
        assert plain.occurred_at == admitted.occurred_at
        before, after = read_body(plain.value), read_body(admitted.value)
        if before.properties is not None:
            before.properties.pop("notes", None)
        assert msgspec.json.encode(before) == msgspec.json.encode(after)
        assert isinstance(read_touchpoint(admitted.value, MODEL.policy()), Admitted)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (touchpoint(occurred_at=RAW[0]), Reason.INVALID_TOUCHPOINT),
        (touchpoint(identifiers={RAW[0]: None}), Reason.MISSING_IDENTIFIER),
        (touchpoint(identifiers={RAW[0]: True}), Reason.INVALID_TOUCHPOINT),
        (touchpoint(identifiers=RAW[0]), Reason.INVALID_TOUCHPOINT),
        (touchpoint(identifiers={"email": [RAW[0]]}), Reason.INVALID_TOUCHPOINT),
        (touchpoint(identifiers={RAW[0]: "1"}), Reason.MISSING_IDENTIFIER),
        (touchpoint(identifiers={"phone": "tel " + RAW[2]}), Reason.MISSING_IDENTIFIER),
        (touchpoint(currency=RAW[0], channel=[RAW[0]]), Reason.INVALID_TOUCHPOINT),
        (touchpoint(event_id={RAW[0]: 1}), Reason.INVALID_TOUCHPOINT),
        (touchpoint(schema_version=RAW[0]), Reason.UNSUPPORTED_VERSION),
        (touchpoint(channel="identity", type=RAW[0]), Reason.INVALID_TOUCHPOINT),
        (touchpoint(channel="identity", type="link", properties={"who": [RAW[0]]}), Reason.INVALID_TOUCHPOINT),
        (touchpoint(channel="identity", type="link", identifiers={"email": RAW[0], RAW[0]: "1"}),
         Reason.UNSUPPORTED_ALIAS),
        (touchpoint()[:-4] + RAW[0].encode(), Reason.INVALID_JSON),
        (RAW[0].encode(), Reason.INVALID_JSON),
    ],
)  # fmt: skip
def test_a_refusal_quotes_nothing(value: bytes, reason: Reason) -> None:
    refused = read_touchpoint(value, POLICY)

    assert isinstance(refused, Refused)
    assert reason == refused.reason
    assert not holds_a_raw_value(refused.detail)


def test_a_key_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="31 bytes; expected at least 32"):
        Pseudonyms(b"k" * 31, ["email"])


@given(st.text())
def test_only_what_looks_like_a_pseudonym_is_taken_for_one(value: str) -> None:
    assert not is_pseudonym(value)
    assert not is_pseudonym(PSEUDONYMS.of("email", value) + "0")
