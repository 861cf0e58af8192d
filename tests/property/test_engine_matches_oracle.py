"""The engine, whatever the order of arrival, publishes the history that the slow oracle sees at once."""

import os
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition
from journey_stream.events.decisions import Decision
from journey_stream.events.log import AsOf, Record, TouchpointRecord
from journey_stream.events.times import DAY_MS, HOUR_MS
from journey_stream.journey.load import preset
from journey_stream.journey.model import Model
from tests.support.journeys import START, delayed, net_history, random_touchpoints, tricky_model
from tests.support.oracle import Entry, true_history
from tests.support.risk_oracle import RiskEntry, true_risks
from tests.support.risks import nervous_scorer, net_risks

LIMITS = Limits(lateness_ms=10 * DAY_MS, allowance_ms=DAY_MS)


SCORER = nervous_scorer()


def run(model: Model, records: list[Record], rng: Random) -> tuple[list[Decision], str]:
    """Apply the records; drain, and restore from what was stored, at random places."""
    partition, stored, decisions = Partition(model, LIMITS, SCORER), {}, []
    for record in records:
        decisions += partition.apply(record)
        if rng.random() < 0.2:
            stored.update(partition.drain_state())
            if rng.random() < 0.3:
                partition = Partition(model, LIMITS, SCORER)
                for key, value in stored.items():
                    partition.restore(key, value)
                partition.restored()
    partition.drain_state()
    return decisions, partition.state_hash()


def expected(model: Model, records: list[TouchpointRecord], as_of: int) -> dict[str, list[Entry]]:
    profiles = {r.profile_id for r in records}
    histories = {p: true_history(model, [r for r in records if r.profile_id == p], as_of) for p in profiles}
    return {profile: history for profile, history in histories.items() if history}


def expected_risks(records: list[TouchpointRecord], as_of: int) -> dict[str, list[RiskEntry]]:
    profiles = {r.profile_id for r in records}
    histories = {p: true_risks(SCORER, [r for r in records if r.profile_id == p], as_of) for p in profiles}
    return {profile: history for profile, history in histories.items() if history}


@pytest.mark.parametrize(
    "model", [tricky_model(), tricky_model(segments=True), preset("six-stages")], ids=["tricky", "segments", "preset"]
)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 120), days=st.sampled_from([3, 20, 90]))
@settings(max_examples=int(os.environ.get("JOURNEY_EXAMPLES", "150")), deadline=None)
def test_any_order_of_arrival_publishes_the_true_history(model: Model, seed: int, count: int, days: int) -> None:
    rng = Random(seed)
    records = random_touchpoints(rng, count, profiles=3, days=days)
    as_of = START + (days + 10 + rng.randrange(60)) * DAY_MS
    late = delayed(rng, records, late_days=10)
    repeated = sorted([*late, *rng.sample(late, len(late) // 10)], key=lambda r: r.arrived_at)

    decisions, state = run(model, [*repeated, AsOf(as_of)], rng)
    in_order, state_in_order = run(model, [*records, AsOf(as_of)], rng)

    assert net_history(decisions) == expected(model, records, as_of)
    assert net_risks(decisions) == expected_risks(records, as_of)
    assert net_history(in_order) == net_history(decisions)
    assert net_risks(in_order) == net_risks(decisions)
    assert state == state_in_order


@given(seed=st.integers(0, 2**32), count=st.integers(1, 60))
@settings(max_examples=100, deadline=None)
def test_settling_publishes_the_oldest_changes_that_have_stood_long_enough(seed: int, count: int) -> None:
    model, rng = tricky_model(settle="36h"), Random(seed)
    records = random_touchpoints(rng, count, profiles=2, days=20)
    as_of = max(r.occurred_at for r in records) + rng.randrange(100) * HOUR_MS
    late = [r for r in delayed(rng, records, late_days=5) if r.arrived_at <= as_of]

    decisions, _ = run(model, [*late, AsOf(as_of)], rng)

    settle = {stage.id: stage.settle_ms for stage in model.stages}
    truth = expected(model, late, as_of)
    for profile, history in truth.items():
        standing = [entry.at + settle[entry.after] <= as_of for entry in history]
        truth[profile] = history[: [*standing, False].index(False)]
    assert net_history(decisions) == {profile: history for profile, history in truth.items() if history}
