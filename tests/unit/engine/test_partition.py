"""What the state machine of one partition does, one behaviour at a time."""

from collections.abc import Iterable
from random import Random

import msgspec
import pytest

from journey_stream.engine.fold import evidence_for
from journey_stream.engine.limits import Limits
from journey_stream.engine.meta import STATE_FORMAT
from journey_stream.engine.partition import Partition, StateMismatch
from journey_stream.engine.plan import Plan
from journey_stream.engine.predicates import facts_of
from journey_stream.engine.standing import Standing
from journey_stream.events.decisions import Decision, ProfileChanged, Rejected, StageChanged
from journey_stream.events.log import AsOf, Record, Tick
from journey_stream.events.reasons import Reason
from journey_stream.events.times import DAY_MS, MINUTE_MS
from journey_stream.journey.load import preset
from tests.support.journeys import START, random_touchpoints, touchpoint, tricky_model

LIMITS = Limits(lateness_ms=10 * DAY_MS, allowance_ms=DAY_MS, touchpoints_max=50)


def partition(*, settle: str | None = None) -> Partition:
    return Partition(tricky_model(settle=settle), LIMITS)


def apply_all(machine: Partition, records: Iterable[Record]) -> list[Decision]:
    return [decision for record in records for decision in machine.apply(record)]


def told(decisions: Iterable[Decision]) -> list[tuple[str, str | None, str, str]]:
    return [(d.kind, d.from_stage, d.to_stage, d.rule) for d in decisions if isinstance(d, StageChanged)]


def day(number: float) -> int:
    return START + round(number * DAY_MS)


def test_first_touchpoint_enters_the_first_stage_with_its_reason() -> None:
    [change, view] = partition().apply(touchpoint("a", "note", 0))

    assert isinstance(change, StageChanged)
    assert (change.kind, change.from_stage, change.to_stage) == ("entered", None, "aware")
    assert (change.rule, change.text, change.evidence) == ("hello", "first contact", ("a",))
    assert (change.revision, change.current, change.cause) == (1, True, "touchpoint")
    assert (change.entered_at, change.previous_entered_at) == (START, None)
    assert (change.model, change.model_version) == ("tricky", 3)
    assert isinstance(view, ProfileChanged)
    assert (view.stage, view.revision, view.entered_at, view.previous_stage) == ("aware", 1, START, None)


def test_touchpoint_that_changes_nothing_says_nothing() -> None:
    machine = partition()
    machine.apply(touchpoint("a", "note", 0))

    assert machine.apply(touchpoint("b", "note", 1)) == []


def test_count_within_window_cites_exactly_the_counted_touchpoints() -> None:
    machine = partition()
    apply_all(machine, [touchpoint("a", "view", 0), touchpoint("b", "note", 1)])

    [change, _] = machine.apply(touchpoint("c", "view", 2))

    assert isinstance(change, StageChanged)
    assert (change.to_stage, change.evidence) == ("warm", ("a", "c"))


def test_count_outside_its_window_does_not_fire() -> None:
    machine = partition()

    decisions = apply_all(machine, [touchpoint("a", "view", 0), touchpoint("b", "view", 3.01)])

    assert told(decisions) == [("entered", None, "aware", "hello")]


def test_count_exactly_at_the_window_fires() -> None:
    machine = partition()

    decisions = apply_all(machine, [touchpoint("a", "view", 0), touchpoint("b", "view", 3)])

    assert told(decisions)[-1] == ("entered", "aware", "warm", "looks")


def test_silence_moves_at_its_exact_instant_when_a_tick_passes_it() -> None:
    machine = partition()
    apply_all(machine, [touchpoint("a", "view", 0), touchpoint("b", "view", 1)])
    due = day(1) + 6 * DAY_MS

    early = machine.apply(Tick(due - 1))
    [change, view] = machine.apply(Tick(due + 5 * MINUTE_MS))

    assert early == []
    assert isinstance(change, StageChanged)
    assert (change.from_stage, change.to_stage, change.entered_at) == ("warm", "aware", due)
    assert (change.cause, change.rule, change.evidence) == ("timer", "cold", ("b",))
    assert (change.silent_since, change.window_seconds) == (day(1), 6 * 86_400)
    assert isinstance(view, ProfileChanged)
    assert view.stage == "aware"


def test_next_timer_is_when_silence_would_move_the_customer() -> None:
    machine = partition()
    apply_all(machine, [touchpoint("a", "view", 0), touchpoint("b", "view", 1)])

    assert machine.next_timer() == day(7)


def test_no_timer_while_no_silence_can_move_anybody() -> None:
    machine = partition()
    machine.apply(touchpoint("a", "note", 0))

    assert machine.next_timer() is None


