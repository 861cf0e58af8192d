from typing import Any

import msgspec
import pytest

from journey_stream.events.log import Source
from journey_stream.worker import operate, rights_check
from journey_stream.worker.config import Settings
from tests.unit.cli.conftest import Run, granted

WHY = ("--why", "sold the tablet")


Written = list[tuple[bytes, dict[str, Any]]]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Written:
    """Keys and values that would have been written to the broker."""
    found: Written = []

    async def write_operation(settings: Settings, key: bytes, value: bytes) -> Source:
        found.append((key, msgspec.json.decode(value)))
        return Source(settings.topics.operations, 3, 12)

    monkeypatch.setattr(operate, "write_operation", write_operation)
    monkeypatch.setattr(rights_check, "require_rights", granted)
    return found


def test_an_unlink_says_who_why_and_since_when(run: Run, written: Written) -> None:
    since = ("--since", "2026-01-31")

    ran = run("identity", "unlink", "device_id:d7", "c42", "--who", "kim", *WHY, *since)

    assert 0 == ran.code, ran.err
    [(key, value)] = written
    assert b"device_id:d7" == key
    assert ("identity", "unlink") == (value["channel"], value["type"])
    assert {"device_id": "d7", "customer_id": "c42"} == value["identifiers"]
    assert {"who": "kim", "why": "sold the tablet", "since": "2026-01-31T00:00:00.000Z"} == value["properties"]
    assert "wrote unlink device_id:d7 c42 to journey.operations, partition 3, offset 12" in ran.out
    assert "journey.identity-changes (key: device_id:d7)" in ran.out


def test_a_link_holds_since_when_it_is_said_to(run: Run, written: Written) -> None:
    ran = run("identity", "link", "email:Ann@X.org", "customer_id:c42", *WHY, "--since", "2026-01-31T09:00:00+01:00")

    assert 0 == ran.code, ran.err
    [(key, value)] = written
    assert b"email:ann@x.org" == key
    assert "2026-01-31T08:00:00.000Z" == value["properties"]["at"]
    assert value["properties"]["who"]


def test_a_block_names_one_identifier(run: Run, written: Written) -> None:
    ran = run("identity", "block", "email:info@shop.example", "--why", "everybody's")

    assert 0 == ran.code, ran.err
    assert {"email": "info@shop.example"} == written[0][1]["identifiers"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("link", "email:a@x.org", "email:b@x.org"), "link each of them to the same identifier of a higher type"),
        (("link", "c42", "device_id:d7"), "write the lower one first: device_id:d7 c42"),
        (("link", "emial:a@x.org", "c42"), "'emial' is no type of identifiers"),
        (("link", "phone:030 1234", "c42"), "of the type phone names nobody"),
        (("block", "email:n/a"), "missing_identifier"),
        (("unlink", "email:a@x.org", "c42", "--since", "soon"), "'soon' is no instant"),
    ],
)
def test_what_the_router_would_refuse_is_not_even_written(
    run: Run, written: Written, arguments: tuple[str, ...], complaint: str
) -> None:
    ran = run("identity", *arguments, *WHY)

    assert 1 == ran.code
    assert complaint in ran.err
    assert [] == written


def test_a_reason_is_required(run: Run, written: Written) -> None:
    assert 2 == run("identity", "block", "email:a@x.org").code
    assert 1 == run("identity", "block", "email:a@x.org", "--why", " ").code
    assert [] == written
