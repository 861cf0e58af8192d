"""The OpenAPI 3.1 description, made from the declarations of operations, parameters and answers."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from journey_stream import __version__
from journey_stream.serve.api.errors import Error
from journey_stream.serve.api.operations import Operation

_PROBLEMS = {
    "400": "A parameter is not what was expected.",
    "401": "The token is missing or wrong; only where the service has one.",
    "403": "Single customers are for admins only; only where the service is set so.",
    "404": "Nothing is known of this.",
    "429": "Asked too often; the header Retry-After says when to come back.",
    "503": "The map is not there yet.",
}


def document(operations: Sequence[Operation], needs_token: bool) -> dict[str, Any]:
    """The whole document, as plain values."""
    types = [operation.returns for operation in operations]
    schemas, components = msgspec.json.schema_components([*types, Error], ref_template="#/components/schemas/{name}")
    paths = {
        operation.path: {"get": _operation(operation, schema, schemas[-1], needs_token)}
        for operation, schema in zip(operations, schemas, strict=False)
    }
    result: dict[str, Any] = {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "journey-stream: the live journey map",
            "version": __version__,
            "description": "What every number means is defined in docs/map.md. Instants are RFC 3339 in UTC, lengths "
            "of time are seconds. An answer carries the version of the data it was made from, and an ETag.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": components},
    }
    if needs_token:
        result["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        result["security"] = [{"token": []}]
    return result


def _operation(
    operation: Operation, schema: dict[str, Any], error: dict[str, Any], needs_token: bool
) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    parameters += [
        {"name": one.name, "in": "query", "required": False, "description": one.description, "schema": one.schema}
        for one in operation.parameters
    ]
    problems = {"400", "429", "503"}
    problems |= {"404"} if operation.may_miss else set()
    problems |= {"401"} if needs_token else set()
    problems |= {"403"} if needs_token and operation.is_personal else set()
    responses: dict[str, Any] = {
        "200": {"description": _summary(operation), "content": {operation.media_type: {"schema": schema}}}
    }
    if operation.cached:
        responses["304"] = {"description": "The same as under the ETag that was sent in If-None-Match."}
    for status in sorted(problems):
        responses[status] = {"description": _PROBLEMS[status], "content": {"application/json": {"schema": error}}}
    return {
        "operationId": _id(operation),
        "summary": operation.summary,
        "description": operation.description,
        "parameters": parameters,
        "responses": responses,
    }


def _summary(operation: Operation) -> str:
    return (operation.returns.__doc__ or operation.summary).strip().splitlines()[0]


def _id(operation: Operation) -> str:
    return "_".join(re.findall(r"\w+", operation.path.removeprefix("/api/")))
