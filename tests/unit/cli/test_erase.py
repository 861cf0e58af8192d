from typing import Any

import pytest

from journey_stream.events.erasures import whole
from journey_stream.events.log import Source
from journey_stream.events.times import MS_MAX
from journey_stream.worker import erase, operate, rights_check, topics
from journey_stream.worker.config import Settings
from journey_stream.worker.erase import Inventory, Left
from journey_stream.worker.person import Held, Person
from journey_stream.worker.topic_checks import TopicState
from tests.unit.cli.conftest import Run, granted

WHY = ("--why", "asked to", "--who", "dpo")
EVER = whole(MS_MAX)


class World:
    """What the brokers would say, and what was written to them."""

    def __init__(self) -> None:
        self.found = Inventory(Person("c1", {"c1": EVER}, ()), {"journey.state": Held(3, 1)}, is_erased=False)
        self.written: list[bytes] = []


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()

    async def states(_: Settings, __: list[str]) -> dict[str, TopicState]:
        return {"journey.state": TopicState("journey.state", 1, 1, {"cleanup.policy": "compact"})}

    async def inventory(*_: Any) -> Inventory:
        return made.found

    async def erase_person(
        _: Settings, __: Any, before: Inventory, ___: int, write: Any, *, seconds_max: float
    ) -> list[Left]:
        assert seconds_max == 60
        for one in before.person.own:
            await write(one)
        return [Left("journey.state", 3, 0, "compacted within 7d")]

    async def write_operation(settings: Settings, key: bytes, value: bytes) -> Source:
        made.written += [key, value]
        return Source(settings.topics.operations, 0, 0)

    monkeypatch.setattr(topics, "topic_states", states)
    monkeypatch.setattr(erase, "inventory", inventory)
    monkeypatch.setattr(erase, "erase_person", erase_person)
    monkeypatch.setattr(operate, "write_operation", write_operation)
    monkeypatch.setattr(rights_check, "require_rights", granted)
    return made


def test_an_erasure_is_written_with_who_and_why_and_shows_proof(run: Run, world: World) -> None:
    ran = run("erase", "c1", *WHY)

    assert ran.code == 0, ran.err
    key, value = world.written
    assert key == b"c1"
    assert b'"type": "erase"' in value
    assert b'{"who": "dpo", "why": "asked to"}' in value
    assert "journey.state      3     0  compacted within 7d" in ran.out


def test_a_dry_run_writes_nothing(run: Run, world: World) -> None:
    ran = run("erase", "c1", *WHY, "--dry-run")

    assert ran.code == 0, ran.err
    assert world.written == []
    assert "journey.state: 3 records" in ran.out


def test_who_belongs_to_somebody_is_not_erased_alone_by_mistake(run: Run, world: World) -> None:
    world.found = world.found._replace(person=Person("email:a@x.org", {"email:a@x.org": EVER}, ("c1",)))

    refused = run("erase", "email:A@x.org", *WHY)
    assert refused.code == 1
    assert "email:A@x.org belongs to c1: erase that one" in refused.err
    assert world.written == []

    assert run("erase", "email:A@x.org", *WHY, "--anyway").code == 0
    assert world.written[0] == b"email:a@x.org"


def test_of_somebody_unknown_nothing_is_erased_by_mistake(run: Run, world: World) -> None:
    world.found = Inventory(Person("c1", {"c1": EVER}, ()), {"journey.state": Held(0, 0)}, is_erased=False)

    ran = run("erase", "c1", *WHY)

    assert ran.code == 1
    assert "nothing is held on 'c1'" in ran.err
    assert world.written == []


def test_an_erasure_of_somebody_erased_shows_what_is_left(run: Run, world: World) -> None:
    world.found = world.found._replace(is_erased=True)

    ran = run("erase", "c1", *WHY)

    assert ran.code == 0
    assert "c1 is erased already" in ran.out
    assert world.written == []


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("c1", "--why", " "), "--why is empty"),
        (("email:n/a", "--why", "x"), "email:n/a names nobody"),
        (("emial:a@x.org", "--why", "x"), "'emial' is no type of identifiers"),
    ],
)
def test_what_cannot_be_meant_is_told(run: Run, world: World, arguments: tuple[str, ...], complaint: str) -> None:
    ran = run("erase", *arguments)

    assert ran.code == 1
    assert complaint in ran.err
    assert world.written == []
