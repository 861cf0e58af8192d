"""Identifiers that know of one another, where bounds are reached and where something else changes as well."""

from itertools import permutations

import pytest
from msgspec import structs

from journey_stream.churn.load import parse_parameters
from journey_stream.churn.score import Scorer
from journey_stream.engine import profile
from journey_stream.engine.actor import DISPLACED_MAX
from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition
from journey_stream.events.decisions import Decision, ProfileChanged, ProfileGone, Rejected, RiskChanged
from journey_stream.events.log import Block, Record, TouchpointRecord, Unlink
from journey_stream.events.times import DAY_MS, HOUR_MS
from journey_stream.journey.load import parse_model
from journey_stream.journey.model import Model
from tests.support.risks import NERVOUS
from tests.unit.engine.test_erasure import Log, at, link, linking, touch

DEVICE = "device_id:d"


def with_segment() -> Model:
    """A look at something enters no stage, but three make a segment."""
    return parse_model(
        """
model: looking
version: 1
stages: [{id: customer, meaning: bought}]
touchpoints:
  view: {meaning: looked, match: [{type: view}]}
  buy: {meaning: bought, match: [{type: buy}]}
rules: [{id: bought, to: customer, when: buy}]
segments: [{id: often, meaning: looks often, when: {touchpoint: view, at_least: 3}}]
""",
        "looking.yaml",
    )


def to_and_fro() -> Model:
    return parse_model(
        """
model: two
version: 1
stages: [{id: low, meaning: low}, {id: high, meaning: high}]
touchpoints:
  up: {meaning: up, match: [{type: up}]}
  down: {meaning: down, match: [{type: down}]}
rules: [{id: rise, to: high, when: up}, {id: fall, to: low, when: down}]
moves: {back: any}
""",
        "two.yaml",
    )


def last_view(decisions: list[Decision], who: str) -> ProfileChanged | None:
    found = [one for one in decisions if isinstance(one, ProfileChanged | ProfileGone) and one.profile_id == who]
    return found[-1] if found and isinstance(found[-1], ProfileChanged) else None


@pytest.mark.parametrize("views", [14, 15], ids=["all of its own is folded", "one of its own is held"])
def test_a_profile_of_which_only_folded_touchpoints_are_left_keeps_its_view(views: int) -> None:
    log = Log(with_segment())
    log.write(*[touch(f"v{n:02}", DEVICE, 1 + n / 100) for n in range(views)], touch("b", DEVICE, 80, type_="buy"))

    told = log.write(link(DEVICE, "c", 80.5))

    view = last_view(told, DEVICE)
    assert view is not None
    assert (view.stage, view.segment) == (None, "often")


def test_a_view_without_a_stage_names_who_is_linked_as_well() -> None:
    log = Log(with_segment())
    log.write(*[touch(f"v{n}", "c", 1 + n / 100) for n in range(3)])

    told = log.write(link(DEVICE, "c", 2))

    view = last_view(told, "c")
    assert view is not None
    assert (view.segment, view.identifiers) == ("often", (DEVICE,))


def test_a_history_that_outgrows_its_record_because_others_pass_on_theirs_overflows() -> None:
    log = Log(to_and_fro())
    log.machine = Partition(log.model, Limits(lateness_ms=10 * DAY_MS, allowance_ms=DAY_MS))
    for number in range(3):
        device = f"device_id:{number}"
        for each in range(300):
            kind = ["up", "down"][(number + each) % 2]
            log.write(touch(f"{number}-{each:0250}", device, 1 + (number + each * 3) / 1_500, type_=kind))
        log.write(link(device, "c", 2))

    assert len(log.store[b"hc"]) < profile.HISTORY_BYTES_MAX + 16 * 1024
    assert log.machine.counters.overflows == 1


def test_ids_that_are_unique_per_device_only_do_not_fill_the_record_of_links() -> None:
    log = Log()
    log.machine = Partition(log.model, Limits(lateness_ms=10 * DAY_MS, allowance_ms=DAY_MS))
    log.write(link("device_id:d", "c", 0.9), link("device_id:e", "c", 0.9))
    sizes = []
    for number in range(2 * DISPLACED_MAX):
        for device, kind in (("device_id:d", "view"), ("device_id:e", "cart")):
            log.write(touch(f"{number:03}", device, 1 + number / 1_000, type_=kind))
        sizes.append(max(len(value) for key, value in log.store.items() if key[:1] == b"p" and key[5:] == b"c"))

    assert max(sizes) == max(sizes[: DISPLACED_MAX + 20])
    assert log.machine.counters.overflows == 1


