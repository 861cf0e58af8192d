"""JSON Schemas of the contracts: written from the models, and checked for drift and for incompatible change.

Both ways, and with every release: producers, workers and subscribers are updated in any order, and topics hold what
earlier releases wrote. So this release reads all that any of them accepts, and what fits it fits each of them.
Another version of a contract, which its `$id` names, starts anew.
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
"""The folder, beside the schemas, with one folder for each release that holds those of that release."""


class AlreadyReleased(Exception):
    """A release has other schemas than those that should be made its own. The message says what to do."""


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


def export(directory: Path, *, release: str | None = None) -> list[Path]:
    """Write every schema into `directory`, and with `release` also as what later releases are measured against.

    Raises AlreadyReleased if that release has other schemas: what was released does not change.
    """
    folders = [directory] if release is None else [directory, directory / RELEASED / release]
    for contract in CONTRACTS if release is not None else ():
        released = folders[-1] / contract.file
        if released.exists() and released.read_text(encoding="utf-8") != render(schema_of(contract)):
            raise AlreadyReleased(f"{released} differs; raise the version of the package, or take --release away")
    written = []
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for contract in CONTRACTS:
            path = folder / contract.file
            path.write_text(render(schema_of(contract)), encoding="utf-8")
            written.append(path)
    return written


def check(directory: Path) -> list[Problem]:
    """Drift between models and files, and changes incompatible with any release; empty when all is well."""
    return [Problem(contract.file, detail) for contract in CONTRACTS for detail in _check(contract, directory)]


def _check(contract: Contract, directory: Path) -> Iterator[str]:
    schema = schema_of(contract)
    path = directory / contract.file
    if not path.exists():
        yield f"missing in {directory}; write it with `journey-stream schemas export`"
    elif path.read_text(encoding="utf-8") != render(schema):
        yield "differs from the model; write it anew with `journey-stream schemas export`"
    for file in sorted((directory / RELEASED).glob(f"*/{contract.file}")):
        released = json.loads(file.read_text(encoding="utf-8"))
        if released["$id"] == schema["$id"]:
            for problem in incompatibilities(contract.direction, released, schema):
                yield f"{problem} (release {file.parent.name})"


def incompatibilities(direction: Literal["input", "output"], released: Schema, current: Schema) -> list[str]:
    """What somebody would stumble over when one side is of an earlier release and the other of this one.

    Backward: what fits the release fits now. Forward: what fits now fits the release. A new field has to be optional
    for both, and a field that is removed breaks whoever reads it.
    """
    old, new = (
        ("a producer of the release may send it", "a worker of the release refuses it")
        if direction == "input"
        else ("topics still hold it", "a subscriber of the release does not expect it")
    )
    removed = [f"{field}: was removed" for field in removed_fields(released, current)]
    gone = {line.split(":")[0] for line in removed}
    backward = [f"{problem} ({old})" for problem in refused(released, current)]
    forward = [f"{problem} ({new})" for problem in refused(current, released)]
    return [*removed, *(problem for problem in [*backward, *forward] if problem.split(":")[0] not in gone)]
