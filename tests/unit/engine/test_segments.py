"""Segments and RFM scores in the life of one customer: what is shown, and when."""

from dataclasses import replace

import pytest

from journey_stream.churn.bands import Threshold
from journey_stream.churn.score import Scorer
from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition
from journey_stream.events.decisions import Decision, ProfileChanged, RfmScores
from journey_stream.events.log import AsOf, Tick, TouchpointRecord
from journey_stream.events.times import DAY_MS, HOUR_MS
from journey_stream.journey.load import parse_model
from journey_stream.journey.model import Model
from tests.support.journeys import START, touchpoint
from tests.support.risks import nervous_scorer

SCORER = nervous_scorer()
LIMITS = Limits(lateness_ms=40 * DAY_MS)

MODEL = """
model: small
version: 1
stages:
  - {id: seen, meaning: Came by}
  - {id: customer, meaning: Bought, settle: SETTLE}
touchpoints:
  view: {meaning: Looked, match: [{type: view}]}
  cart: {meaning: Filled a cart, match: [{type: cart}]}
  buy: {meaning: Bought, match: [{type: buy}]}
rules:
  - {id: bought, to: customer, when: buy}
  - {id: hello, to: seen, when: view}
"""
LIFE = """
segments:
  - {id: abandoned-cart, meaning: M, when: {touchpoint: cart, not_followed_by: buy, for: 2h, last_within: 7d}}
  - {id: new, meaning: M, when: {touchpoint: buy, first_within: 30d}}
  - {id: lapsed, meaning: M, when: {touchpoint: buy, nothing_for: 180d}}
  - {id: returning, meaning: M, when: {touchpoint: buy, back_after: 60d, back_within: 10d}}
  - {id: loyal, meaning: M, when: {touchpoint: buy, at_least: 3}}
  - {id: active, meaning: M, when: {touchpoint: view, last_within: 20d}}
"""


def model(segments: str = LIFE, *, settle: str = "0s") -> Model:
    return parse_model(MODEL.replace("SETTLE", settle) + segments, "small.yaml")


def only(when: str) -> Model:
    return model(f"segments:\n  - {{id: the-one, meaning: M, when: {when}}}\n")


def partition(found: Model | None = None, scorer: Scorer | None = None) -> Partition:
    return Partition(model() if found is None else found, LIMITS, scorer)


def views(engine: Partition, *records: TouchpointRecord | Tick | AsOf) -> list[ProfileChanged]:
    decisions: list[Decision] = [decision for record in records for decision in engine.apply(record)]
    return [decision for decision in decisions if isinstance(decision, ProfileChanged)]


def segments(engine: Partition, *records: TouchpointRecord | Tick | AsOf) -> list[str | None]:
    return [view.segment for view in views(engine, *records)]


def at(day: float, *, ms: int = 0) -> AsOf:
    return AsOf(START + round(day * DAY_MS) + ms)


def restored(engine: Partition, scorer: Scorer | None) -> Partition:
    engine.drain_state()
    found = Partition(engine.plan.model, LIMITS, scorer)
    for key, value in engine.snapshot():
        found.restore(key, value)
    found.restored()
    return found


def test_a_life_goes_through_the_segments() -> None:
    engine = partition()

    assert segments(engine, touchpoint("e1", "view", 0)) == ["active"]
    assert segments(engine, touchpoint("e2", "buy", 1)) == ["new"]
    assert segments(engine, at(31)) == [None]
    assert segments(engine, touchpoint("e3", "view", 32)) == ["active"]
    assert segments(engine, touchpoint("e4", "buy", 70)) == ["returning"]
    assert segments(engine, at(80)) == [None]
    assert segments(engine, touchpoint("e5", "buy", 90)) == ["loyal"]
    assert segments(engine, at(270)) == ["lapsed"]


@pytest.mark.parametrize(("day", "segment"), [(31, None), (1 + 2 / 24, "abandoned-cart")])
def test_silence_is_told_at_its_very_millisecond_by_a_timer(day: float, segment: str | None) -> None:
    engine = partition()
    views(engine, touchpoint("e1", "buy", 1) if segment is None else touchpoint("e1", "cart", 1))

    assert segments(engine, at(day, ms=-1)) == []
    assert engine.next_timer() == START + round(day * DAY_MS)
    assert segments(engine, at(day)) == [segment]


