"""Churn risk in the life of one customer."""

from itertools import pairwise

import pytest

from journey_stream.churn.score import Scorer
from journey_stream.churn.silence import next_crossing
from journey_stream.churn.summary import Summary
from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import RESCORED_BY_TIME, RESCORED_BY_TOUCHPOINT, Partition
from journey_stream.events.decisions import Decision, ProfileChanged, Rejected, RiskChanged
from journey_stream.events.log import AsOf, Tick, TouchpointRecord
from journey_stream.events.times import DAY_MS, HOUR_MS, rfc3339
from journey_stream.journey.load import preset
from tests.support.journeys import START, touchpoint, tricky_model
from tests.support.risks import nervous_scorer, net_risks

SCORER = nervous_scorer()


@pytest.fixture
def partition() -> Partition:
    return Partition(tricky_model(), Limits(lateness_ms=10 * DAY_MS), SCORER)


def apply(partition: Partition, *records: TouchpointRecord | Tick | AsOf) -> list[Decision]:
    return [decision for record in records for decision in partition.apply(record)]


def risks(decisions: list[Decision]) -> list[RiskChanged]:
    return [decision for decision in decisions if isinstance(decision, RiskChanged)]


def test_nobody_has_a_risk_before_the_first_purchase(partition):
    decisions = apply(partition, touchpoint("e1", "note", 0), touchpoint("e2", "view", 1), Tick(START + 90 * DAY_MS))

    assert [] == risks(decisions)
    assert all(view.risk is None for view in decisions if isinstance(view, ProfileChanged))


def test_a_complaint_from_before_the_first_purchase_counts_with_it(partition):
    apply(partition, touchpoint("e1", "note", 0))

    [change] = risks(apply(partition, touchpoint("e2", "buy", 0.1)))

    assert ("critical", None, ("e2",)) == (change.band, change.previous_band, change.evidence)
    assert ("anger", ("e1",)) == (change.contributions[0].factor, change.contributions[0].evidence)


def test_the_contributions_and_the_typical_customer_add_up_to_the_score(partition):
    [*_, change] = risks(apply(partition, touchpoint("e1", "buy", 0, value=60), touchpoint("e2", "note", 0.3)))

    summary = Summary(START, START, 0, 60.0, {"luxury": START, "anger": change.entered_at})
    total = change.typical_log_odds + sum(one.log_odds for one in change.contributions)
    assert total == pytest.approx(SCORER.score(summary, change.entered_at), abs=1e-3)
    assert change.probability == pytest.approx(SCORER.probability(summary, change.entered_at), abs=1e-4)
    weights = [abs(one.log_odds) for one in change.contributions]
    assert sorted(weights, reverse=True) == weights


def test_silence_changes_the_band_at_its_exact_hour_by_the_timer(partition):
    apply(partition, touchpoint("e1", "buy", 0, value=20))
    summary = Summary(START, START, 0, 20.0)
    crossing = next_crossing(SCORER, summary, START, 0)
    assert crossing is not None

    early = risks(apply(partition, Tick(crossing.at - 1)))
    due = partition.next_timer()
    [change] = risks(apply(partition, Tick(crossing.at)))

    assert ([], crossing.at) == (early, due)
    assert (crossing.at, "low", "medium") == (change.entered_at, change.previous_band, change.band)
    assert ("timer", True, START, ("e1",)) == (change.cause, change.current, change.silent_since, change.evidence)


def test_a_purchase_at_the_hour_of_a_crossing_comes_first(partition):
    summary = Summary(START, START, 0, 20.0)
    crossing = next_crossing(SCORER, summary, START, 0)
    assert crossing is not None
    day = (crossing.at - START) / DAY_MS

    changes = risks(apply(partition, touchpoint("e1", "buy", 0, value=20), touchpoint("e2", "buy", day, value=20)))

    assert [("e1",)] == [change.evidence for change in changes]


def test_a_late_purchase_takes_back_what_silence_had_brought(partition):
    told = apply(partition, touchpoint("e1", "buy", 0, value=20), Tick(START + 2 * DAY_MS))

    correction = apply(partition, touchpoint("e2", "buy", 0.2, value=20, late=2))

    wrong = [change.risk_id for change in risks(told) if change.cause == "timer"]
    assert len(wrong) > 1
    assert wrong[::-1] == [change.risk_id for change in risks(correction) if change.kind == "retracted"]
    assert isinstance(correction[-1], ProfileChanged)
    truth = apply(
        Partition(tricky_model(), Limits(lateness_ms=10 * DAY_MS), SCORER),
        touchpoint("e1", "buy", 0, value=20),
        touchpoint("e2", "buy", 0.2, value=20),
        AsOf(START + round(2.2 * DAY_MS)),
    )
    assert net_risks(truth) == net_risks([*told, *correction])


