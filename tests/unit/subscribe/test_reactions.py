from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey_stream.events.outputs import StageChange
from journey_stream.subscribe import InMemory, Memory, Reactor, Seen, SqliteMemory
from tests.unit.subscribe.changes import change


class Calls:
    """A reaction that writes down what it did, and the set of changes that it stands by."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.standing: set[str] = set()

    async def act(self, message: StageChange) -> None:
        assert message.change_id not in self.standing
        self.made.append(f"act {message.change_id}")
        self.standing.add(message.change_id)

    async def undo(self, message: StageChange) -> None:
        assert message.change_id in self.standing
        self.made.append(f"undo {message.change_id}")
        self.standing.remove(message.change_id)


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def reactor(calls: Calls) -> Reactor:
    return Reactor(calls.act, calls.undo)


async def test_a_change_that_is_current_is_acted_on(reactor: Reactor, calls: Calls) -> None:
    assert await reactor.receive(change(1)) == "acted"
    assert calls.made == ["act x"]


async def test_a_repeat_does_nothing(reactor: Reactor, calls: Calls) -> None:
    await reactor.receive(change(1))

    assert await reactor.receive(change(1)) == "repeated"
    assert calls.made == ["act x"]


async def test_a_change_of_the_past_is_only_noted(reactor: Reactor, calls: Calls) -> None:
    assert await reactor.receive(change(1, current=False)) == "noted"
    assert calls.made == []


async def test_a_retraction_undoes_what_was_done(reactor: Reactor, calls: Calls) -> None:
    await reactor.receive(change(1))

    assert await reactor.receive(change(2, kind="retracted")) == "undone"
    assert calls.made == ["act x", "undo x"]


async def test_a_retraction_of_what_was_never_acted_on_is_only_noted(reactor: Reactor, calls: Calls) -> None:
    await reactor.receive(change(1, current=False))

    assert await reactor.receive(change(2, kind="retracted")) == "noted"
    assert calls.made == []


async def test_the_same_change_entered_again_is_acted_on_again(reactor: Reactor, calls: Calls) -> None:
    for message in (change(1), change(2, kind="retracted"), change(3)):
        await reactor.receive(message)

    assert calls.made == ["act x", "undo x", "act x"]


async def test_an_old_retraction_that_comes_late_does_not_undo_what_was_entered_since(
    reactor: Reactor, calls: Calls
) -> None:
    await reactor.receive(change(3))

    assert await reactor.receive(change(2, kind="retracted")) == "repeated"
    assert calls.made == ["act x"]


async def test_an_erasure_is_noted_and_undoes_nothing(reactor: Reactor, calls: Calls) -> None:
    await reactor.receive(change(1))

    assert await reactor.receive_surely(None) == "noted"
    assert calls.made == ["act x"]


async def test_changes_that_are_not_wanted_are_left_alone(calls: Calls) -> None:
    reactor = Reactor(calls.act, calls.undo, wanted=lambda message: message.to_stage == "purchase")

    await reactor.receive(change(1, "x", to_stage="decision"))
    await reactor.receive(change(2, "y", to_stage="purchase"))

    assert calls.made == ["act y"]


async def test_a_reaction_that_fails_is_tried_again_after_growing_pauses_and_nothing_is_skipped() -> None:
    tries: list[str] = []
    pauses: list[float] = []

    async def act(message: StageChange) -> None:
        tries.append(message.change_id)
        if len(tries) < 9:
            raise ConnectionError("the mail service is away")

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    reactor = Reactor(act, act)

    assert await reactor.receive_surely(change(1), pause) == "acted"
    assert tries == ["x"] * 9
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]


async def test_a_failed_reaction_is_not_remembered() -> None:
    async def act(_: StageChange) -> None:
        raise ConnectionError

    memory = InMemory()
    reactor = Reactor(act, act, memory)

    with pytest.raises(ConnectionError):
        await reactor.receive(change(1))
    assert memory == {}


@pytest.fixture(params=["memory", "sqlite"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Memory:
    return InMemory() if request.param == "memory" else SqliteMemory(tmp_path / "deep" / "seen.sqlite")


def test_a_memory_keeps_the_last_word_on_each_change(memory: Memory) -> None:
    memory.put("x", Seen(1, acted=True))
    memory.put("y", Seen(2, acted=False))
    memory.put("x", Seen(3, acted=False))

    assert (memory.get("x"), memory.get("y"), memory.get("z")) == (Seen(3, acted=False), Seen(2, acted=False), None)


def test_a_file_still_knows_after_it_was_closed(tmp_path: Path) -> None:
    first = SqliteMemory(tmp_path / "seen.sqlite")
    first.put("x", Seen(7, acted=True))
    first.close()

    assert SqliteMemory(tmp_path / "seen.sqlite").get("x") == Seen(7, acted=True)


@st.composite
def published(draw: st.DrawFn) -> list[StageChange]:
    """What the service may publish of one profile: a change is retracted only while it stands."""
    standing: set[str] = set()
    messages = []
    for revision in range(1, draw(st.integers(0, 12)) + 1):
        change_id = draw(st.sampled_from("xyz"))
        kind = "retracted" if change_id in standing else "entered"
        standing ^= {change_id}
        messages.append(change(revision, change_id, kind))  # type: ignore[arg-type]
    return messages


@given(published(), st.data())
async def test_however_often_the_last_messages_come_again_exactly_what_holds_stands(
    messages: list[StageChange], data: st.DataObject
) -> None:
    calls = Calls()
    memory = InMemory()
    position = furthest = 0
    while position < len(messages):
        reactor = Reactor(calls.act, calls.undo, memory)
        end = data.draw(st.integers(position + 1, len(messages)))
        for message in messages[position:end]:
            await reactor.receive(message)
        furthest = max(furthest, end)
        # A crash: the position that was committed lies somewhere before what was handled.
        position = data.draw(st.integers(position, end)) if data.draw(st.booleans()) else end

    holds = {message.change_id for message in messages if message.kind == "entered"}
    for message in messages:
        (holds.add if message.kind == "entered" else holds.discard)(message.change_id)
    assert calls.standing == holds
    assert len(calls.made) == len(messages)
