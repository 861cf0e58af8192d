from typing import Any

import pytest

from journey_stream.events.schemas import CONTRACTS, incompatibilities, schema_of

Schema = dict[str, Any]


def document(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": True}


TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"anyOf": [TEXT, {"type": "null"}]}
NUMBER: Schema = {"type": "number"}

INPUT_BREAKS = {
    "a new required field": (document(a=TEXT), document(("b",), a=TEXT, b=TEXT), "b: is required"),
    "an optional field made required": (document(a=TEXT), document(("a",), a=TEXT), "a: is required"),
    "a removed field": (document(a=TEXT, b=TEXT), document(a=TEXT), "b: was removed"),
    "another type": (document(a=TEXT), document(a=NUMBER), "a: type string is no longer number"),
    "null no longer accepted": (document(a=TEXT_OR_NULL), document(a=TEXT), "a: type null"),
    "one of two types gone": (document(a={"type": ["string", "number"]}), document(a=TEXT), "a: type number"),
    "a shorter text": (document(a={**TEXT, "maxLength": 9}), document(a={**TEXT, "maxLength": 8}), "a: maxLength 9"),
    "a first limit": (document(a=TEXT), document(a={**TEXT, "maxLength": 8}), "a: maxLength none"),
    "a higher minimum": (document(a={**NUMBER, "minimum": 0}), document(a={**NUMBER, "minimum": 1}), "a: minimum 0"),
    "a pattern": (document(a=TEXT), document(a={**TEXT, "pattern": "^x"}), "a: pattern"),
    "a format": (document(a=TEXT), document(a={**TEXT, "format": "date-time"}), "a: format"),
    "a value struck from a list": (document(a={"enum": ["x", "y"]}), document(a={"enum": ["x"]}), "a: 'y'"),
    "a list of values for free text": (document(a=TEXT), document(a={**TEXT, "enum": ["x"]}), "a: anything"),
    "another constant": (document(a={"const": 1}), document(a={"const": 2}), "a: 1 is not among 2"),
    "narrower list items": (
        document(a={"type": "array", "items": {"type": ["string", "null"]}}),
        document(a={"type": "array", "items": TEXT}),
        "a[]: type null",
    ),
    "narrower map values": (
        document(a={"type": "object", "additionalProperties": True}),
        document(a={"type": "object", "additionalProperties": TEXT}),
        "a.*: type anything",
    ),
    "a closed document": (
        document(a=TEXT),
        {**document(a=TEXT), "additionalProperties": False},
        "document: fields that are not named",
    ),
    "a narrower field inside": (
        document(a=document(b=NUMBER)),
        document(a=document(b={"type": "integer"})),
        "a.b: type number",
    ),
    "one of two required fields no longer enough": (
        {**document(a=TEXT, b=TEXT), "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        document(("a",), a=TEXT, b=TEXT),
        "a: is required",
    ),
}

OUTPUT_BREAKS = {
    "a removed field": (document(("a", "b"), a=TEXT, b=TEXT), document(("a",), a=TEXT), "b: was removed"),
    "a field removed inside": (document(a=document(b=TEXT, c=TEXT)), document(a=document(b=TEXT)), "a.c: was removed"),
    "another type": (document(a=TEXT), document(a=NUMBER), "a: type number"),
    "a field that may now be null": (document(a=TEXT), document(a=TEXT_OR_NULL), "a: type null"),
    "a field that may now be left out": (document(("a",), a=TEXT), document(a=TEXT), "a: is required"),
    "a value that nobody knows yet": (document(a={"enum": ["x"]}), document(a={"enum": ["x", "y"]}), "a: 'y'"),
    "a time that is any text": (document(a={**TEXT, "format": "date-time"}), document(a=TEXT), "a: format none"),
}

BREAKS_THE_OTHER_WAY = {
    "a required field made optional": (document(("a",), a=TEXT), document(a=TEXT), "a: is required"),
    "a new required field": (document(a=TEXT), document(("b",), a=TEXT, b=TEXT), "b: is required"),
    "a wider type": (document(a=TEXT), document(a={"type": ["string", "number"]}), "a: type number"),
    "an integer that may be any number": (document(a={"type": "integer"}), document(a=NUMBER), "a: type number"),
    "null accepted": (document(a=TEXT), document(a=TEXT_OR_NULL), "a: type null"),
    "null no longer sent": (document(a=TEXT_OR_NULL), document(a=TEXT), "a: type null"),
    "a longer text": (document(a={**TEXT, "maxLength": 8}), document(a={**TEXT, "maxLength": 9}), "a: maxLength 9"),
    "one more value": (document(a={"enum": ["x"]}), document(a={"enum": ["x", "y"]}), "a: 'y'"),
    "one value less": (document(a={"enum": ["x", "y"]}), document(a={"enum": ["x"]}), "a: 'y'"),
}

KEEPS = {
    "a new optional field": (document(a=TEXT), document(a=TEXT, b=TEXT)),
    "a new optional field that may be null": (document(a=TEXT), document(a=TEXT, b=TEXT_OR_NULL)),
    "words about a field": (document(a=TEXT), document(a={**TEXT, "description": "new", "default": "x"})),
    "the same thing behind a reference": (
        document(a=document(b=TEXT)),
        {**document(a={"$ref": "#/$defs/A"}), "$defs": {"A": document(b=TEXT)}},
    ),
}


@pytest.mark.parametrize("direction", ["input", "output"])
@pytest.mark.parametrize(("released", "current", "expected"), BREAKS_THE_OTHER_WAY.values(), ids=BREAKS_THE_OTHER_WAY)
def test_a_change_that_breaks_one_way_is_found_whoever_writes(
    direction: Any, released: Schema, current: Schema, expected: str
) -> None:
    problems = incompatibilities(direction, released, current)

    assert [problem for problem in problems if problem.startswith(expected)] == problems != []


@pytest.mark.parametrize("direction", ["input", "output"])
@pytest.mark.parametrize(("released", "current"), KEEPS.values(), ids=KEEPS)
def test_a_change_that_nobody_notices_passes(direction: Any, released: Schema, current: Schema) -> None:
    assert incompatibilities(direction, released, current) == []


@pytest.mark.parametrize(("released", "current", "expected"), INPUT_BREAKS.values(), ids=INPUT_BREAKS)
def test_a_change_that_an_old_producer_stumbles_over_is_found(released: Schema, current: Schema, expected: str) -> None:
    problems = incompatibilities("input", released, current)
    told = [
        problem for problem in problems if "a producer of the release" in problem or problem.endswith("was removed")
    ]

    assert [problem for problem in told if problem.startswith(expected)] == told != []


@pytest.mark.parametrize(("released", "current", "expected"), OUTPUT_BREAKS.values(), ids=OUTPUT_BREAKS)
def test_a_change_that_an_old_subscriber_stumbles_over_is_found(
    released: Schema, current: Schema, expected: str
) -> None:
    problems = incompatibilities("output", released, current)
    told = [
        problem for problem in problems if "a subscriber of the release" in problem or problem.endswith("was removed")
    ]

    assert [problem for problem in told if problem.startswith(expected)] == told != []


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_a_contract_is_compatible_with_itself(contract: Any) -> None:
    schema = schema_of(contract)

    assert incompatibilities(contract.direction, schema, schema) == []