def test_a_cart_that_is_bought_is_not_abandoned_and_another_one_starts_the_wait_again() -> None:
    engine = partition()

    assert segments(engine, touchpoint("e1", "cart", 0), touchpoint("e2", "cart", 0.05), at(0.1)) == []
    assert segments(engine, at(0.05 + 2 / 24)) == ["abandoned-cart"]
    assert segments(engine, touchpoint("e3", "buy", 1)) == ["new"]
    assert segments(engine, touchpoint("e4", "cart", 2), touchpoint("e5", "buy", 2), at(3)) == []


def test_who_has_no_stage_may_have_a_segment() -> None:
    [view] = views(partition(), touchpoint("e1", "cart", 0), at(1))

    assert (view.segment, view.stage, view.revision) == ("abandoned-cart", None, 0)


def test_no_view_is_written_for_a_touchpoint_that_only_puts_a_change_off() -> None:
    engine = partition()
    views(engine, touchpoint("e0", "view", 0))

    assert segments(engine, *(touchpoint(f"e{day}", "view", day) for day in range(1, 30))) == []
    assert segments(engine, at(49, ms=-1)) == []
    assert segments(engine, at(49)) == [None]


def test_a_late_touchpoint_corrects_the_segment() -> None:
    engine = partition()
    assert segments(engine, touchpoint("e1", "cart", 0), at(1)) == ["abandoned-cart"]

    assert segments(engine, touchpoint("e2", "buy", 0.04, late=2)) == ["new"]
    assert segments(engine, at(31)) == [None]
    assert segments(engine, touchpoint("e3", "buy", 39), at(39.5)) == []
    assert segments(engine, touchpoint("e4", "buy", 38, late=2)) == ["loyal"]


def test_the_stage_that_counts_is_the_one_that_was_told() -> None:
    found = parse_model(
        MODEL.replace("SETTLE", "36h") + "segments:\n  - {id: customer, meaning: M, when: {stage: customer}}\n",
        "m.yaml",
    )
    engine = partition(found)

    assert segments(engine, touchpoint("e1", "buy", 0), at(1)) == []
    assert segments(engine, at(1.5)) == ["customer"]


def test_a_model_without_segments_has_none_and_keeps_nothing_for_them() -> None:
    engine, bare = partition(), partition(replace(model(), segments=()))
    for one in (engine, bare):
        assert {view.segment for view in views(one, touchpoint("e1", "buy", 0), at(300))} - {None} == (
            {"new", "lapsed"} - ({"new", "lapsed"} if one is bare else set())
        )

    assert bare.plan.segmenter is None
    assert bare.counters.timers == 0


def test_rfm_scores_are_shown_and_a_purchase_that_changes_one_writes_a_view() -> None:
    engine = partition(replace(model(), segments=()), SCORER)

    minute = 1 / 24 / 60

    assert [view.rfm for view in views(engine, touchpoint("e1", "buy", 0, value=20.0))] == [RfmScores(5, 1, 2)]
    assert views(engine, touchpoint("e2", "buy", minute)) == []
    assert [v.rfm for v in views(engine, touchpoint("e3", "buy", 2 * minute, value=30.0))] == [RfmScores(5, 1, 3)]
    assert [v.rfm for v in views(engine, touchpoint("e4", "buy", 0.5, value=0.0))][-1] == RfmScores(5, 2, 3)
    # Late, and what was spent in all is more than the next cut.
    assert [v.rfm for v in views(engine, touchpoint("e5", "buy", minute, value=50.0, late=1))] == [RfmScores(4, 2, 4)]