def test_a_late_touchpoint_that_does_not_concern_risk_leaves_it_alone(partition):
    apply(partition, touchpoint("e1", "buy", 0, value=20), Tick(START + 2 * DAY_MS))

    assert [] == risks(apply(partition, touchpoint("e2", "view", 0.2, late=2)))


def test_moves_of_one_instant_have_names_of_their_own(partition):
    changes = risks(
        apply(
            partition,
            touchpoint("e1", "buy", 0, value=20),
            touchpoint("e2", "note", 0),
            *(touchpoint(f"f{number}", "cart", 0.01) for number in range(1)),
            touchpoint("g1", "buy", 0.01, value=500),
            touchpoint("g2", "note", 0.01),
        )
    )

    assert len(changes) == len({change.risk_id for change in changes})


def test_a_risk_is_named_after_the_parameters_that_found_it():
    ids = set()
    for version in (2, 3):
        partition = Partition(tricky_model(), None, nervous_scorer(version=version))
        ids |= {change.risk_id for change in risks(apply(partition, touchpoint("e1", "buy", 0)))}

    assert 2 == len(ids)


def test_without_parameters_nothing_is_scored_or_kept():
    with_risk, without = (Partition(tricky_model(), None, scorer) for scorer in (SCORER, None))
    records = [touchpoint("e1", "buy", 0, value=20), touchpoint("e2", "note", 1)]

    decisions = apply(without, *records)
    apply(with_risk, *records)
    without.drain_state()
    with_risk.drain_state()

    assert [] == risks(decisions)
    assert without.state_bytes < with_risk.state_bytes


def test_the_revisions_of_stages_and_of_risks_have_no_gaps_of_their_own(partition):
    decisions = apply(
        partition, touchpoint("e1", "buy", 0, value=20), touchpoint("e2", "note", 1), Tick(START + 9 * DAY_MS)
    )

    found = [change.revision for change in risks(decisions)]
    assert list(range(1, len(found) + 1)) == found
    views = [view for view in decisions if isinstance(view, ProfileChanged)]
    assert views[-1].risk is not None
    assert found[-1] == views[-1].risk.revision


def test_a_customer_long_silent_costs_one_timer(partition):
    apply(partition, touchpoint("e1", "buy", 0, value=20))

    timers = []
    while (due := partition.next_timer()) is not None:
        timers.append(due)
        apply(partition, Tick(due))

    assert timers == sorted(set(timers))
    assert len(timers) < 20


def shifted(scorer: Scorer) -> Scorer:
    """The same with everybody a good deal more at risk, as the next version."""
    return nervous_scorer(version=scorer.parameters.version + 1, intercept=1.5)


def restored(partition: Partition, scorer: Scorer | None) -> Partition:
    """The state in the hands of a worker with other parameters."""
    partition.drain_state()
    found = Partition(partition.plan.model, partition.limits, scorer)
    for key, value in partition.snapshot():
        found.restore(key, value)
    found.restored()
    return found


def customers(partition: Partition, count: int, *, day: float = 0) -> None:
    for number in range(count):
        apply(partition, touchpoint(f"e{number}", "buy", day, profile=f"c{number}", value=20))


def test_the_same_parameters_go_on_silently(partition):
    customers(partition, 5)

    again = restored(partition, nervous_scorer())

    assert again.parameters_before is None
    assert 0 == again.to_rescore


def test_new_parameters_score_everybody_anew_spread_over_an_hour(partition):
    customers(partition, 200)
    again = restored(partition, shifted(SCORER))

    waiting, decisions = [again.to_rescore], []
    for minute in range(61):
        decisions += apply(again, Tick(START + minute * 60_000))
        waiting.append(again.to_rescore)

    assert "nervous version 2" == again.parameters_before
    assert (200, 0) == (waiting[0], waiting[-1])
    assert max(before - after for before, after in pairwise(waiting)) < 20
    changes = risks(decisions)
    assert 200 == len({change.profile_id for change in changes}) == len(changes)
    assert {("low", "model", 3)} == {(c.previous_band, c.cause, c.model_version) for c in changes}
    assert all(START <= change.entered_at <= START + HOUR_MS for change in changes)
    assert {2} == {change.revision for change in changes}