def test_a_repeat_of_which_new_parameters_keep_more_conflicts_with_nothing_wherever_it_went() -> None:
    log = Log(scored=False)
    note = TouchpointRecord(DEVICE, at(1), at(1), "n", "web", "note", properties={"grade": 1})
    log.write(link(DEVICE, "c", 0.5), note)
    read_more = NERVOUS.replace("match: [{type: note}]", "match: [{type: note, where: {properties.grade: {gte: 1}}}]")
    log.scorer = Scorer(parse_parameters(read_more, "more.yaml"))
    log.restart()

    told = log.write(note)

    assert [one for one in told if isinstance(one, Rejected)] == []
    again = log.write(note)
    assert again == []
    log.write(link(DEVICE, "c2", 0.9, arrived=1.5))
    held = {who: dict(log.profiles()).get(who) for who in ("c", "c2")}
    assert held["c2"] is not None
    assert b"grade" in held["c2"]
    assert held["c"] is None or b"note" not in held["c"]


def test_one_record_that_comes_too_late_is_one_dead_letter() -> None:
    log = Log()
    log.write(*[touch(f"v{n:02}", DEVICE, 1 + n / 100) for n in range(45)], link(DEVICE, "c", 2))
    log.write(*[touch(f"w{n:02}", "c", 3 + n / 100) for n in range(50)])

    told = log.write(link(DEVICE, "c2", 0.9, arrived=3.6))

    [refused] = [one for one in told if isinstance(one, Rejected)]
    assert "45 of the touchpoints" in refused.detail


def test_what_is_passed_on_by_the_latest_link_is_taken_in_after_an_allowance_for_each_step() -> None:
    log = Log()
    look_back, late = 30.0, 10.0
    hops = 6 - 0.1  # a day for each type of identifier, and not quite all of it
    log.write(touch("v", DEVICE, 0), *[touch(f"c{n:02}", "c", 0.01 + n / 100) for n in range(30)])
    log.write(link(DEVICE, "c", look_back, arrived=look_back + late), held_back=True)
    log.write(touch("now", "c", look_back + late + hops))

    log.deliver()

    assert [one for one in log.told if isinstance(one, Rejected)] == []
    assert "v" in held_ids(log, "c")


def held_ids(log: Log, who: str) -> set[str]:
    """The ids of the touchpoints that are held by a profile which passes on none."""
    profile = log.machine._profile(who)
    return {one.id for one in profile.touches()}


def test_churn_risk_that_goes_with_a_touchpoint_to_somebody_else_is_taken_back_because_of_identity() -> None:
    log = Log(scored=True)
    log.write(touch("b", DEVICE, 1, type_="buy"))

    told = log.write(link(DEVICE, "c", 1.2))

    changes = [one for one in told if isinstance(one, RiskChanged) and one.profile_id == DEVICE]
    assert [("retracted", "identity")] == [(one.kind, one.cause) for one in changes]


@pytest.mark.parametrize("order", list(permutations(["earliest", "between", "ahead"])), ids="-".join)
def test_a_producer_whose_clock_runs_ahead_does_not_make_the_order_of_arrival_count(order: tuple[str, ...]) -> None:
    """It came within the lateness bound of the earliest, but says that it happened more than that after it."""
    limits = Limits(lateness_ms=12 * HOUR_MS, skew_ms=HOUR_MS)
    arrived = at(1) + limits.lateness_ms
    happened = {"earliest": at(1), "between": at(1) + HOUR_MS, "ahead": arrived + HOUR_MS}

    def state_of(*names: str) -> str:
        machine = Partition(to_and_fro(), limits)
        for name in names:
            machine.apply(TouchpointRecord("c", arrived, happened[name], "one", "web", "up"))
        machine.drain_state()
        return machine.state_hash()

    assert state_of(*order) == state_of("earliest")