def test_recency_is_as_of_the_view_and_silence_alone_writes_none() -> None:
    engine = partition(replace(model(), segments=()), SCORER)
    views(engine, touchpoint("e1", "buy", 0, value=20.0))

    later = views(engine, *(at(hours / 24) for hours in range(1, 24 * 20)))

    ages = [view.updated_at - START for view in later]
    cuts = (7 * HOUR_MS, 40 * HOUR_MS, 5 * DAY_MS, 8 * DAY_MS)
    assert [view.rfm.recency if view.rfm else None for view in later] == [5 - sum(a >= c for c in cuts) for a in ages]
    # What is written is written because the band is another.
    bands = [view.risk.since for view in later if view.risk]
    assert len(bands) == len(set(bands)) == len(ages) > 0


def test_a_segment_by_recency_changes_when_the_score_does() -> None:
    engine = partition(only("{rfm: {recency: {lte: 3}}}"), SCORER)
    views(engine, touchpoint("e1", "buy", 0))

    assert "the-one" not in segments(engine, at(40 / 24, ms=-1))
    assert segments(engine, at(40 / 24))[-1:] == ["the-one"]
    # A purchase that no other part of the model asks about.
    assert segments(engine, touchpoint("e2", "buy", 2))[-1] is None
    assert segments(engine, at(2 + 40 / 24))[-1] == "the-one"


def test_where_churn_risk_is_off_nobody_has_a_band_or_a_score() -> None:
    engine = partition(only("{any: [{risk: [low, medium, high, critical]}, {rfm: {recency: {gte: 1}}}]}"))

    assert {view.segment for view in views(engine, touchpoint("e1", "buy", 0), at(90))} == {None}


@pytest.mark.parametrize("when", ["{risk: [low, medium, high, critical]}", "{rfm: {frequency: 1}}"])
def test_switching_churn_risk_off_and_on_again_finds_the_segments_anew(when: str) -> None:
    engine = partition(only(when), SCORER)
    assert segments(engine, touchpoint("e1", "buy", 0))[-1] == "the-one"

    engine = restored(engine, None)
    assert segments(engine, at(1)) == [None]

    engine = restored(engine, SCORER)
    assert segments(engine, at(2))[-1] == "the-one"


def test_another_reference_of_rfm_scores_is_another_set_of_parameters() -> None:
    rfm = SCORER.parameters.rfm
    assert rfm is not None
    other = Scorer(replace(SCORER.parameters, rfm=replace(rfm, frequency=(0, 0, 0, 7))))
    engine = partition(only("{rfm: {frequency: 4}}"), SCORER)
    assert segments(engine, touchpoint("e1", "buy", 0))[-1] is None

    engine = restored(engine, other)

    assert engine.parameters_before == "nervous version 2"
    assert segments(engine, at(1))[-1] == "the-one"


def test_a_purchase_that_changes_nothing_but_recency_changes_a_segment_by_recency() -> None:
    rfm = SCORER.parameters.rfm
    assert rfm is not None
    calm = tuple(Threshold(one, one) for one in (0.999997, 0.999998, 0.999999))
    parameters = replace(SCORER.parameters, bands=calm, rfm=replace(rfm, frequency=(9, 9, 9, 9), monetary=None))
    engine = partition(only("{rfm: {recency: {lte: 3}}}"), Scorer(parameters))
    views(engine, touchpoint("e1", "buy", 0))
    assert segments(engine, at(2)) == ["the-one"]

    assert segments(engine, touchpoint("e2", "buy", 2)) == [None]


def test_what_is_put_off_may_let_something_else_begin() -> None:
    engine = partition(only("{all: [{touchpoint: buy, nothing_for: 9d}, {touchpoint: view, last_within: 8d}]}"))
    views(engine, touchpoint("e1", "buy", 0), touchpoint("e2", "view", 0))

    assert segments(engine, touchpoint("e3", "view", 5), at(9, ms=-1)) == []
    assert segments(engine, at(9)) == ["the-one"]
    assert segments(engine, at(13)) == [None]


@pytest.mark.parametrize(("pause", "shown"), [(60.0, ["the-one"]), (59.99, [])])
def test_a_pause_is_at_least_as_long_as_it_says(pause: float, shown: list[str]) -> None:
    engine = partition(only("{touchpoint: buy, back_after: 60d, back_within: 1d}"))
    views(engine, touchpoint("e1", "buy", 0))

    found = segments(engine, touchpoint("e2", "buy", pause))

    assert [segment for segment in found if segment] == shown
