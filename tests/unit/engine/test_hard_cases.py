"""What the state machine does where histories fold, ids repeat and bounds are reached."""

import json
from itertools import pairwise

import pytest

from journey_stream.engine import profile
from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition
from journey_stream.events.admission import Admitted, read_touchpoint
from journey_stream.events.decisions import Decision, ProfileChanged, Rejected, StageChanged
from journey_stream.events.log import Source, Tick, TouchpointRecord, decode, encode_touchpoint
from journey_stream.events.reasons import Reason
from journey_stream.events.times import DAY_MS, HOUR_MS
from journey_stream.journey.load import parse_model
from journey_stream.journey.model import Model
from tests.support.journeys import START, net_history, touchpoint, tricky_model

LIMITS = Limits(lateness_ms=10 * DAY_MS, allowance_ms=DAY_MS)
CROWDED = Limits(lateness_ms=10 * DAY_MS, allowance_ms=DAY_MS, touchpoints_max=6)


def two_stages(where: str = "", *, count: int = 1, settle: str = "0s") -> Model:
    return parse_model(
        f"""
model: two
version: 1
stages: [{{id: low, meaning: low}}, {{id: high, meaning: high{f", settle: {settle}" if settle != "0s" else ""}}}]
touchpoints:
  up: {{meaning: up, match: [{{type: up{f", where: {where}" if where else ""}}}]}}
  down: {{meaning: down, match: [{{type: down}}]}}
rules:
  - {{id: rise, to: high, when: {{touchpoint: up, count: {count}}}}}
  - {{id: fall, to: low, when: down}}
inactivity: [{{id: quiet, in: [high], nothing_for: 120d, of: any, to: low}}]
moves: {{back: any}}
""",
        "two.yaml",
    )


def apply_all(machine: Partition, records: list[TouchpointRecord]) -> list[Decision]:
    return [decision for record in records for decision in machine.apply(record)]


def told(decisions: list[Decision]) -> list[tuple[str, str | None, str, str]]:
    return [(d.kind, d.from_stage, d.to_stage, d.rule) for d in decisions if isinstance(d, StageChanged)]


def views(decisions: list[Decision]) -> list[ProfileChanged]:
    return [decision for decision in decisions if isinstance(decision, ProfileChanged)]


def rejected(decisions: list[Decision]) -> list[Rejected]:
    return [decision for decision in decisions if isinstance(decision, Rejected)]


def held_bytes(machine: Partition) -> int:
    return sum(len(value) for key, value in machine.snapshot() if key != b"m")


@pytest.mark.parametrize("next_record", [touchpoint("z", "note", 20), Tick(START + 20 * DAY_MS)])
def test_what_has_settled_is_told_even_if_the_clock_jumps_past_the_folding_of_it(
    next_record: TouchpointRecord | Tick,
) -> None:
    machine = Partition(tricky_model(settle="36h"), LIMITS)
    types = ["view", "view", "view", "note", "note", "note"]
    apply_all(machine, [touchpoint(f"e{n}", type_, n / 10) for n, type_ in enumerate(types)])

    decisions = machine.apply(next_record)

    assert told(decisions) == [("entered", "aware", "warm", "looks"), ("entered", "warm", "aware", "cold")]


def test_profile_over_its_limit_tells_what_it_folds_before_it_has_settled() -> None:
    machine = Partition(tricky_model(settle="36h"), CROWDED)

    decisions = apply_all(machine, [touchpoint(f"e{n:02d}", "view", n / 100) for n in range(12)])

    assert told(decisions) == [("entered", None, "aware", "hello"), ("entered", "aware", "warm", "looks")]


@pytest.mark.parametrize("digits", [20, 310, 400, 4_000])
def test_integer_of_any_length_in_a_property_that_a_rule_reads_stops_nothing(digits: int) -> None:
    original = json.dumps(
        {"event_id": "e", "occurred_at": START, "channel": "web", "type": "up", "customer_id": "c1", "properties": {}}
    ).replace("{}", '{"n": ' + "9" * digits + "}")
    admitted = read_touchpoint(original.encode())
    assert isinstance(admitted, Admitted)
    record = decode(b"c1", START, encode_touchpoint(admitted, Source("web", 0, 0), None))
    assert isinstance(record, TouchpointRecord)
    machine = Partition(two_stages("{properties.n: {gte: 5}}"), LIMITS)

    decisions = machine.apply(record)

    assert told(decisions) == ([("entered", None, "high", "rise")] if digits < 308 else [])


