"""JSON Schemas of the contracts: written from the models, and checked for drift and for incompatible change.

Inputs stay backward compatible: what a producer of the last release sends is still accepted. Outputs stay forward
compatible: what this release sends is what a subscriber of the last release expects.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from journey_stream.events.compatibility import Schema, refused, removed_fields
from journey_stream.events.outputs import ChurnRiskChange, IdentityChange, ProfileView, StageChange
from journey_stream.events.touchpoint import Touchpoint

RELEASED = "released"
"""The folder, beside the schemas, with those of the last release."""


class Contract(NamedTuple):
    """One kind of message: its name, its version in `$id`, its model, and whether we read or write it."""

    name: str
    version: int
    model: type[BaseModel]
    direction: Literal["input", "output"]

    @property
    def file(self) -> str:
        """The name of its schema file."""
        return f"{self.name}.schema.json"


CONTRACTS: tuple[Contract, ...] = (
    Contract("touchpoint", 1, Touchpoint, "input"),
    Contract("stage-change", 1, StageChange, "output"),
    Contract("churn-risk", 1, ChurnRiskChange, "output"),
    Contract("identity-change", 1, IdentityChange, "output"),
    Contract("profile", 1, ProfileView, "output"),
)


class Problem(NamedTuple):
    """One thing that `check` found: the schema file, and a sentence."""

    file: str
    detail: str

    def __str__(self) -> str:
        return f"{self.file}: {self.detail}"


class _Plain(GenerateJsonSchema):
    """Without the titles that pydantic makes up from field names: they say nothing new."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 -- pydantic's signature
        return False


def schema_of(contract: Contract) -> Schema:
    """The JSON Schema (2020-12) of a contract. Its `$id` is a name, not an address."""
    schema = contract.model.model_json_schema(schema_generator=_Plain)
    head = {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": f"urn:journey-stream:schema:{contract.name}:{contract.version}",
        "title": schema.pop("title"),
        "description": schema.pop("description"),
        "type": schema.pop("type"),
    }
    return {**head, **schema}


def render(schema: Schema) -> str:
    """The text of a schema file: the same on every machine."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def export(directory: Path, *, release: bool = False) -> list[Path]:
    """Write every schema into `directory`, and with `release` also as what the next release is measured against."""
    folders = [directory, directory / RELEASED] if release else [directory]
    written = []
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for contract in CONTRACTS:
            path = folder / contract.file
            path.write_text(render(schema_of(contract)), encoding="utf-8")
            written.append(path)
    return written


def check(directory: Path) -> list[Problem]:
    """Drift between models and files, and incompatible change since the last release; empty when all is well."""
    return [Problem(contract.file, detail) for contract in CONTRACTS for detail in _check(contract, directory)]


def _check(contract: Contract, directory: Path) -> Iterator[str]:
    schema = schema_of(contract)
    path = directory / contract.file
    if not path.exists():
        yield f"missing in {directory}; write it with `journey-stream schemas export`"
    elif path.read_text(encoding="utf-8") != render(schema):
        yield "differs from the model; write it anew with `journey-stream schemas export`"
    released = directory / RELEASED / contract.file
    if released.exists():
        yield from incompatibilities(contract.direction, json.loads(released.read_text(encoding="utf-8")), schema)


def incompatibilities(direction: Literal["input", "output"], released: Schema, current: Schema) -> list[str]:
    """What a producer (of an input) or a subscriber (to an output) of the last release would stumble over."""
    removed = [f"{field}: was removed" for field in removed_fields(released, current)]
    if direction == "input":
        stumbles = refused(released, current)
        return [*removed, *(f"{problem} (a producer of the last release may send it)" for problem in stumbles)]
    stumbles = refused(current, released)
    kept = [problem for problem in stumbles if problem.split(":")[0] not in {line.split(":")[0] for line in removed}]
    return [*removed, *(f"{problem} (a subscriber of the last release does not expect it)" for problem in kept)]
