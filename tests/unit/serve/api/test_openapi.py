"""The description of the API says what the API does."""

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient

from journey_stream.serve.api.app import create_app
from journey_stream.serve.api.openapi import document
from journey_stream.serve.api.operations import OPERATIONS
from journey_stream.serve.api.page import page
from tests.support.waiting import until
from tests.unit.serve.rows import MODEL, Rows


@pytest.fixture
def client(rows: Rows) -> Iterator[TestClient]:
    bought = rows.touchpoint("ann", 3, "store", "purchase", campaign="spring")
    rows.change("ann", 0, None, "awareness")
    rows.change("ann", 3, "awareness", "purchase", after_days=3, evidence=[bought])
    rows.view("ann", "purchase", entered=3, updated=9, band="high", segment="loyal")
    rows.version(1)
    with TestClient(create_app(rows, MODEL)) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        yield client


ADDRESSES = {
    "/api/map": "/api/map?channel=store",
    "/api/cohorts": "/api/cohorts",
    "/api/attribution": "/api/attribution?by=channel",
    "/api/customers": "/api/customers?limit=5",
    "/api/customers/{profile_id}": "/api/customers/ann",
    "/api/model": "/api/model",
}


@pytest.mark.parametrize("path", ADDRESSES)
def test_an_answer_is_as_the_description_says(client: TestClient, path: str) -> None:
    described = client.get("/openapi.json").json()
    schema = described["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]

    answer = client.get(ADDRESSES[path])

    assert answer.status_code == 200
    validate(answer.json(), schema, described)


def test_a_refusal_is_as_the_description_says(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    responses = described["paths"]["/api/customers/{profile_id}"]["get"]["responses"]

    answer = client.get("/api/customers/nobody")

    validate(answer.json(), responses[str(answer.status_code)]["content"]["application/json"]["schema"], described)


def test_every_declared_parameter_is_taken_by_its_operation(client: TestClient) -> None:
    values = {"from": "2017-01-01", "to": "2017-02-01", "goal": "purchase", "by": "type", "band": "low", "limit": "3"}
    for operation in OPERATIONS:
        for parameter in operation.parameters:
            answer = client.get(operation.path, params={parameter.name: values.get(parameter.name, "7")})
            assert answer.status_code == 200, answer.json()


def test_every_reference_in_the_description_leads_somewhere() -> None:
    described = document(OPERATIONS, needs_token=True)

    found = set(references(described))

    assert found == {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert described["security"] == [{"token": []}]


def test_the_page_for_people_tells_every_operation_and_takes_nothing_from_elsewhere() -> None:
    html = page(OPERATIONS, document(OPERATIONS, needs_token=False))
    parser = Links()
    parser.feed(html)

    assert all(operation.summary in html for operation in OPERATIONS)
    assert all(link.startswith(("/", "#")) for link in parser.links)
    assert {link[1:] for link in parser.links if link.startswith("#")} <= parser.ids
    assert not parser.inline


class Links(HTMLParser):
    """What a page refers to, and whether it has scripts or styles in it, which its policy forbids."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str | None] = set()
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [link for name in ("href", "src") if (link := given.get(name))]
        self.ids.add(given.get("id"))
        self.inline += [tag] if tag in {"script", "style"} or "style" in given else []


def validate(answer: Any, schema: dict[str, Any], described: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator({**schema, "components": described["components"]}).validate(answer)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)