def test_late_purchase_retracts_the_silence_it_contradicts() -> None:
    machine = partition()
    apply_all(machine, [touchpoint("a", "buy", 0, value=60)])
    silence = told(machine.apply(Tick(day(15))))

    correction = machine.apply(touchpoint("b", "buy", 14, late=2, value=5))

    assert silence == [("entered", "customer", "warm", "lapsed")]
    assert told(correction) == [("retracted", "customer", "warm", "lapsed")]
    retraction, view = correction
    assert isinstance(retraction, StageChanged)
    assert isinstance(view, ProfileChanged)
    assert (retraction.revision, retraction.current) == (3, False)
    assert (view.stage, view.revision, view.rule) == ("customer", 3, "big-spender")


def test_correction_retracts_newest_first_and_enters_oldest_first() -> None:
    machine = partition()
    apply_all(machine, [touchpoint("a", "view", 1), touchpoint("b", "view", 2), touchpoint("d", "buy", 3, value=60)])

    decisions = machine.apply(touchpoint("c", "view", 0.5, late=3))

    assert told(decisions) == [
        ("retracted", "warm", "customer", "big-spender"),
        ("retracted", "aware", "warm", "looks"),
        ("retracted", None, "aware", "hello"),
        ("entered", None, "aware", "hello"),
        ("entered", "aware", "warm", "looks"),
        ("entered", "warm", "customer", "big-spender"),
    ]
    assert [d.current for d in decisions if isinstance(d, StageChanged)] == [False] * 5 + [True]


def test_change_id_names_the_fact_in_every_replay() -> None:
    first, second = (p.apply(touchpoint("a", "note", 0))[0] for p in (partition(), partition()))

    assert isinstance(first, StageChanged)
    assert isinstance(second, StageChanged)
    assert first.change_id == second.change_id


def test_repeated_touchpoint_is_ignored() -> None:
    machine = partition()
    machine.apply(touchpoint("a", "cart", 0))

    decisions = apply_all(machine, [touchpoint("a", "cart", 0, late=0.001 * n) for n in range(10_000)])

    assert decisions == []
    assert machine.counters.duplicates == 10_000
    assert machine.profiles == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_conflicting_payloads_have_one_winner_in_any_order(order: tuple[int, int]) -> None:
    both = [touchpoint("a", "buy", 0, value=60, late=1), touchpoint("a", "note", 0.5, late=1)]
    machine = partition()

    decisions = apply_all(machine, [both[i] for i in order])

    rejected = [d for d in decisions if isinstance(d, Rejected)]
    assert [r.reason for r in rejected] == [Reason.CONFLICTING_DUPLICATE]
    assert "kept web/buy" in rejected[0].detail
    machine.drain_state()
    [(_, state)] = machine.canonical()
    alone = partition()
    alone.apply(both[0])
    alone.apply(Tick(machine.clock))
    alone.drain_state()
    assert [(_, state)] == list(alone.canonical())


def test_touchpoint_later_than_the_bound_is_rejected_with_both_instants() -> None:
    [rejected] = partition().apply(touchpoint("a", "note", 0, late=10.1))

    assert isinstance(rejected, Rejected)
    assert rejected.reason is Reason.TOO_LATE
    assert rejected.detail == (
        "occurred 2023-11-14T22:13:20.000Z, arrived 2023-11-25T00:37:20.000Z: 10.1 days later; "
        "the lateness bound is 10 days"
    )


def test_touchpoint_exactly_as_late_as_the_bound_is_used() -> None:
    decisions = partition().apply(touchpoint("a", "note", 0, late=10))

    assert told(decisions) == [("entered", None, "aware", "hello")]


def test_touchpoint_from_the_future_is_rejected() -> None:
    [rejected] = partition().apply(touchpoint("a", "note", 1, late=-1))

    assert isinstance(rejected, Rejected)
    assert rejected.reason is Reason.FROM_THE_FUTURE


def test_touchpoint_before_1970_is_too_late_not_a_crash() -> None:
    record = touchpoint("a", "note", -30_000, late=30_000)

    [rejected] = partition().apply(record)

    assert isinstance(rejected, Rejected)
    assert rejected.reason is Reason.TOO_LATE


def test_equal_times_are_ordered_by_event_id() -> None:
    for order in (["x", "y"], ["y", "x"]):
        machine = partition()
        decisions = apply_all(machine, [touchpoint(i, "view", 0) for i in order])
        assert [d.evidence for d in decisions if isinstance(d, StageChanged) and d.kind == "entered"][-1] == ("x", "y")


def test_touchpoint_at_the_instant_of_silence_breaks_it() -> None:
    machine = partition()
    apply_all(machine, [touchpoint("a", "view", 0), touchpoint("b", "view", 1)])

    decisions = apply_all(machine, [touchpoint("c", "view", 7), Tick(day(7.5))])

    assert decisions == []


def test_settling_stage_is_told_only_when_it_has_stood() -> None:
    machine = partition(settle="36h")
    entered = apply_all(machine, [touchpoint("a", "view", 0), touchpoint("b", "view", 1)])

    settled = machine.apply(Tick(day(2.5)))

    assert told(entered) == [("entered", None, "aware", "hello")]
    assert told(settled) == [("entered", "aware", "warm", "looks")]


