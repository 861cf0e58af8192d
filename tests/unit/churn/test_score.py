from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey_stream.churn.bgnbd import logistic
from journey_stream.churn.features import features
from journey_stream.churn.parameters import FEATURES
from journey_stream.churn.reasons import DIGITS, assess, rounded, say_percent
from journey_stream.churn.score import Scorer
from journey_stream.churn.summary import Summary
from journey_stream.events.times import DAY_MS, rfc3339
from tests.unit.churn.customers import GROCERY, NEWCOMER, REGULAR, SCORER, START

summaries = st.builds(
    lambda length, repeats, spent, complained: Summary(
        START, START + length, repeats, spent, {"complaint": START + complained} if complained else None
    ),
    st.integers(0, 700 * DAY_MS),
    st.integers(0, 300),
    st.floats(0.0, 1e5),
    st.integers(0, 700 * DAY_MS),
)


@given(summaries, st.integers(0, 900 * DAY_MS))
def test_the_score_is_the_weighted_sum_of_the_features_and_signals(summary, silence):
    at = max(summary.last, *(summary.signals or {"": 0}).values()) + silence
    unit = GROCERY.unit_ms
    values = features(
        GROCERY.bgnbd,
        summary.repeats,
        (summary.last - summary.first) / unit,
        (at - summary.first) / unit,
        GROCERY.window_ms / unit,
        summary.spent,
    )
    expected = GROCERY.recalibration.intercept + sum(
        one.weight * value for one, value in zip(GROCERY.recalibration.weights, values, strict=True)
    )
    for name, last in (summary.signals or {}).items():
        signal = SCORER.signals[name]
        expected += signal.weight * 0.5 ** ((at - last) / signal.half_life_ms)

    assert expected == pytest.approx(SCORER.score(summary, at), abs=1e-6)


@pytest.mark.parametrize("repeats", [0, 3])
@pytest.mark.parametrize("alpha", [1.0, 1e9, 1e15])
def test_a_window_that_is_next_to_nothing_beside_a_life_has_a_score(alpha, repeats):
    tiny = replace(GROCERY, window_ms=1, unit_ms=3_650 * DAY_MS, bgnbd=GROCERY.bgnbd._replace(alpha=alpha))
    summary, at = Summary(START, START + DAY_MS, repeats, 5.0), START + 9 * DAY_MS

    risk = assess(Scorer(tiny), summary, at, None)

    assert 0.99 < risk.probability <= 1.0
    total = risk.typical + sum(one.log_odds for one in risk.contributions)
    assert Scorer(tiny).score(summary, at) == pytest.approx(total, abs=1e-3)


@given(st.floats(0.0, 1.0) | st.integers(0, 200).map(lambda halves: halves / 200))
def test_a_share_is_said_in_the_percent_it_is_rounded_to(share):
    assert f"{round(100.0 * share)} %" == say_percent(share)


@given(summaries, st.integers(0, 900 * DAY_MS))
def test_contributions_add_up_to_the_score_and_come_largest_first(summary, silence):
    at = max(summary.last, *(summary.signals or {"": 0}).values()) + silence

    risk = assess(SCORER, summary, at, None)

    weights = [abs(one.log_odds) for one in risk.contributions]
    assert sorted(weights, reverse=True) == weights
    total = risk.typical + sum(one.log_odds for one in risk.contributions)
    assert SCORER.score(summary, at) == pytest.approx(total, abs=1e-3)
    assert logistic(SCORER.score(summary, at)) == pytest.approx(risk.probability, abs=1e-4)


def test_features_are_named_in_one_order():
    assert FEATURES == features(GROCERY.bgnbd, 1, 1.0, 2.0, 4.0, 0.0)._fields


def test_a_complaint_raises_the_risk_and_says_so_until_it_is_forgotten():
    at = REGULAR.last + DAY_MS
    angry = msgspec.structs.replace(REGULAR, signals={"complaint": REGULAR.last})

    risk = assess(SCORER, angry, at, None)

    assert risk.probability > assess(SCORER, REGULAR, at, None).probability
    [reason] = [one for one in risk.contributions if one.factor == "complaint"]
    assert "complained 1 day ago" == reason.text
    assert 0.8 * 0.5 ** (1 / 30) == pytest.approx(reason.log_odds, abs=1e-4)
    assert rfc3339(REGULAR.last) == reason.since
    later = at + 3_000 * DAY_MS
    assert SCORER.probability(REGULAR, later) == pytest.approx(SCORER.probability(angry, later), abs=1e-9)


def test_reasons_speak_of_the_customer():
    texts = {one.factor: one.text for one in assess(SCORER, NEWCOMER, START + 40 * DAY_MS, None).contributions}

    assert "only one purchase so far" == texts["once"]
    assert "silent for 40 days of 40 days" == texts["quiet"]
    assert "spent 20.00 each time" == texts["basket"]


def test_a_signal_that_the_parameters_do_not_know_is_ignored():
    odd = msgspec.structs.replace(REGULAR, signals={"horoscope": REGULAR.last})

    assert assess(SCORER, REGULAR, REGULAR.last, 0) == assess(SCORER, odd, REGULAR.last, 0)


@given(st.floats() | st.integers(-(10**6), 10**6).map(lambda n: (n + 0.5) / 1e4))
def test_a_number_is_rounded_as_python_rounds_it(number: float) -> None:
    assert repr(round(number, DIGITS)) == repr(rounded(number))


@given(st.integers(-(2**20), 2**20), st.integers(0, 24))
def test_the_middle_between_two_numbers_is_rounded_as_python_rounds_it(count: int, halvings: int) -> None:
    assert repr(round(count / 2**halvings, DIGITS)) == repr(rounded(count / 2**halvings))