@pytest.mark.parametrize("order", [(True, 1), (1, True)])
def test_true_and_one_are_two_contents_with_one_winner_in_either_order(order: tuple[bool | int, ...]) -> None:
    machine = Partition(two_stages("{properties.n: 1}"), LIMITS)
    contents = [TouchpointRecord("c1", START, START, "e", "web", "up", properties={"n": value}) for value in order]

    decisions = apply_all(machine, contents)

    assert [r.reason for r in rejected(decisions)] == [Reason.CONFLICTING_DUPLICATE]
    assert [entry.after for entry in net_history(decisions)["c1"]] == ["high"]
    assert machine.counters.duplicates == 0


@pytest.mark.parametrize("others", [0, 3, 8, 30])
def test_id_used_again_after_the_lateness_bound_is_a_new_touchpoint_whatever_has_folded(others: int) -> None:
    machine = Partition(tricky_model(), LIMITS)
    apply_all(machine, [touchpoint("e", "note", 0), *(touchpoint(f"n{n}", "note", n / 10) for n in range(others))])

    decisions = machine.apply(touchpoint("e", "buy", 10.5, value=60))

    assert told(decisions) == [("entered", "aware", "customer", "big-spender")]
    assert rejected(decisions) == []


def test_rival_that_would_win_a_place_in_folded_history_is_refused_and_the_held_one_stays() -> None:
    machine = Partition(tricky_model(), CROWDED)
    apply_all(machine, [touchpoint(f"e{n:02d}", "note", 1 + n / 10) for n in range(12)])

    decisions = machine.apply(touchpoint("e11", "buy", 0, value=60, late=3))

    assert [r.reason for r in rejected(decisions)] == [Reason.TOO_LATE]
    assert told(decisions) == []


def test_same_move_twice_at_one_instant_is_two_facts() -> None:
    machine = Partition(two_stages(), LIMITS)

    decisions = apply_all(machine, [touchpoint(f"e{n}", type_, 0) for n, type_ in enumerate(["down", "up"] * 2)])

    entered = [decision for decision in decisions if isinstance(decision, StageChanged)]
    assert [change.to_stage for change in entered] == ["low", "high", "low", "high"]
    assert {change.entered_at for change in entered} == {START}
    assert len({change.change_id for change in entered}) == 4


def test_view_knows_rule_and_previous_stage_when_all_since_the_checkpoint_is_retracted() -> None:
    machine = Partition(tricky_model(), LIMITS)
    types = [("view", 0), ("view", 1), ("note", 1.1), ("note", 1.2), ("note", 1.3), ("view", 5)]
    apply_all(machine, [touchpoint(f"e{n}", type_, day) for n, (type_, day) in enumerate(types)])
    silence = machine.apply(Tick(START + 16 * DAY_MS))

    decisions = machine.apply(touchpoint("late", "view", 10.5, late=5.5))

    assert told(silence) == [("entered", "warm", "aware", "cold")]
    assert told(decisions) == [("retracted", "warm", "aware", "cold")]
    [view] = views(decisions)
    assert (view.stage, view.previous_stage, view.rule) == ("warm", "aware", "looks")
    assert view.entered_at == START + DAY_MS


def test_last_touchpoint_at_goes_back_when_the_newest_prove_to_be_older() -> None:
    machine = Partition(tricky_model(), LIMITS)
    apply_all(machine, [touchpoint(f"e{n}", "note", 1 + n) for n in range(5)])
    machine.apply(touchpoint("e4", "note", 0.5, late=5))

    decisions = machine.apply(touchpoint("e3", "buy", 0.6, late=5, value=60))

    assert [view.last_touchpoint_at for view in views(decisions)] == [START + 3 * DAY_MS]


