"""Schemas with a registry on this machine."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from journey_stream.events.framing import frame_of
from journey_stream.events.schemas import CONTRACTS, schema_of
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.schema_registry import frames_of
from tests.support.schema_registry import SchemaRegistry

SUBJECTS = {
    "journey.stage-changes-value": "stage-change",
    "journey.churn-risk-value": "churn-risk",
    "journey.identity-changes-value": "identity-change",
    "journey.profiles-value": "profile",
}


@pytest.fixture
def registry() -> Iterator[SchemaRegistry]:
    with SchemaRegistry(first_id=40).running() as running:
        yield running


def settings_for(registry: SchemaRegistry, **more: Any) -> Settings:
    return Settings(schema_registry_url=registry.url, **more)


async def refusal(settings: Settings) -> str:
    with pytest.raises(WorkerError) as raised:
        await frames_of(settings)
    return str(raised.value)


async def test_without_a_registry_nothing_is_framed() -> None:
    assert {} == await frames_of(Settings())


async def test_each_output_has_the_schema_of_its_contract_under_its_topics_name(registry: SchemaRegistry) -> None:
    frames = await frames_of(settings_for(registry))

    contracts = {contract.name: schema_of(contract) for contract in CONTRACTS}
    found = {subject: registry.schema(schema_id) for subject, [schema_id] in registry.registered.items()}
    assert {subject: contracts[name] for subject, name in SUBJECTS.items()} == found
    ids = {subject.removesuffix("-value"): schema_id for subject, [schema_id] in registry.registered.items()}
    assert {topic: frame_of(schema_id) for topic, schema_id in ids.items()} == frames


async def test_what_is_registered_is_only_looked_up(registry: SchemaRegistry) -> None:
    first = await frames_of(settings_for(registry))
    registry.asked.clear()

    again = await frames_of(settings_for(registry))

    assert first == again
    assert {f"POST /subjects/{subject}" for subject in SUBJECTS} == set(registry.asked)


async def test_a_path_and_a_slash_at_the_end_belong_to_the_address(registry: SchemaRegistry) -> None:
    settings = Settings(schema_registry_url=f"{registry.url}/")

    assert settings_for(registry) == settings


async def test_the_password_is_read_from_its_file_and_a_reader_is_enough_for_what_is_there(
    registry: SchemaRegistry, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("hush\n")
    registry.readers, registry.writers = {"reads:hush"}, {"writes:hush"}
    settings = settings_for(registry, schema_registry_username="reads", schema_registry_password_file=file)
    refused = await refusal(settings)

    await frames_of(settings.model_copy(update={"schema_registry_username": "writes"}))
    frames = await frames_of(settings)

    assert "refuses the schema stage-change.schema.json: 403 User is denied operation Write on Subject. " in refused
    assert "may read the subject journey.stage-changes-value and" in refused
    assert SUBJECTS.keys() == {f"{topic}-value" for topic in frames}


async def test_a_wrong_password_is_told_without_it(registry: SchemaRegistry) -> None:
    registry.writers = {"journey:hush"}

    told = await refusal(
        settings_for(registry, schema_registry_username="journey", schema_registry_password="wrong-password")
    )

    assert "refuses the schema stage-change.schema.json: 401 Unauthorized. schema_registry_username and the" in told
    assert "wrong-password" not in told


async def test_a_schema_that_does_not_fit_its_subject_says_what_to_do(registry: SchemaRegistry) -> None:
    registry.closed = {"journey.profiles-value"}

    told = await refusal(settings_for(registry))

    assert told.startswith(
        f"The schema registry {registry.url} (schema_registry_url) refuses the schema profile.schema"
    )
    assert "409 Schema being registered is incompatible with an earlier schema" in told
    assert "(PUT /config/journey.profiles-value)" in told


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((422, {"error_code": 42201, "message": "Invalid schema"}), "422 Invalid schema. It must know schemas of"),
        ((500, b"<html>"), "500, for the subject journey.stage-changes-value. Look into its log"),
        ((302, b""), "302, for the subject journey.stage-changes-value."),
        ((200, b"<html>"), "answers /subjects/journey.stage-changes-value with something else than the id of a schema"),
        ((200, {"id": "7"}), "Is it the address of a schema registry with Confluent's API"),
        ((200, {"id": 2**32}), "with something else than the id of a schema"),
    ],
)
async def test_any_other_answer_is_told(registry: SchemaRegistry, answer: tuple[int, Any], expected: str) -> None:
    registry.answer = answer

    assert expected in await refusal(settings_for(registry))


async def test_a_registry_that_is_not_there_says_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"  # nobody listens

        told = await refusal(Settings(schema_registry_url=url))

    assert told.startswith(f"The schema registry {url} (schema_registry_url) cannot be asked: ")
    assert told.endswith("or take schema_registry_url away to write plain JSON.")


async def test_every_schema_is_one_document_without_references_to_others(registry: SchemaRegistry) -> None:
    await frames_of(settings_for(registry))

    texts = [json.dumps(registry.schema(schema_id)) for [schema_id] in registry.registered.values()]
    assert all(text.count('"$ref": "') == text.count('"$ref": "#/$defs/') for text in texts)