def test_what_a_late_touchpoint_overturns_while_settling_never_appears() -> None:
    machine = partition(settle="36h")
    apply_all(machine, [touchpoint("a", "view", 0), touchpoint("b", "view", 1)])

    decisions = apply_all(machine, [touchpoint("c", "buy", 0.5, late=1, value=99), Tick(day(4))])

    assert told(decisions) == [("entered", "aware", "customer", "big-spender")]


def test_profile_over_the_cap_folds_early_and_says_so() -> None:
    machine = partition()

    apply_all(machine, [touchpoint(f"e{n:03d}", "cart", n / 100) for n in range(200)])
    decisions = machine.apply(touchpoint("z", "buy", 2.5, value=60))

    assert machine.counters.overflows == 1
    assert [d.overflow for d in decisions if isinstance(d, ProfileChanged)] == [True]
    [(_, head)] = [(k, v) for k, v in machine.drain_state() if k == b"hc1"]
    assert head is not None
    assert len(head) < 2_000


def test_state_outlives_a_restart() -> None:
    records: list[Record] = [touchpoint(f"e{n:03d}", ["view", "cart", "buy"][n % 3], n / 3) for n in range(90)]
    whole, first = partition(), partition()
    expected = apply_all(whole, [*records, AsOf(day(80))])

    before = apply_all(first, records[:47])
    first.drain_state()
    second = partition()
    for key, value in first.snapshot():
        second.restore(key, value)
    second.restored()
    after = apply_all(second, [*records[47:], AsOf(day(80))])

    assert before + after == expected
    whole.drain_state()
    second.drain_state()
    assert second.state_hash() == whole.state_hash()
    assert second.state_bytes == whole.state_bytes


def test_state_of_another_model_is_refused() -> None:
    machine = partition()
    machine.apply(touchpoint("a", "note", 0))
    stored = machine.drain_state()
    other = Partition(preset("six-stages"), LIMITS)

    [meta] = [(key, value) for key, value in stored if key == b"m"]
    with pytest.raises(StateMismatch, match="tricky version 3"):
        other.restore(*meta)


@pytest.mark.parametrize(
    ("format_", "told"),
    [
        (STATE_FORMAT + 1, "written by a newer release.*run the newer release again"),
        (STATE_FORMAT - 1, r"written by an older release.*docs/recovering\.md"),
    ],
)
def test_state_of_another_format_is_refused_with_what_to_do(format_: int, told: str) -> None:
    machine = partition()
    machine.apply(touchpoint("a", "note", 0))
    [meta] = [value for key, value in machine.drain_state() if key == b"m"]
    assert meta is not None
    stored = msgspec.msgpack.decode(meta)
    stored[0] = format_

    with pytest.raises(StateMismatch, match=told):
        partition().restore(b"m", msgspec.msgpack.encode(stored))


def test_state_that_lacks_a_part_is_refused() -> None:
    machine, other = partition(), partition()
    apply_all(machine, [touchpoint(f"e{n}", "note", n / 10) for n in range(10)])
    for key, value in machine.drain_state():
        if not key.startswith(b"p"):
            other.restore(key, value)

    with pytest.raises(StateMismatch, match=r"profile 'c1' lacks its parts \[1\]"):
        other.restored()


def test_settling_longer_than_history_can_change_is_refused() -> None:
    with pytest.raises(ValueError, match="settle"):
        Partition(tricky_model(settle="11d"), LIMITS)


def test_evidence_of_every_change_alone_fires_the_same_rule() -> None:
    records = random_touchpoints(Random(1), 400, profiles=40, days=60)
    by_id = {record.event_id: record for record in records}
    decisions = apply_all(partition(), records)
    changes = [d for d in decisions if isinstance(d, StageChanged) and d.window_seconds is None]

    assert {change.rule for change in changes} == {"hello", "looks", "hot-now", "two-buys", "big-spender"}
    for change in changes:
        assert _fires_alone(change, [by_id[event_id] for event_id in change.evidence]), change


def _fires_alone(change: StageChanged, evidence: list[Record]) -> bool:
    plan = Plan(tricky_model())
    stage = -1 if change.from_stage is None else plan.model.stage_index(change.from_stage)
    standing = Standing(stage=stage, peak=stage, entered_at=change.previous_entered_at or 0)
    for record in evidence:
        reaction = plan.reaction(record.channel, record.type)
        at, event_id, facts = record.occurred_at, record.event_id, facts_of(record, reaction.fields)
        for slot, keep, holds in reaction.slots:
            if holds is None or holds(facts):
                standing.memory[slot] = [*standing.memory.get(slot, []), at, event_id][-keep:]
    candidates = reaction.candidates(stage, stage)
    fired = next(c for c in candidates if evidence_for(c, at, event_id, facts, standing.memory) is not None)
    return plan.model.rules[fired.rule].id == change.rule
