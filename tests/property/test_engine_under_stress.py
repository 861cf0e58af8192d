"""Whatever befalls the engine, subscribers are told the truth after every single record, and the state is the same.

JOURNEY_STRESS sets how many lives each ordeal takes (25): `JOURNEY_STRESS=2000 pytest tests/property`.
"""

import os
from collections.abc import Iterable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journey_stream.engine.partition import Partition
from journey_stream.events.decisions import Rejected
from journey_stream.events.log import Tick, TouchpointRecord
from journey_stream.events.reasons import Reason
from journey_stream.events.times import HOUR_MS
from tests.support.ordeals import Life, Ordeal, draw_life
from tests.support.risks import nervous_scorer
from tests.support.witness import Subscriber, Truth

ORDEALS = {
    "plain": Ordeal(),
    "conflicts at one instant": Ordeal(conflicts="at one instant"),
    "conflicts at other instants": Ordeal(conflicts="at other instants"),
    "settling": Ordeal(settles=("5h", "12h", "1ms")),
    "settling over jumps of the clock": Ordeal(settles=("5h", "12h"), spans=(24,), pause=300),
    "conflicts while settling": Ordeal(settles=("5h", "12h"), conflicts="at other instants"),
    "tiny holding times": Ordeal(settles=(None, "1ms"), conflicts="at one instant", lateness=(1, 3), allowance=(0, 1)),
}
OVERFLOW = Ordeal(
    settles=(None, "5h", "36h"),
    conflicts="at other instants",
    lateness=(48,),
    allowance=(24,),
    touchpoints=120,
    held=(1, 3, 5, 8, 20),
)
lives = settings(max_examples=int(os.environ.get("JOURNEY_STRESS", "25")), deadline=None)
seeds = st.integers(0, 2**32)


@pytest.mark.parametrize("ordeal", ORDEALS.values(), ids=list(ORDEALS))
@given(seed=seeds)
@lives
def test_subscribers_hold_the_truth_after_every_record(ordeal: Ordeal, seed: int) -> None:
    rng = Random(seed)
    life = draw_life(ordeal, rng)
    truth, subscriber, clock = Truth(life.model, life.scorer), Subscriber(), 0
    stored: dict[bytes, bytes] = {}
    partition, never_drained = (Partition(life.model, life.limits, life.scorer) for _ in range(2))

    for record in life.records:
        if isinstance(record, TouchpointRecord):
            truth.note(record)
        clock = max(clock, record.arrived_at if isinstance(record, TouchpointRecord) else record.at)
        decisions = partition.apply(record)
        views = subscriber.hear(decisions)

        assert decisions == never_drained.apply(record)
        assert all(d.reason is Reason.CONFLICTING_DUPLICATE for d in decisions if isinstance(d, Rejected))
        for profile, history in truth.histories(clock).items():
            assert history == subscriber.history(profile)
        if rng.random() < 0.3:  # hour by hour the truth takes long
            for profile, risks in truth.risks(clock).items():
                assert risks == subscriber.risks(profile)
        for view in views:
            # What has settled when it folds is told before the touchpoint is placed that made it fold.
            assert partition.plan.settles or truth.last_at(view.profile_id) == view.last_touchpoint_at
        assert (partition.next_timer() or clock + 1) > clock
        if rng.random() < 0.25:
            store(partition, stored)
            assert stored == dict(partition.snapshot())
            if rng.random() < 0.4:
                partition = started_anew(partition, stored, life, rng)

    for profile, risks in truth.risks(clock).items():
        assert risks == subscriber.risks(profile)
    store(partition, stored)
    assert list(in_order(life, truth.touchpoints(), clock).canonical()) == list(partition.canonical())


@given(seed=seeds)
@lives
def test_history_stays_in_one_piece_when_profiles_overflow(seed: int) -> None:
    rng = Random(seed)
    life = draw_life(OVERFLOW, rng)
    partition, subscriber = Partition(life.model, life.limits, life.scorer), Subscriber()
    stored: dict[bytes, bytes] = {}

    for record in life.records:
        subscriber.hear(partition.apply(record))
        subscriber.check_chains()
        if rng.random() < 0.3:
            store(partition, stored)
            partition = started_anew(partition, stored, life, rng)


@given(seed=seeds)
@lives
def test_parameters_of_churn_risk_may_change_at_any_time(seed: int) -> None:
    rng = Random(seed)
    life = draw_life(rng.choice([ORDEALS["plain"], ORDEALS["settling over jumps of the clock"]]), rng)
    choices = [None, *(nervous_scorer(version=version, intercept=version / 2 - 1.0) for version in range(1, 5))]
    scorer = rng.choice(choices)
    partition, subscriber, stored = Partition(life.model, life.limits, scorer), Subscriber(steady=False), {}
    clock = 0

    for record in life.records:
        clock = max(clock, record.arrived_at if isinstance(record, TouchpointRecord) else record.at)
        subscriber.hear(partition.apply(record), scored=scorer is not None)
        subscriber.check_chains()
        assert (partition.next_timer() or clock + 1) > clock
        if rng.random() < 0.15:
            store(partition, stored)
            before, scorer = scorer, rng.choice([scorer, *choices])
            partition = started_anew(partition, stored, replace(life, scorer=scorer), rng)
            assert (partition.parameters_before is None) is (before is scorer) or before is None is scorer
    subscriber.hear(partition.apply(Tick(clock + HOUR_MS)), scored=scorer is not None)

    assert 0 == partition.to_rescore
    subscriber.check_chains()


def store(partition: Partition, stored: dict[bytes, bytes]) -> None:
    """Write what has changed as a compacted topic would keep it."""
    for key, value in partition.drain_state():
        if value is None:
            stored.pop(key, None)
        else:
            stored[key] = value


def started_anew(partition: Partition, stored: dict[bytes, bytes], life: Life, rng: Random) -> Partition:
    """A partition restored from what was stored, which comes in any order."""
    restored = Partition(life.model, life.limits, life.scorer)
    for key, value in rng.sample(sorted(stored.items()), len(stored)):
        restored.restore(key, value)
    restored.restored()
    assert partition.state_bytes == restored.state_bytes
    return restored


def in_order(life: Life, touchpoints: Iterable[TouchpointRecord], clock: int) -> Partition:
    """The state had every touchpoint arrived the moment it happened."""
    partition = Partition(life.model, life.limits, life.scorer)
    for r in touchpoints:
        partition.apply(
            TouchpointRecord(r.profile_id, r.occurred_at, r.occurred_at, r.event_id, r.channel, r.type, r.value)
        )
    partition.apply(Tick(clock))
    partition.drain_state()
    return partition
