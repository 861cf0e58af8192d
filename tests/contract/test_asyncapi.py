"""The AsyncAPI document is whole, means the same as the JSON Schemas, and names the headers that are really written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from jsonschema import Draft7Validator, Draft202012Validator, ValidationError

from journey_stream.events import wire
from journey_stream.events.decisions import StageChanged
from journey_stream.events.log import Source
from journey_stream.events.reasons import Reason
from journey_stream.events.schemas import CONTRACTS, schema_of
from journey_stream.worker.asyncapi import asyncapi, render_asyncapi
from journey_stream.worker.config import Settings
from journey_stream.worker.contracts_page import contracts_page
from journey_stream.worker.dead_letters import DeadLetter, dead_letter_headers
from tests.contract.test_outputs import identity_changes, risk_changes, stage_changes

ROOT = Path(__file__).parents[2]
SETTINGS = Settings()
DOCUMENT = asyncapi(SETTINGS)
ANNOTATIONS = {"$ref", "description", "default", "title"}


def walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


def target(reference: str) -> Any:
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def message(name: str) -> dict[str, Any]:
    return DOCUMENT["components"]["messages"][name]  # type: ignore[no-any-return]


def validator(name: str) -> Draft7Validator:
    return Draft7Validator({**target(f"#/components/schemas/{name}"), "components": DOCUMENT["components"]})


def test_every_reference_leads_somewhere() -> None:
    references = [one["$ref"] for one in walk(DOCUMENT) if isinstance(one.get("$ref"), str)]

    assert all(target(reference) for reference in references)
    assert len(references) > 50


def test_it_has_the_shape_of_asyncapi_3() -> None:
    assert "3.0.0" == DOCUMENT["asyncapi"]
    assert {"title", "version"} <= DOCUMENT["info"].keys()
    for channel in DOCUMENT["channels"].values():
        assert {"address", "messages"} <= channel.keys()
    for operation in DOCUMENT["operations"].values():
        channel = target(operation["channel"]["$ref"])
        assert operation["action"] in {"send", "receive"}
        assert [target(one["$ref"]) for one in operation["messages"]] == list(channel["messages"].values())


def test_it_has_every_topic_that_others_use_and_no_other() -> None:
    topics = SETTINGS.topics
    private = {topics.log, topics.state, topics.erasures, topics.replayed}

    assert {*SETTINGS.sources, *topics} - private == {one["address"] for one in DOCUMENT["channels"].values()}
    assert {*SETTINGS.inputs} == {
        target(one["channel"]["$ref"])["address"]
        for one in DOCUMENT["operations"].values()
        if one["action"] == "receive"
    }


def test_its_schemas_are_valid_in_both_drafts_and_constrain_nothing_beside_a_reference() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft7Validator.check_schema(schema)
        Draft202012Validator.check_schema(schema)
    for one in walk(DOCUMENT["components"]["schemas"]):
        if isinstance(one.get("$ref"), str):
            assert one.keys() <= ANNOTATIONS


@given(stage_changes)
def test_what_is_written_fits_it(change: StageChanged) -> None:
    value = json.loads(wire.encode_stage_change(change))

    validator("StageChange").validate(value)
    with pytest.raises(ValidationError):
        validator("StageChange").validate(value | {"because": {"rule": 1}})


def test_every_field_of_every_contract_is_in_it() -> None:
    for contract in CONTRACTS:
        schema = schema_of(contract)
        assert schema["properties"].keys() == target(f"#/components/schemas/{schema['title']}")["properties"].keys()


@given(stage_changes, risk_changes, identity_changes)
def test_the_headers_of_events_are_those_that_it_names(stage: Any, risk: Any, identity: Any) -> None:
    written = {
        "StageChange": wire.stage_change_headers(stage, b"/app/0"),
        "ChurnRiskChange": wire.risk_change_headers(risk, b"/app/0"),
        "IdentityChange": wire.identity_change_headers(identity, b"/app/0"),
    }

    for name, headers in written.items():
        assert set(message(name)["headers"]["required"]) == {header for header, _ in headers}
        assert f"`{dict(headers)['ce_type'].decode()}`" in str(message(name)["headers"]["properties"]["ce_type"])


def test_the_headers_of_dead_letters_are_those_that_it_names() -> None:
    letter = DeadLetter(Reason.EMPTY_VALUE, "null", "router", Source("web", 0, 1), None, None, None)
    fewest, most = (
        {name for name, _ in dead_letter_headers(one)} for one in (letter, letter._replace(timestamp=1, withheld=True))
    )

    assert set(message("DeadLetter")["headers"]["required"]) == fewest
    assert set(message("DeadLetter")["headers"]["properties"]) == most | {"dead_letter_cut", "traceparent"}


def test_a_prefix_of_the_settings_is_one_of_its_addresses() -> None:
    prefixed = asyncapi(Settings(topic_prefix="shop.", sources=("clicks",)))

    assert {"clicks", "shop.stage-changes"} <= {one["address"] for one in prefixed["channels"].values()}


def test_the_document_and_the_page_in_the_repository_are_up_to_date() -> None:
    written = (ROOT / "schemas" / "asyncapi.yaml").read_text(encoding="utf-8")

    assert render_asyncapi(SETTINGS) == written
    assert DOCUMENT == yaml.safe_load(written)
    assert contracts_page(SETTINGS) == (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8")
