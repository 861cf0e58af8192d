"""Whatever the order of arrival, each customer is shown in the segment that the slow oracle finds, at every instant."""

import os
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journey_stream.churn.bands import BANDS
from journey_stream.engine.fold import react
from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition
from journey_stream.engine.plan import Plan
from journey_stream.engine.predicates import facts_of
from journey_stream.engine.standing import Standing
from journey_stream.engine.touches import NEVER
from journey_stream.events.decisions import ProfileChanged
from journey_stream.events.log import AsOf, Record, TouchpointRecord
from journey_stream.events.times import DAY_MS, HOUR_MS
from journey_stream.journey.model import Model
from tests.support.journeys import START, delayed, last_views, random_touchpoints, tricky_model
from tests.support.risk_oracle import summary_of
from tests.support.risks import nervous_scorer
from tests.support.segment_oracle import SegmentOracle

LIMITS = Limits(lateness_ms=10 * DAY_MS, allowance_ms=DAY_MS)
MODEL, SCORER = tricky_model(segments=True), nervous_scorer()
SETTLING = tricky_model(settle="36h", segments=True)
STEPS = 6


class Shown:
    """A partition that is drained and restored at random places, and what it shows of each profile."""

    def __init__(self, model: Model, rng: Random) -> None:
        self.model = model
        self.rng = rng
        self.partition = Partition(self.model, LIMITS, SCORER)
        self.stored: dict[bytes, bytes | None] = {}
        self.views: dict[str, ProfileChanged] = {}

    def apply(self, record: Record) -> None:
        self.views.update(last_views(self.partition.apply(record)))
        if self.rng.random() < 0.2:
            self.stored.update(self.partition.drain_state())
            if self.rng.random() < 0.3:
                self.partition = Partition(self.model, LIMITS, SCORER)
                for key, value in self.stored.items():
                    self.partition.restore(key, value)
                self.partition.restored()

    def oracle(self, profile_id: str, records: list[TouchpointRecord]) -> SegmentOracle:
        """With the stage and the band that are shown, which have oracles of their own."""
        view = self.views.get(profile_id)
        risk = None if view is None else view.risk
        own = [r for r in records if r.profile_id == profile_id]
        return SegmentOracle(
            self.model, SCORER, own, None if view is None else view.stage, None if risk is None else risk.band
        )

    def check(self, records: list[TouchpointRecord], at: int) -> list[int]:
        """Compare with the oracle; returns when it sees other segments next."""
        following = []
        for profile_id in sorted({r.profile_id for r in records}):
            oracle, view = self.oracle(profile_id, records), self.views.get(profile_id)
            assert (None if view is None else view.segment) == oracle.segment(at), (profile_id, at)
            expected, rfm = oracle.rfm(at), None if view is None else view.rfm
            lasting = None if rfm is None else (rfm.frequency, rfm.monetary)
            assert lasting == (None if expected is None else expected[1:]), profile_id
            if (change := oracle.next_change(at)) is not None:
                following.append(change)
        return following


@pytest.mark.parametrize("model", [MODEL, SETTLING], ids=["at once", "settling"])
@given(seed=st.integers(0, 2**32), count=st.integers(1, 60), days=st.sampled_from([3, 20, 60]))
@settings(max_examples=int(os.environ.get("JOURNEY_EXAMPLES", "150")), deadline=None)
def test_any_order_of_arrival_shows_the_true_segment_to_the_millisecond(
    model: Model, seed: int, count: int, days: int
) -> None:
    rng = Random(seed)
    records = random_touchpoints(rng, count, profiles=2, days=days)
    shown = Shown(model, rng)
    for record in delayed(rng, records, late_days=8):
        shown.apply(record)
    at = max(START + days * DAY_MS, shown.partition.clock) + rng.randrange(60) * HOUR_MS
    shown.apply(AsOf(at))

    following = shown.check(records, at)

    for _ in range(STEPS):
        if not following:
            break
        at = min(following)
        shown.apply(AsOf(at - 1))
        shown.check(records, at - 1)
        shown.apply(AsOf(at))
        following = shown.check(records, at)


@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 30),
    stage=st.integers(-1, len(MODEL.stages) - 1),
    band=st.integers(-1, len(BANDS) - 1),
)
@settings(max_examples=int(os.environ.get("JOURNEY_EXAMPLES", "300")), deadline=None)
def test_the_next_change_in_silence_is_known_exactly(seed: int, count: int, stage: int, band: int) -> None:
    rng, plan, standing = Random(seed), Plan(MODEL, SCORER), Standing()
    records = random_touchpoints(rng, count, profiles=1, days=12)
    for r in records:
        reaction = plan.reaction(r.channel, r.type)
        react(plan, reaction, standing, r.occurred_at, r.event_id, facts_of(r, reaction.fields), [])
    at = (records[-1].occurred_at if records else START) + rng.randrange(12 * 24) * HOUR_MS
    oracle = SegmentOracle(
        MODEL, SCORER, records, None if stage < 0 else MODEL.stages[stage].id, None if band < 0 else BANDS[band]
    )
    segmenter = plan.segmenter
    assert segmenter is not None

    index, until = segmenter.find(standing.memory, stage, band, summary_of(SCORER, records), at)

    assert (None if index < 0 else segmenter.ids[index]) == oracle.segment(at)
    assert (None if until == NEVER else until) == oracle.next_change(at)


@given(seed=st.integers(0, 2**32), count=st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_while_touchpoints_arrive_the_segment_is_that_of_those_which_have(seed: int, count: int) -> None:
    rng = Random(seed)
    shown = Shown(MODEL, rng)
    arrived: list[TouchpointRecord] = []
    for record in delayed(rng, random_touchpoints(rng, count, profiles=2, days=12), late_days=8):
        shown.apply(record)
        arrived.append(record)

        shown.check(arrived, shown.partition.clock)