def test_late_touchpoint_of_a_profile_over_its_limit_speaks_of_the_limit_and_not_of_lag() -> None:
    machine = Partition(tricky_model(), CROWDED)
    apply_all(machine, [touchpoint(f"e{n:02d}", "note", n / 10) for n in range(12)])

    [refused] = rejected(machine.apply(touchpoint("late", "view", 0.05, late=2)))

    assert refused.reason is Reason.TOO_LATE
    assert refused.detail == (
        "its place in the customer's history is final: the profile is over its limit of touchpoints"
    )
    assert (machine.counters.overflows, machine.counters.beyond_allowance) == (1, 0)


def test_late_touchpoint_that_finds_its_place_folded_otherwise_speaks_of_lag() -> None:
    machine = Partition(tricky_model(), LIMITS)
    apply_all(machine, [touchpoint(f"e{n}", "note", n / 10) for n in range(8)])
    machine.apply(touchpoint("other", "note", 20, profile="c2"))

    [refused] = rejected(machine.apply(touchpoint("late", "view", 0.05, late=2)))

    assert refused.detail == "its place in the customer's history is final: the task lagged too far"
    assert (machine.counters.overflows, machine.counters.beyond_allowance) == (0, 1)


def test_state_bytes_are_those_of_heads_and_parts_at_every_step() -> None:
    machine = Partition(tricky_model(), LIMITS)
    seen = []

    for n in range(200):
        machine.apply(touchpoint(f"e{n:03d}", "cart", n / 5, profile=f"c{n % 3}"))
        machine.drain_state()
        seen.append((held_bytes(machine), machine.state_bytes))

    assert [expected for expected, _ in seen] == [actual for _, actual in seen]
    assert any(later < earlier for (earlier, _), (later, _) in pairwise(seen)), "nothing has folded"


def test_history_of_more_bytes_than_a_head_may_hold_overflows() -> None:
    machine = Partition(two_stages(), LIMITS)
    records = [touchpoint(f"{n:0256d}", ["down", "up"][n % 2], n / 1_000) for n in range(600)]

    decisions = apply_all(machine, records)
    heads = [value for key, value in machine.drain_state() if key == b"hc1" and value is not None]

    assert machine.counters.overflows == 1
    assert views(decisions)[-1].overflow
    assert len(net_history(decisions)["c1"]) == len(records)
    assert [len(head) < profile.HISTORY_BYTES_MAX + 16 * 1024 for head in heads] == [True]


def test_timers_that_were_set_anew_do_not_pile_up() -> None:
    machine = Partition(two_stages(settle="1s"), LIMITS)
    most = 0

    for n in range(3_000):
        record = touchpoint(f"e{n}", ["down", "up"][n % 2], n / 8_640)
        machine.apply(record)
        machine.apply(Tick(record.arrived_at + 2_000))
        if n % 100 == 0:
            machine.drain_state()
            most = max(most, len(machine._timers))

    assert most <= 1_150


def test_silence_cites_only_what_broke_it_in_this_stage() -> None:
    machine = Partition(tricky_model(), LIMITS)
    apply_all(machine, [touchpoint("a", "view", 0), touchpoint("b", "view", 1), touchpoint("c", "cart", 2)])

    decisions = machine.apply(Tick(START + 30 * DAY_MS))

    silences = [decision for decision in decisions if isinstance(decision, StageChanged)]
    assert [(change.rule, change.evidence) for change in silences] == [("cool", ("c",)), ("cold", ())]
    assert [change.silent_since for change in silences] == [START + 2 * DAY_MS, START + 6 * DAY_MS]


def test_touchpoint_of_another_kind_breaks_no_silence_and_is_not_cited() -> None:
    machine = Partition(tricky_model(), LIMITS)
    apply_all(machine, [touchpoint("a", "view", 0), touchpoint("b", "view", 1), touchpoint("n", "note", 3)])

    decisions = machine.apply(Tick(START + 7 * DAY_MS + HOUR_MS))

    assert [d.evidence for d in decisions if isinstance(d, StageChanged)] == [("b",)]