@pytest.mark.parametrize("order", list(permutations(["buy", "cart", "view"])), ids="-".join)
def test_of_three_contents_the_losers_are_forgotten_once_what_a_source_sent_has_won(order: tuple[str, ...]) -> None:
    sent_to = {"buy": "c", "cart": "device_id:d", "view": "device_id:e"}

    def state_of(*types: str) -> str:
        log = Log()
        log.write(link("device_id:d", "c", 0.9), link("device_id:e", "c", 0.9))
        for type_ in types:
            log.write(touch("one", sent_to[type_], 1, type_=type_))
        return log.machine.state_hash()

    assert state_of(*order) == state_of("buy", "cart", "view")


@pytest.mark.parametrize("sender", ["device_id:e", "email:x"], ids=["passed on", "sent by a source"])
@pytest.mark.parametrize("how", ["blocked", "crowded"])
def test_what_lost_its_place_goes_with_what_is_nobodys(how: str, sender: str) -> None:
    records: dict[str, list[Record]] = {
        "winner": [touch("one", "device_id:d", 1, arrived=3, type_="cart")],
        "loser": [touch("one", sender, 1, arrived=3, type_="view")],
        "blocked": [Block(profile_id="email:x", arrived_at=at(3), at=at(3), event_id="b")],
        "crowded": [link("email:x", f"c{number}", 0.95, arrived=3) for number in range(4)],
    }

    def state_of(*names: str) -> str:
        log = Log()
        log.write(link("device_id:d", "email:x", 0.9), link("device_id:e", "email:x", 0.9))
        for name in names:
            for record in records[name]:
                log.write(record)
        return log.machine.state_hash()

    assert len({state_of(*order) for order in permutations(["winner", "loser", how])}) == 1


def test_who_has_lost_is_forgotten_when_new_parameters_show_that_a_source_sent_the_winner() -> None:
    note = TouchpointRecord(DEVICE, at(1), at(1), "n", "web", "note", properties={"grade": 1})
    loser = touch("n", "device_id:e", 1)
    read_more = NERVOUS.replace("match: [{type: note}]", "match: [{type: note, where: {properties.grade: {gte: 1}}}]")

    def state_of(*, loser_first: bool) -> str:
        log = Log(scored=False)
        log.write(link(DEVICE, "c", 0.5), link("device_id:e", "c", 0.5), note)
        if loser_first:
            log.write(loser)
        log.scorer = Scorer(parse_parameters(read_more, "more.yaml"))
        log.restart()
        log.write(structs.replace(note, profile_id="c"))
        if not loser_first:
            log.write(loser)
        return log.machine.state_hash()

    assert state_of(loser_first=True) == state_of(loser_first=False)


def test_an_id_that_is_used_anew_takes_nothing_from_those_who_had_it_before() -> None:
    log = Log()
    log.write(link("device_id:d", "c", 0.5), link("device_id:e", "c", 0.5))
    log.write(touch("one", "device_id:d", 1, type_="cart"), touch("one", "device_id:e", 1, type_="view"))
    log.write(touch("one", "device_id:d", 11.2, type_="view"))
    log.write(touch("one", "c", 11.2, type_="cart"))

    log.write(Unlink(profile_id="device_id:d", arrived_at=at(11.3), at=at(11.3), parent="c", event_id="u"))

    profile = log.machine._profile("c")
    assert [(one.at, one.type, one.via) for one in profile.touches()] == [
        (at(1), "view", ("device_id:e",)),
        (at(11.2), "cart", None),
    ]


@pytest.mark.parametrize("early", [3, 6], ids=["most come late", "all come early"])
def test_what_a_link_brings_when_its_rival_may_be_folded_is_used_however_the_timeline_is_cut(early: int) -> None:
    machine = Partition(linking(), Limits(lateness_ms=10 * DAY_MS, allowance_ms=0))
    records: list[Record] = [touch("one", "c", 0)]
    records += [touch(f"e{n}", "c", n / 100, arrived=None if n < early else 9.6 + n / 100) for n in range(6)]
    records += [touch(f"x{n}", "c", 9.47 + n / 1000) for n in range(4)]
    records += [touch("one", "device_id:d", 9.5, type_="cart"), link("device_id:d", "c", 39.5, arrived=49.5)]
    log = Log()
    log.machine = machine
    for record in sorted(records, key=lambda one: one.arrived_at):
        log.write(record)

    assert {(one.id, one.at) for one in machine._profile("c").touches()} >= {("one", at(9.5))}