def test_after_a_jump_of_the_clock_one_record_scores_only_so_many_anew(partition):
    count = RESCORED_BY_TIME + 40
    customers(partition, count)
    again, in_one_go = restored(partition, shifted(SCORER)), restored(partition, shifted(SCORER))
    jump = START + HOUR_MS

    by_tick = apply(again, Tick(jump))
    by_touchpoint = apply(again, touchpoint("x", "view", 1 / 24, profile="other"))
    due = again.next_timer()
    rest = apply(again, Tick(jump))

    assert RESCORED_BY_TIME == len({change.profile_id for change in risks(by_tick)})
    assert RESCORED_BY_TOUCHPOINT == len({change.profile_id for change in risks(by_touchpoint)})
    assert 40 - RESCORED_BY_TOUCHPOINT == len({change.profile_id for change in risks(rest)})
    assert due is not None
    assert due <= jump
    assert 0 == again.to_rescore
    whole = apply(in_one_go, AsOf(jump))
    told = {change.risk_id: change for change in risks([*by_tick, *by_touchpoint, *rest])}
    assert told == {change.risk_id: change for change in risks(whole)}
    assert 0 == in_one_go.to_rescore


def test_who_does_something_while_waiting_goes_on_from_when_it_was_planned(partition):
    customers(partition, RESCORED_BY_TIME + 40)
    again = restored(partition, shifted(SCORER))
    told = {change.profile_id for change in risks(apply(again, Tick(START + HOUR_MS)))}
    waiting = next(f"c{number}" for number in range(RESCORED_BY_TIME + 40) if f"c{number}" not in told)

    first = risks(apply(again, touchpoint("x", "note", 1.5 / 24, profile=waiting)))[0]

    assert "model" == first.cause
    assert first.entered_at < START + HOUR_MS


def test_new_parameters_take_effect_at_once_for_who_does_something(partition):
    customers(partition, 5)
    again = restored(partition, shifted(SCORER))

    changes = risks(apply(again, touchpoint("x", "note", 0.0001, profile="c3")))

    assert [("model", "low", "high"), ("touchpoint", "high", "critical")] == [
        (c.cause, c.previous_band, c.band) for c in changes
    ]


def views(decisions: list[Decision]) -> list[ProfileChanged]:
    return [decision for decision in decisions if isinstance(decision, ProfileChanged)]


def test_new_parameters_that_leave_the_band_are_seen_in_the_view(partition):
    [old] = views(apply(partition, touchpoint("e1", "buy", 0, value=80)))
    again = restored(partition, nervous_scorer(version=3, intercept=-0.21))

    decisions = apply(again, Tick(START + HOUR_MS))

    assert old.risk is not None
    [view] = views(decisions)
    assert [view] == decisions
    assert view.risk is not None
    assert (old.risk.band, old.risk.since, old.risk.revision, 3) == (
        view.risk.band,
        view.risk.since,
        view.risk.revision,
        view.risk.model_version,
    )
    assert old.risk.probability != view.risk.probability
    assert [] == apply(again, Tick(START + HOUR_MS + 1))


def test_a_late_purchase_that_leaves_the_band_of_new_parameters_is_seen_in_the_view(partition):
    apply(partition, touchpoint("e1", "buy", 0.2, value=80))
    again = restored(partition, nervous_scorer(version=3, intercept=-0.21))
    before = views(apply(again, Tick(START + round(0.25 * DAY_MS))))

    decisions = apply(again, touchpoint("e0", "buy", 0.1, value=500, late=0.15))

    assert [] == risks(decisions)
    assert before[-1].risk is not None
    [view] = views(decisions)
    assert view.risk is not None
    assert before[-1].risk.band == view.risk.band
    assert before[-1].risk.probability != view.risk.probability


