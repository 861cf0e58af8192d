"""What is left of a person who was erased: nothing of theirs, and all of everybody else's."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

import pytest

from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition, StateMismatch
from journey_stream.events.decisions import (
    Decision,
    Erased,
    Forward,
    IdentityChanged,
    ProfileChanged,
    Rejected,
    StageChanged,
)
from journey_stream.events.erasures import UNKEYED, ErasureKey, is_whole
from journey_stream.events.log import AsOf, Attach, Deliver, Erase, Link, Passed, Record, TouchpointRecord, Unlink
from journey_stream.events.reasons import Reason
from journey_stream.events.times import DAY_MS, HOUR_MS
from journey_stream.journey.model import Identity, Model
from tests.support.journeys import START, tricky_model
from tests.support.risks import nervous_scorer

LIMITS = Limits(lateness_ms=10 * DAY_MS, allowance_ms=DAY_MS, touchpoints_max=50)


LINKING = Identity()


def linking(identity: Identity | None = LINKING) -> Model:
    return replace(tricky_model(), identity=identity)


def at(day: float) -> int:
    return START // HOUR_MS * HOUR_MS + round(day * DAY_MS)


def touch(
    event_id: str, who: str, day: float, *, arrived: float | None = None, type_: str = "view"
) -> TouchpointRecord:
    return TouchpointRecord(who, at(day if arrived is None else arrived), at(day), event_id, "web", type_)


def link(child: str, parent: str, day: float, *, arrived: float | None = None) -> Link:
    seen_at = at(day)
    arrived_at = at(day if arrived is None else arrived)
    return Link(profile_id=child, arrived_at=arrived_at, at=seen_at, parent=parent, event_id=f"l{day}")


def erase(who: str, day: float, *, arrived: float | None = None) -> Erase:
    arrived_at = at(day if arrived is None else arrived)
    return Erase(profile_id=who, arrived_at=arrived_at, at=at(day), event_id="x", by="dpo", why="asked to")


class Log:
    """One partition, whose messages to others come back to it; `store` is what compaction leaves of its state."""

    def __init__(self, model: Model | None = None, *, scored: bool = False) -> None:
        self.model = linking() if model is None else model
        self.scorer = nervous_scorer() if scored else None
        self.machine = Partition(self.model, LIMITS, self.scorer)
        self.store: dict[bytes, bytes] = {}
        self.waiting: deque[Record] = deque()
        self.told: list[Decision] = []

    def write(self, *records: Record, held_back: bool = False) -> list[Decision]:
        """Apply records; unless `held_back`, also all that they forward, at once."""
        told: list[Decision] = []
        queue = deque(records)
        while queue:
            record = queue.popleft()
            for decision in self.machine.apply(record):
                told.append(decision)
                if isinstance(decision, Forward):
                    message = decision.message
                    message.arrived_at = self.machine.clock
                    (self.waiting if held_back else queue).append(message)
        for key, value in self.machine.drain_state():
            if value is None:
                self.store.pop(key, None)
            else:
                self.store[key] = value
        self.told += told
        return told

    def deliver(self) -> None:
        """Apply what was held back."""
        while self.waiting:
            self.write(self.waiting.popleft())

    def restart(self) -> None:
        self.machine = Partition(self.model, LIMITS, self.scorer)
        for key, value in self.store.items():
            self.machine.restore(key, value)
        self.machine.restored()

    def about(self, *who: str) -> list[bytes]:
        """The keys of state records of these profiles, and those of others that name them."""
        return [key for key, value in self.store.items() for one in who if one.encode() in key or one.encode() in value]

    def profiles(self) -> dict[str, bytes]:
        return dict(self.machine.canonical())


def erased(decisions: Iterable[Decision]) -> list[str]:
    return [one.profile_id for one in decisions if isinstance(one, Erased) and one.is_whole]


def stages(log: Log, who: str) -> list[tuple[str, str]]:
    """What a subscriber knows who forgets a profile when it is erased."""
    known: list[tuple[str, str]] = []
    for one in log.told:
        if isinstance(one, Erased) and one.is_whole and one.profile_id == who:
            known.clear()
        elif isinstance(one, StageChanged) and one.profile_id == who:
            known.append((one.kind, one.to_stage))
    return known


def equal(log: Log, *records: Record, scored: bool = False) -> bool:
    """Whether the profiles are those that the records alone would have made by now."""
    other = Log(log.model, scored=scored)
    other.write(*records)
    other.write(AsOf(log.machine.clock))
    log.write(AsOf(log.machine.clock))
    return other.profiles() == log.profiles()


@pytest.mark.parametrize("model", [linking(), linking(None)], ids=["with identity", "identity off"])
def test_nothing_of_an_erased_profile_is_left_in_the_state(model: Model) -> None:
    log = Log(model, scored=True)
    log.write(*[touch(f"e{n:02}", "ann", n / 10, type_="buy") for n in range(40)], touch("o", "bob", 4.05))

    told = log.write(erase("ann", 4.1))

    assert erased(told) == ["ann"]
    assert log.about("ann", "e01", "e39") == []
    assert log.machine.counters.erased == 40
    assert set(log.profiles()) == {"bob"}
    assert log.machine.state_bytes == sum(len(value) for key, value in log.store.items() if key[:1] in (b"h", b"p"))


def test_folded_history_goes_as_well() -> None:
    log = Log()
    log.write(*[touch(f"e{n:02}", "ann", n / 10) for n in range(40)])
    log.write(touch("late", "ann", 90), erase("ann", 91))

    assert log.about("ann", "late") == []


def test_what_comes_late_is_dropped_and_counted_without_a_dead_letter() -> None:
    log = Log()
    log.write(touch("a", "ann", 0), erase("ann", 1))

    told = log.write(touch("b", "ann", 0.5, arrived=2), touch("a", "ann", 0, arrived=2), link("ann", "bob", 0.5))

    assert told == []
    assert log.profiles() == {}
    assert log.machine.counters.erased == 4


def test_a_person_may_come_anew_after_the_erasure() -> None:
    log = Log()
    log.write(touch("a", "ann", 0), touch("b", "ann", 1), erase("ann", 2))

    told = log.write(touch("c", "ann", 2.5))

    assert [one.revision for one in told if isinstance(one, StageChanged)] == [1]
    assert equal(log, touch("c", "ann", 2.5))


def test_what_happened_after_the_erasure_and_came_before_it_stays() -> None:
    log = Log(scored=True)
    log.write(touch("a", "ann", 0), touch("b", "ann", 1), touch("c", "ann", 3, type_="buy"))

    told = log.write(erase("ann", 2, arrived=4))

    assert isinstance(told[0], Erased)
    assert stages(log, "ann") == [("entered", "aware")]
    assert [one.cause for one in told if isinstance(one, StageChanged)] == ["erasure"]
    assert isinstance(told[-1], ProfileChanged)
    assert equal(log, touch("c", "ann", 3, type_="buy"), scored=True)


def test_a_repeated_erasure_leaves_the_new_customer_alone() -> None:
    log = Log()
    log.write(touch("a", "ann", 0), erase("ann", 1), touch("c", "ann", 1.5))
    before = dict(log.store)

    assert log.write(erase("ann", 1, arrived=2)) == []
    assert {k: v for k, v in log.store.items() if k != b"m"} == {k: v for k, v in before.items() if k != b"m"}


def test_an_erasure_from_the_future_is_refused_and_a_late_one_is_not() -> None:
    log = Log()
    log.write(touch("a", "ann", 0), touch("b", "bob", 0))

    [refused] = log.write(erase("ann", 5, arrived=1))
    told = log.write(erase("bob", 1, arrived=100))

    assert isinstance(refused, Rejected)
    assert refused.reason is Reason.FROM_THE_FUTURE
    assert erased(told) == ["bob"]
    assert set(log.profiles()) == {"ann"}


def test_all_that_is_linked_to_the_person_alone_is_erased_hop_by_hop() -> None:
    log = Log()
    log.write(
        *[touch("v1", "device_id:d", 0), touch("v2", "email:e", 0.1), touch("v3", "ann", 0.2)],
        *[link("device_id:d", "email:e", 0.1), link("email:e", "ann", 0.2), touch("v4", "device_id:d", 0.3)],
    )
    assert stages(log, "ann") != []

    told = log.write(erase("ann", 1))

    assert sorted(erased(told)) == ["ann", "device_id:d", "email:e"]
    assert log.about("ann", "email:e", "device_id:d") == []
    assert log.profiles() == {}
    log.write(touch("v5", "device_id:d", 0.9, arrived=2), link("device_id:d", "ann", 0.9, arrived=2))
    assert log.profiles() == {}


@pytest.mark.parametrize("restarted", [False, True])
def test_a_shared_device_loses_only_what_was_the_persons(restarted: bool) -> None:
    log = Log()
    anns = [
        *[touch("a1", "ann", 1), link("device_id:d", "ann", 1), touch("d1", "device_id:d", 1.5)],
        touch("d0", "device_id:d", 0.5),
    ]
    bobs = [touch("b1", "bob", 2), link("device_id:d", "bob", 2), touch("d2", "device_id:d", 2.5)]
    log.write(*anns, *bobs)
    if restarted:
        log.restart()
    bob = log.profiles()["bob"]

    told = log.write(erase("ann", 3))

    assert erased(told) == ["ann"]
    [partly] = [one for one in told if isinstance(one, Erased) and not one.is_whole]
    assert partly.profile_id == "device_id:d"
    assert partly.spans == ((at(1) - LINKING.look_back_ms, at(2) - 1),)
    assert log.profiles()["bob"] == bob
    assert log.about("ann", "a1", "d1", "d0") == []
    assert equal(log, *bobs)


def test_what_was_the_persons_on_a_shared_device_does_not_fall_to_others_later() -> None:
    log = Log()
    log.write(
        *[touch("a1", "ann", 1), link("device_id:d", "ann", 1), touch("b1", "bob", 2), link("device_id:d", "bob", 2)],
        erase("ann", 3),
    )

    told = log.write(touch("d1", "device_id:d", 1.5, arrived=4))

    assert told == []
    assert equal(log, touch("b1", "bob", 2), link("device_id:d", "bob", 2))


def test_what_a_shared_device_did_after_the_erasure_goes_on_as_if_the_person_had_never_been() -> None:
    log = Log()
    bobs = [touch("b1", "bob", 0), link("device_id:d", "bob", 0), touch("d2", "device_id:d", 4)]
    log.write(bobs[0], bobs[1], touch("a1", "ann", 1), link("device_id:d", "ann", 1), bobs[2])

    log.write(erase("ann", 3, arrived=4))

    assert equal(log, *bobs)


def test_the_children_of_a_shared_child_lose_the_same_spans() -> None:
    log = Log()
    log.write(
        *[touch("n0", "anonymous_id:n", 1.1), link("anonymous_id:n", "device_id:d", 1), touch("a", "ann", 1)],
        *[link("device_id:d", "ann", 1), link("device_id:d", "bob", 2), touch("n1", "anonymous_id:n", 2.1)],
    )

    log.write(erase("ann", 3))

    assert log.about("ann", "n0") == []
    assert equal(
        log,
        *[link("anonymous_id:n", "device_id:d", 1), link("device_id:d", "bob", 2)],
        touch("n1", "anonymous_id:n", 2.1),
    )


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_child_that_is_attached_after_the_erasure_is_told(order: tuple[int, int]) -> None:
    log = Log()
    log.write(touch("a", "ann", 1))
    log.write(touch("d", "device_id:d", 1), link("device_id:d", "ann", 1), held_back=True)
    assert {type(message) for message in log.waiting} == {Attach, Deliver}
    log.waiting = deque(log.waiting[place] for place in order)

    log.write(erase("ann", 2))
    log.deliver()

    assert log.about("ann", "device_id:d") == []
    assert log.profiles() == {}


def test_a_child_that_comes_to_the_person_anew_is_attached_again() -> None:
    log = Log()
    log.write(touch("d0", "device_id:d", 0), link("device_id:d", "ann", 0), touch("a0", "ann", 0))
    new = [touch("a1", "ann", 3), link("device_id:d", "ann", 3), touch("d1", "device_id:d", 3.5)]
    log.write(*new)

    log.write(erase("ann", 1, arrived=4))

    assert equal(log, *new)


def test_erasing_a_child_takes_back_what_it_had_passed_on() -> None:
    log = Log()
    log.write(touch("a0", "ann", 0), touch("d0", "device_id:d", 1), link("device_id:d", "ann", 1))

    log.write(erase("device_id:d", 2))

    assert log.about("device_id:d", "d0") == []
    assert equal(log, touch("a0", "ann", 0))


def test_erasing_somebody_nobody_knows_keeps_the_past_out() -> None:
    log = Log()

    assert erased(log.write(erase("ann", 1))) == ["ann"]
    log.write(touch("a", "ann", 0.5, arrived=2))
    assert log.profiles() == {}


def test_a_stranger_loses_nothing_to_a_message_about_a_parent_that_it_never_had() -> None:
    log = Log()
    log.write(touch("d0", "device_id:d", 0))
    before = dict(log.store)

    assert log.write(Erase(profile_id="device_id:d", arrived_at=at(0), at=at(0), parent="ann")) == []
    assert log.store == before


def test_erasures_survive_a_restart() -> None:
    log = Log()
    log.write(touch("a", "ann", 0), erase("ann", 1))
    log.restart()

    assert log.write(touch("b", "ann", 0.5, arrived=2)) == []
    assert dict(log.machine.snapshot()) == log.store


def test_another_key_is_refused_because_nobody_would_be_recognised() -> None:
    log = Log()
    log.write(touch("a", "ann", 0), erase("ann", 0))
    other = Partition(log.model, LIMITS, None, ErasureKey(b"another"))
    for key, value in log.store.items():
        other.restore(key, value)

    with pytest.raises(StateMismatch, match="erasure_key_file"):
        other.restored()


def test_another_key_is_fine_as_long_as_nothing_was_erased() -> None:
    log = Log()
    log.write(touch("a", "ann", 0))
    other = Partition(log.model, LIMITS, None, ErasureKey(b"another"))
    for key, value in log.store.items():
        other.restore(key, value)
    other.restored()

    assert other.profiles == 1


def test_part_of_a_delivery_is_let_in() -> None:
    log = Log()
    log.write(erase("ann", 1))
    both = [Passed(at(0.5), "old", "web", "view"), Passed(at(1.5), "new", "web", "view")]

    told = log.write(
        Deliver(profile_id="ann", arrived_at=at(2), at=at(1.5), via="device_id:d", touchpoints=both), held_back=True
    )

    assert [one.message for one in told if isinstance(one, Forward)] == [
        Erase(profile_id="device_id:d", arrived_at=at(2), at=at(1), parent="ann")
    ]
    assert log.about("old") == []
    assert log.about("new") == [b"hann"]


def test_no_identity_change_names_an_erased_person() -> None:
    log = Log()
    log.write(link("device_id:d", "ann", 1), link("device_id:d", "bob", 2))

    told = log.write(erase("ann", 3))

    assert [one for one in told if isinstance(one, IdentityChanged)] == []


def test_names_of_erasures_do_not_hold_the_identifier() -> None:
    log = Log()
    [one] = [one for one in log.write(erase("ann", 1)) if isinstance(one, Erased)]

    assert one.name == UNKEYED.name_of("ann") != ErasureKey(b"another").name_of("ann")
    assert b"ann" not in one.name
    assert is_whole(one.spans)


@pytest.mark.parametrize("who", ["c", "device_id:d"], ids=["the customer", "the device"])
def test_a_link_in_the_hour_of_an_erasure_goes_whether_it_comes_before_or_after(who: str) -> None:
    device, hour = "device_id:d", 1 / 24
    seen = link(device, "c", 2 + hour / 2, arrived=2 + 3 * hour)
    gone = erase(who, 2 + hour / 4, arrived=2 + 3 * hour)
    first = [link(device, "bob", 1), link(device, "c", 1.5)]
    last = touch("v", device, 2 + hour * 0.75, arrived=2 + 3 * hour)

    outcomes = []
    for order in ([seen, gone], [gone, seen]):
        log = Log()
        log.write(*first)
        for record in order:
            log.write(record)
        log.write(last)
        outcomes.append(log.profiles())

    assert outcomes[0] == outcomes[1]


def unlink(child: str, parent: str, day: float, *, since: float) -> Unlink:
    seen_at = at(day)
    return Unlink(profile_id=child, arrived_at=seen_at, at=seen_at, parent=parent, event_id="u", since=at(since))


@pytest.mark.parametrize("linked_last", [False, True], ids=["unlinked last", "linked last"])
def test_a_device_that_was_the_persons_until_they_sold_it_forgets_them(linked_last: bool) -> None:
    device, log = "device_id:d", Log()
    said = [link(device, "ann", 1, arrived=5), unlink(device, "ann", 5, since=3)]
    log.write(touch("v1", device, 1.1), *(reversed(said) if linked_last else said))
    log.write(link(device, "bob", 6), touch("v2", device, 6.1))
    assert log.about("ann")

    log.write(erase("ann", 7))

    assert log.about("ann", "v1") == []
    log.write(touch("v1", device, 1.1, arrived=7.1))
    assert equal(log, link(device, "bob", 6), touch("v2", device, 6.1))


def test_who_had_a_device_before_an_erased_person_keeps_what_was_theirs() -> None:
    device, log = "device_id:d", Log()
    said = [link(device, "bob", 1), touch("v1", device, 1.1)]
    log.write(*said, unlink(device, "bob", 3, since=2), link(device, "ann", 4), touch("v2", device, 4.1))

    told = log.write(erase("ann", 5))

    assert erased(told) == ["ann"]
    assert stages(log, "bob") == [("entered", "aware")]
    assert log.about("ann", "v2") == []


def test_an_erased_identifier_is_not_named_by_those_it_was_unlinked_from() -> None:
    device, log = "device_id:d", Log()
    log.write(touch("o", "ann", 1), link(device, "ann", 1), unlink(device, "ann", 3, since=2))

    log.write(erase(device, 4))

    assert log.about(device) == []


@pytest.mark.parametrize("too_many", ["ann", "zoe"], ids=["one of those before", "the one too many"])
def test_erasing_a_customer_of_a_shared_device_leaves_it_shared_and_their_name_nowhere(too_many: str) -> None:
    device, log = "device_id:kiosk", Log(linking(Identity(customers_max=2)))
    log.write(*[link(device, who, day) for day, who in enumerate(("ann", "bob", "zoe"), start=1)])

    log.write(erase(too_many, 4))
    log.restart()

    assert [key for key in log.about(too_many) if key[:1] != b"e"] == []
    assert log.write(link(device, "kim", 5), touch("k", device, 6)) == []
    assert log.machine.counters.shared == 1


def test_a_device_that_only_one_customer_may_use_is_not_erased_with_that_one() -> None:
    device, log = "device_id:kiosk", Log(linking(Identity(customers_max=1)))
    log.write(link(device, "ann", 1), touch("a", device, 1.5), link(device, "zoe", 2))

    told = log.write(erase("ann", 4))

    assert erased(told) == ["ann"]
    log.write(touch("k", device, 6))
    assert (log.machine.counters.shared, log.about("ann", "zoe")) == (1, [])


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 2, 0)], ids=["erased last", "in between", "erased first"])
@pytest.mark.parametrize("who", ["email:e", "c1"], ids=["the email as a whole", "one of its customers"])
def test_what_lost_against_something_erased_takes_its_place(who: str, order: tuple[int, int, int]) -> None:
    """Two devices say different things under one event_id; only the earlier is erased, and the later is c2's."""
    log = Log()
    log.write(link("email:e", "c1", 0.5), link("device_id:d", "email:e", 0.6), link("device_id:f", "email:e", 2.9))
    log.write(link("email:e", "c2", 2.5))
    records: list[Record] = [
        touch("one", "device_id:d", 1, arrived=4, type_="cart"),
        touch("one", "device_id:f", 3, arrived=4, type_="view"),
        erase(who, 2, arrived=4),
    ]

    for number in order:
        log.write(records[number])

    assert [key for key, value in log.profiles().items() if b"view" in value] == ["c2", "device_id:f", "email:e"]
    assert [key for key, value in log.profiles().items() if b"cart" in value] == []


def test_a_child_that_was_erased_first_and_came_anew_is_attached_again() -> None:
    log = Log()
    log.write(link("email:e", "c", 0.5), link("device_id:d", "email:e", 0.6), link("device_id:d", "c", 0.6))
    log.write(erase("device_id:d", 2))
    log.write(link("device_id:d", "email:e", 3))

    log.write(erase("email:e", 2, arrived=3.1))

    assert log.machine._profile("email:e").children() == ("device_id:d",)


@pytest.mark.parametrize("who", ["ann", "zoe"], ids=["who got nothing", "who counted"])
def test_erasing_either_of_two_who_were_seen_in_one_hour_ends_nothing(who: str) -> None:
    log = Log()
    log.write(link("device_id:d", "email:e", 1), link("email:e", "ann", 1), link("email:e", "zoe", 1))
    log.write(touch("a", "device_id:d", 1))

    told = log.write(erase(who, 2))

    assert erased(told)[0] == who
    assert log.about(who) == []
