"""Who may ask for what, and how often."""

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from journey_stream.serve.api.access import Access
from journey_stream.serve.api.app import create_app
from journey_stream.serve.api.rate import CALLERS_MAX, Rate
from tests.support.waiting import until
from tests.unit.serve.rows import MODEL, Rows

READ, OTHER_READ, ADMIN = "r" * 20, "o" * 20, "a" * 20
Ask = Callable[..., int]


@pytest.fixture
def asking(rows: Rows, tmp_path: Path) -> Callable[..., Ask]:
    """Makes a way to ask for the status of a path, from an address."""
    rows.view("ann", "purchase", entered=3, updated=9)
    rows.version(1)

    def made(access: Access, rate: Rate | None = None) -> Ask:
        def ask(path: str, address: str = "192.0.2.1", **headers: str) -> int:
            app = create_app(rows, MODEL, access=access, rate=rate, static=tmp_path, interval_seconds=0.01)
            named = [(name.replace("_", "-"), value) for name, value in headers.items()]
            with TestClient(app, client=(address, 1)) as client:
                until(lambda: client.get("/readyz").status_code == 200)
                return client.get(path, headers=named).status_code

        return ask

    return made


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def test_every_token_of_the_file_reads_the_map(asking: Callable[..., Ask]) -> None:
    ask = asking(Access(read_tokens=frozenset({READ, OTHER_READ})))

    assert 200 == ask("/api/map", **bearer(READ))
    assert 200 == ask("/api/map", **bearer(OTHER_READ))
    assert 401 == ask("/api/map", **bearer(READ[:-1]))
    assert 401 == ask("/api/map")


@pytest.mark.parametrize("path", ["/api/customers", "/api/customers/ann", "/api/customers?q=a"])
def test_single_customers_may_be_for_admins_only(asking: Callable[..., Ask], path: str) -> None:
    tokens = {"read_tokens": frozenset({READ}), "admin_tokens": frozenset({ADMIN})}
    ask = asking(Access(**tokens, customers_need_admin=True))  # type: ignore[arg-type]

    assert (403, 200) == (ask(path, **bearer(READ)), ask(path, **bearer(ADMIN)))
    assert (200, 200) == (ask("/api/map", **bearer(READ)), ask("/api/map", **bearer(ADMIN)))


def test_whoever_reads_may_look_at_customers_unless_it_is_said_otherwise(asking: Callable[..., Ask]) -> None:
    ask = asking(Access(read_tokens=frozenset({READ}), admin_tokens=frozenset({ADMIN})))

    assert 200 == ask("/api/customers/ann", **bearer(READ))


@pytest.fixture
def behind_a_proxy(asking: Callable[..., Ask]) -> Ask:
    proxies = (ip_network("10.0.0.0/24"), ip_network("fd00::5"))
    return asking(Access(customers_need_admin=True, proxies=proxies, admins=frozenset({"dpo"})))


def test_a_trusted_proxy_says_who_asks(behind_a_proxy: Ask) -> None:
    assert 200 == behind_a_proxy("/api/map", "10.0.0.7", x_forwarded_user="ann")
    assert 200 == behind_a_proxy("/api/map", "::ffff:10.0.0.7", x_forwarded_user="ann")
    assert 200 == behind_a_proxy("/api/map", "fd00::5", x_forwarded_user="ann")
    assert 403 == behind_a_proxy("/api/customers/ann", "10.0.0.7", x_forwarded_user="ann")
    assert 200 == behind_a_proxy("/api/customers/ann", "10.0.0.7", x_forwarded_user="dpo")


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("192.0.2.1", {"x_forwarded_user": "dpo"}),
        ("192.0.2.1", {"x_forwarded_user": "dpo", "x_forwarded_for": "10.0.0.7"}),
        ("10.0.0.7", {}),
        ("10.0.0.7", {"x_forwarded_user": " "}),
        ("10.0.0.7", {"x_forwarded_user": "ann", "X_Forwarded_User": "dpo"}),
        ("no address", {"x_forwarded_user": "dpo"}),
    ],
)
def test_nobody_else_does(behind_a_proxy: Ask, address: str, headers: dict[str, str]) -> None:
    assert 401 == behind_a_proxy("/api/map", address, **headers)


def test_whether_the_service_lives_is_for_everybody_and_as_often_as_they_like(asking: Callable[..., Ask]) -> None:
    ask = asking(Access(read_tokens=frozenset({READ})), Rate(1, 1, lambda: 0.0))

    assert [200, 200, 200] == [ask("/healthz"), ask("/healthz"), ask("/readyz")]


def test_who_asks_too_often_is_told_when_to_come_back(rows: Rows, tmp_path: Path) -> None:
    app = create_app(
        rows,
        MODEL,
        access=Access(read_tokens=frozenset({READ, OTHER_READ})),
        rate=Rate(0.5, 2, lambda: 0.0),
        static=tmp_path,
    )
    with TestClient(app) as client:
        answers = [client.get("/api/model", headers=bearer(READ)) for _ in range(3)]
        another = client.get("/api/model", headers=bearer(OTHER_READ))
        guesses = [client.get("/api/model", headers=bearer("guess")).status_code for _ in range(3)]

    assert [429] == [answer.status_code for answer in answers[2:]]
    assert "2" == answers[2].headers["retry-after"]
    assert 429 not in {answers[0].status_code, answers[1].status_code, another.status_code}
    assert [401, 401, 429] == guesses


def test_a_bucket_fills_again_up_to_the_burst() -> None:
    now = [0.0]
    rate = Rate(2, 3, lambda: now[0])
    spent = [rate.wait_seconds("a") for _ in range(4)]

    now[0] = 0.5
    one_more = [rate.wait_seconds("a") for _ in range(2)]
    now[0] = 100.0
    full = [rate.wait_seconds("a") for _ in range(4)]

    assert ([0, 0, 0, 1], [0, 1], [0, 0, 0, 1]) == (spent, one_more, full)


def test_callers_without_end_do_not_fill_the_memory() -> None:
    rate = Rate(1, 1, lambda: 0.0)

    for number in range(CALLERS_MAX + 50):
        rate.wait_seconds(str(number))

    assert CALLERS_MAX == len(rate._buckets)


def test_no_limit_is_no_limit() -> None:
    assert {0} == {Rate(0, 1).wait_seconds("a") for _ in range(100)}