def test_new_parameters_ahead_of_which_a_fast_clock_was_are_seen_in_the_view_when_they_count(partition):
    ahead = touchpoint("e1", "buy", 1, value=80, late=-0.003)
    apply(partition, ahead)
    again = restored(partition, nervous_scorer(version=3, intercept=-0.21))

    found = [views(apply(again, Tick(at))) for at in (ahead.arrived_at + HOUR_MS // 20, ahead.arrived_at + HOUR_MS)]

    assert 1 == sum(map(len, found))


def test_a_crash_in_the_middle_of_rescoring_goes_on_where_it_was(partition):
    customers(partition, 50)
    once = restored(partition, shifted(SCORER))
    half = apply(once, Tick(START + HOUR_MS // 2))
    left = once.to_rescore

    twice = restored(once, shifted(SCORER))
    rest = apply(twice, Tick(START + HOUR_MS))

    assert 0 < left < 50
    assert left == twice.to_rescore + len(risks(rest))
    assert twice.parameters_before is None
    assert 50 == len({change.profile_id for change in risks([*half, *rest])})


def test_what_was_published_before_new_parameters_is_final(partition):
    customers(partition, 1)
    apply(partition, Tick(START + 2 * DAY_MS))
    again = restored(partition, shifted(SCORER))
    apply(again, Tick(START + 2 * DAY_MS + HOUR_MS))

    correction = risks(apply(again, touchpoint("late", "buy", 0.5, profile="c0", value=20, late=2)))

    assert all(change.entered_at >= START + 2 * DAY_MS for change in correction)
    assert all(change.model_version == 3 for change in correction)


def test_churn_risk_may_be_switched_on_later(partition):
    off = restored(partition, None)
    customers(off, 3)
    on = restored(off, SCORER)

    changes = risks(apply(on, Tick(START + HOUR_MS)))

    assert "none" == on.parameters_before
    assert [("model", None, 1)] * 3 == [(c.cause, c.previous_band, c.revision) for c in changes]


def test_churn_risk_may_be_switched_off_and_on_again(partition):
    customers(partition, 1)
    off = restored(partition, None)

    silent = risks(apply(off, Tick(START + 2 * DAY_MS)))
    on = restored(off, SCORER)
    changes = risks(apply(on, Tick(START + 2 * DAY_MS + HOUR_MS)))

    assert [] == silent
    assert [("low", 2)] == [(c.previous_band, c.revision) for c in changes]


def test_after_a_time_without_churn_risk_only_the_timeline_counts():
    limits = Limits(lateness_ms=DAY_MS)
    partition = Partition(tricky_model(), limits, SCORER)
    apply(partition, *(touchpoint(f"on{day}", "buy", day, value=20) for day in range(20)))
    off = restored(partition, None)
    apply(off, *(touchpoint(f"off{day}", "buy", 30 + day, value=20) for day in range(20)))
    on = restored(restored(off, shifted(SCORER)), shifted(SCORER))
    held = [touchpoint(f"off{day}", "buy", 30 + day, value=20) for day in range(20)]

    changes = risks(apply(on, touchpoint("x", "note", 50)))

    known = changes[-1].contributions
    first = min(one.since for one in known)
    assert changes[0].previous_band is not None
    assert rfc3339(START + 30 * DAY_MS) < first
    assert first in {rfc3339(record.occurred_at) for record in held}
    [pace] = [one for one in known if one.factor == "pace"]
    occasions = sum(rfc3339(record.occurred_at) >= first for record in held)
    assert f"on {occasions} occasions" in pace.text


def test_who_bought_nothing_lately_keeps_the_band_over_a_time_without_churn_risk():
    limits = Limits(lateness_ms=DAY_MS)
    partition = Partition(tricky_model(), limits, SCORER)
    apply(partition, *(touchpoint(f"on{day}", "buy", day, value=20) for day in range(20)))
    off = restored(partition, None)
    # So many that the purchases fold.
    apply(off, *(touchpoint(f"off{day}", "view", 30 + day) for day in range(20)))
    on = restored(off, shifted(SCORER))

    silent = risks(apply(on, Tick(START + 80 * DAY_MS)))
    [change] = risks(apply(on, touchpoint("x", "note", 80), touchpoint("y", "buy", 80.1, value=20)))

    assert [] == silent
    assert ("low", "touchpoint") == (change.previous_band, change.cause)
    assert {rfc3339(change.entered_at)} == {one.since for one in change.contributions if one.factor != "anger"}


@pytest.mark.parametrize(("first", "second"), [(None, SCORER), (SCORER, None), (SCORER, shifted(SCORER))])
def test_a_repeat_after_a_change_of_parameters_is_no_conflict(first, second):
    purchase, later = touchpoint("e1", "buy", 0, value=80), touchpoint("e2", "buy", 0.2, value=80)
    before = Partition(preset("six-stages"), None, first)  # whose rules do not read what is spent
    apply(before, purchase)
    # The second restore finds the parameters that it expects.
    again = restored(restored(before, second), second)
    straight = Partition(preset("six-stages"), None, second)

    decisions = apply(again, purchase, later, purchase, later)
    apply(straight, purchase, later)

    assert [] == [d for d in decisions if isinstance(d, Rejected)]
    assert 3 == again.counters.duplicates
    if second is not None:
        assert "spent 80.00 each time" == basket(again) == basket(straight)


def basket(partition: Partition) -> str:
    """What is said of the spending of the customer, once they complain."""
    change = risks(apply(partition, touchpoint("e9", "note", 0.3)))[-1]
    return next(one.text for one in change.contributions if one.factor == "basket")


def test_what_contradicts_itself_is_a_conflict_also_after_a_change_of_parameters():
    before = Partition(preset("six-stages"), None, None)
    apply(before, touchpoint("e1", "buy", 0), touchpoint("e2", "buy", 0))
    again = restored(before, SCORER)

    decisions = apply(again, touchpoint("e1", "buy", 0, value=70), touchpoint("e1", "buy", 0, value=80))
    decisions += apply(again, touchpoint("e2", "buy", 0.1, value=80))
    # Happened after the change, so that nothing can have been kept by the old parameters.
    decisions += apply(again, touchpoint("e3", "buy", 1), touchpoint("e3", "buy", 1, value=80))

    assert 3 == len([d for d in decisions if isinstance(d, Rejected)])
