import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from journey_stream.events import schemas
from journey_stream.events.schemas import CONTRACTS, Contract, Problem

REPOSITORY_SCHEMAS = Path(__file__).parents[3] / "schemas"


def edit(path: Path, change: dict[str, Any]) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


def test_the_schemas_in_the_repository_are_those_of_the_models() -> None:
    assert schemas.check(REPOSITORY_SCHEMAS) == []


def test_what_was_just_exported_has_no_problem(tmp_path: Path) -> None:
    schemas.export(tmp_path, release="1.0.0")

    assert schemas.check(tmp_path) == []


def test_exporting_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    first = {path.name: path.read_bytes() for path in schemas.export(tmp_path)}
    second = {path.name: path.read_bytes() for path in schemas.export(tmp_path)}

    assert first == second


def test_an_export_leaves_the_last_release_alone(tmp_path: Path) -> None:
    schemas.export(tmp_path)

    assert not (tmp_path / "released").exists()


def test_a_schema_edited_by_hand_is_drift(tmp_path: Path) -> None:
    schemas.export(tmp_path)
    edit(tmp_path / "profile.schema.json", {"title": "Somebody"})

    assert [
        Problem("profile.schema.json", "differs from the model; write it anew with `journey-stream schemas export`")
    ] == schemas.check(tmp_path)


def test_a_missing_schema_is_named(tmp_path: Path) -> None:
    schemas.export(tmp_path)
    (tmp_path / "touchpoint.schema.json").unlink()

    [problem] = schemas.check(tmp_path)

    assert str(problem).startswith("touchpoint.schema.json: missing in ")


def test_an_incompatible_change_since_the_last_release_is_found(tmp_path: Path) -> None:
    schemas.export(tmp_path, release="1.0.0")
    released = tmp_path / "released" / "1.0.0" / "stage-change.schema.json"
    properties = json.loads(released.read_text())["properties"] | {"mood": {"type": "string"}}
    edit(released, {"properties": properties})

    assert [Problem("stage-change.schema.json", "mood: was removed (release 1.0.0)")] == schemas.check(tmp_path)


def test_every_release_counts_and_not_only_the_last(tmp_path: Path) -> None:
    schemas.export(tmp_path, release="1.0.0")
    schemas.export(tmp_path, release="1.1.0")
    first = tmp_path / "released" / "1.0.0" / "profile.schema.json"
    edit(first, {"required": json.loads(first.read_text())["required"][1:]})

    [problem] = schemas.check(tmp_path)

    assert str(problem).startswith(
        "profile.schema.json: profile_id: is required on one side only (topics still hold it)"
    )
    assert str(problem).endswith("(release 1.0.0)")


def test_another_version_of_a_contract_starts_anew(tmp_path: Path) -> None:
    schemas.export(tmp_path, release="1.0.0")
    edit(tmp_path / "released" / "1.0.0" / "profile.schema.json", {"$id": "urn:of:version:0", "required": []})

    assert schemas.check(tmp_path) == []


def test_what_was_released_is_not_written_over(tmp_path: Path) -> None:
    schemas.export(tmp_path, release="1.0.0")
    released = tmp_path / "released" / "1.0.0" / "profile.schema.json"
    edit(released, {"title": "Somebody"})
    before = released.read_bytes()

    with pytest.raises(schemas.AlreadyReleased, match="raise the version"):
        schemas.export(tmp_path, release="1.0.0")

    assert before == released.read_bytes()


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_a_schema_is_valid_json_schema_and_names_no_host(contract: Contract) -> None:
    schema = schemas.schema_of(contract)

    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:journey-stream:schema:{contract.name}:1"
