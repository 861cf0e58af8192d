"""The application over hand-made rows."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from journey_stream.serve.api.app import create_app
from journey_stream.serve.api.rate import Rate
from tests.support.waiting import until
from tests.unit.serve.rows import MODEL, Rows, at

INSTANT = "a date such as 2017-01-31 (its start in UTC) or an instant such as 2017-01-31T09:30:00Z"
SECURITY = {
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
NAIVE = ": without Z or an offset it is no instant"


@pytest.fixture
def static(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("<!doctype html><title>Map</title>")
    return tmp_path


@pytest.fixture
def client(rows: Rows, static: Path) -> Iterator[TestClient]:
    bought = rows.touchpoint("ann", 3, "store", "purchase", campaign="spring")
    rows.touchpoint("bob", 1)
    rows.change("ann", 0, None, "awareness")
    rows.change("ann", 3, "awareness", "purchase", after_days=3, evidence=[bought])
    rows.view("ann", "purchase", entered=3, updated=9, band="high", segment="loyal")
    rows.view("bob", "awareness", entered=1, updated=9)
    rows.insert(
        "identity_messages", profile_id="email:ann@example.org", revision=1, identity_id="i", kind="linked",
        parent="ann", at=at(1), reason="observed", text="Seen together with ann.", evidence='["e1"]',
        merged_into="ann",
    )  # fmt: skip
    rows.version(1)
    with TestClient(create_app(rows, MODEL, static=static, interval_seconds=0.01)) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        yield client


def test_the_map_carries_version_time_and_totals(client: TestClient) -> None:
    answer = client.get("/api/map").json()

    assert answer["version"] == 1
    assert answer["now"] == "2017-01-10T00:00:00.000Z"
    assert answer["totals"] == {
        "customers": 2,
        "touchpoints": 2,
        "changes": 2,
        "corrections": 0,
        "dead_letters": 0,
        "newest_touchpoint_at": "2017-01-04T00:00:00.000Z",
    }


def test_a_filter_in_the_address_restricts_the_map(client: TestClient) -> None:
    answer = client.get("/api/map", params={"channel": "store", "from": "2017-01-02", "to": "2017-02-01T00:00:00Z"})

    assert answer.json()["totals"]["customers"] == 1
    assert [(flow["from"], flow["to"]) for flow in answer.json()["flows"]] == [("awareness", "purchase")]


def test_an_empty_parameter_is_as_if_it_were_not_there(client: TestClient) -> None:
    assert client.get("/api/map?channel=&from=").content == client.get("/api/map").content


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        (
            "/api/map?form=2017-01-01",
            "The parameter 'form' is not known; expected one of from, to, channel, campaign, segment.",
        ),
        (
            "/api/map?from=yesterday",
            f"The parameter 'from' is 'yesterday'; expected {INSTANT}.",
        ),
        (
            "/api/map?to=2017-01-31T09:30:00",
            f"The parameter 'to' is '2017-01-31T09:30:00'; expected {INSTANT}{NAIVE}.",
        ),
        (
            "/api/map?from=2017-02-01&to=2017-02-01",
            "The parameter 'to' is not later than 'from'; expected the end of the range, after its start.",
        ),
        ("/api/map?channel=a&channel=b", "The parameter 'channel' is given more than once; expected one value."),
        (
            f"/api/map?channel={'x' * 301}",
            f"The parameter 'channel' is '{'x' * 60}…'; expected at most 300 characters.",
        ),
        ("/api/customers?limit=0", "The parameter 'limit' is '0'; expected a whole number from 1 to 500."),
        (
            "/api/customers?band=worst",
            "The parameter 'band' is 'worst'; expected one of low, medium, high, critical, unscored.",
        ),
        ("/api/model?x=1", "The parameter 'x' is not known; expected no parameter here."),
    ],
)
def test_a_wrong_parameter_is_refused_with_a_sentence(client: TestClient, address: str, sentence: str) -> None:
    answer = client.get(address)

    assert answer.status_code == 400
    assert answer.json() == {"error": sentence}


def test_the_same_question_asked_again_is_not_answered_twice(client: TestClient) -> None:
    first = client.get("/api/map?channel=web")

    again = client.get("/api/map?channel=web", headers={"if-none-match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_a_committed_batch_shows_in_every_answer(client: TestClient, rows: Rows) -> None:
    before = client.get("/api/map?channel=web")
    rows.touchpoint("cleo", 4)
    rows.view("cleo", "awareness", entered=4, updated=10)
    rows.connection.execute("UPDATE meta SET value = '2' WHERE key = 'version'")

    client.app.state.live.committed(2, ["cleo"])  # type: ignore[attr-defined]
    until(lambda: client.get("/api/map").json()["version"] == 2)

    assert client.get("/api/map").json()["totals"]["customers"] == 3
    after = client.get("/api/map?channel=web", headers={"if-none-match": before.headers["etag"]})
    assert (after.status_code, after.json()["totals"]["customers"]) == (200, 2)


def test_a_version_that_nobody_told_of_is_found(client: TestClient, rows: Rows) -> None:
    rows.connection.execute("DELETE FROM profiles WHERE profile_id = 'bob'")
    rows.connection.execute("UPDATE meta SET value = '7' WHERE key = 'version'")

    until(lambda: client.get("/api/map").json()["version"] == 7)

    assert client.get("/api/map").json()["totals"]["customers"] == 1


def test_customers_are_found_by_what_they_are(client: TestClient) -> None:
    found = client.get("/api/customers?stage=purchase&band=high&segment=loyal&q=AN").json()

    assert found == {
        "customers": [
            {
                "profile_id": "ann",
                "stage": "purchase",
                "entered_at": "2017-01-04T00:00:00.000Z",
                "band": "high",
                "probability": 0.5,
                "segment": "loyal",
                "last_touchpoint_at": "2017-01-04T00:00:00.000Z",
            }
        ]
    }


def test_customers_are_found_by_the_filter_of_the_map(client: TestClient) -> None:
    def found(question: str) -> list[str]:
        return [row["profile_id"] for row in client.get(f"/api/customers?{question}").json()["customers"]]

    assert found("from=2017-01-02&to=2017-01-03") == ["ann", "bob"]
    assert found("channel=web&from=2017-01-02&to=2017-01-03") == ["bob"]
    assert found("channel=web&from=2017-01-03") == []
    assert found("channel=store&campaign=spring&segment=loyal&stage=purchase") == ["ann"]
    assert found("campaign=spring&stage=awareness") == []


def test_one_customer_is_told_with_the_newest_first(client: TestClient) -> None:
    ann = client.get("/api/customers/ann").json()

    assert [change["to_stage"] for change in ann["changes"]] == ["purchase", "awareness"]
    assert ann["view"]["segment"] == "loyal"
    assert ann["merged_into"] is None
    assert [one["profile_id"] for one in ann["identities"]] == ["email:ann@example.org"]
    assert [one["campaign"] for one in ann["touchpoints"]] == ["spring"]


def test_a_merged_profile_says_where_to_look(client: TestClient) -> None:
    merged = client.get("/api/customers/email:ann@example.org").json()

    assert (merged["merged_into"], merged["view"]) == ("ann", None)


def test_an_unknown_customer_is_not_found_and_the_answer_says_why(client: TestClient) -> None:
    answer = client.get("/api/customers/nobody%2Fhere")

    assert answer.status_code == 404
    assert answer.json()["error"].startswith("Nothing is known of the profile 'nobody/here'.")


def test_the_model_is_told_with_its_default_goal(client: TestClient) -> None:
    answer = client.get("/api/model").json()

    assert (answer["name"], answer["version"], answer["goal"]) == ("three", 4, "purchase")
    assert answer["stages"][0] == {"id": "awareness", "meaning": "Knows us"}


def test_every_answer_has_the_security_headers(rows: Rows, static: Path) -> None:
    given: dict[str, dict[str, str]] = {}

    def note(name: str, status: int, answer: httpx.Response) -> None:
        assert status == answer.status_code, name
        given[name] = {header: answer.headers.get(header, "") for header in SECURITY}

    rows.version(1)
    app = create_app(rows, MODEL, static=static, token="s3cret", interval_seconds=0.01)
    key = {"authorization": "Bearer s3cret"}
    with TestClient(app, raise_server_exceptions=False) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        for path in ("/", "/api", "/healthz", "/api/map", "/openapi.json"):
            note(f"200 {path}", 200, client.get(path, headers=key))
        for path in ("/", "/api/map"):
            tag = client.get(path, headers=key).headers["etag"]
            note(f"304 {path}", 304, client.get(path, headers=key | {"if-none-match": tag}))
        note("400", 400, client.get("/api/map?from=yesterday", headers=key))
        note("401", 401, client.get("/api/map"))
        note("404", 404, client.get("/api/customers/nobody", headers=key))
        note("404 of no address", 404, client.get("/nothing/here"))
        note("405", 405, client.post("/api/map", headers=key))
        note("413", 413, client.request("GET", "/api/map", headers=key, content=b"{}"))
        rows.connection.execute("DROP TABLE profiles")
        note("500", 500, client.get("/api/customers", headers=key))
    with TestClient(create_app(rows, MODEL, static=static)) as client:  # without the table that it needs
        note("503", 503, client.get("/api/map"))
        note("503 of /readyz", 503, client.get("/readyz"))
    with TestClient(create_app(rows, MODEL, static=static, rate=Rate(0.001, 1))) as client:
        client.get("/api/map")
        note("429", 429, client.get("/api/map"))

    assert dict.fromkeys(given, SECURITY) == given


def test_the_page_comes_with_an_etag_and_is_asked_after(client: TestClient) -> None:
    page = client.get("/")

    assert page.headers["cache-control"] == "no-cache"
    assert client.get("/", headers={"if-none-match": page.headers["etag"]}).status_code == 304


def test_a_long_answer_is_compressed_for_who_can_read_it(client: TestClient) -> None:
    assert client.get("/api/map", headers={"accept-encoding": "gzip"}).headers["content-encoding"] == "gzip"
    assert "content-encoding" not in client.get("/api/map", headers={"accept-encoding": "identity"}).headers


def test_a_body_is_refused(client: TestClient) -> None:
    answer = client.request("GET", "/api/map", content=b"{}")

    assert answer.status_code == 413
    assert answer.json() == {"error": "The request has a body; expected none, for everything is read with GET."}


def test_nothing_can_be_written(client: TestClient) -> None:
    answer = client.post("/api/map")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_an_address_without_anything_is_told_in_json(client: TestClient) -> None:
    answer = client.get("/nothing/here")

    assert answer.status_code == 404
    assert answer.json() == {"error": "There is nothing at /nothing/here. See /api for what there is."}


def test_with_a_token_only_the_page_is_for_everybody(rows: Rows, static: Path) -> None:
    with TestClient(create_app(rows, MODEL, static=static, token="s3cret")) as client:
        assert client.get("/").status_code == 200
        assert client.get("/healthz").status_code == 200
        assert client.get("/api/model").status_code == 401
        assert client.get("/openapi.json", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get("/openapi.json", headers={"authorization": "Bearer s3cret"}).status_code == 200


def test_before_the_store_is_read_the_answer_says_so(rows: Rows, static: Path) -> None:
    rows.connection.execute("DROP TABLE profiles")
    with TestClient(create_app(rows, MODEL, static=static)) as client:
        answer = client.get("/api/map")
        until(lambda: "profiles" in client.get("/readyz").json()["error"])

        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
