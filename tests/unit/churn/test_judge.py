import numpy as np
import pytest

from journey_stream.churn.errors import FitError
from journey_stream.churn.evaluate import evaluate
from journey_stream.churn.fit import fit
from journey_stream.churn.judge import auc, calibration, judge, lift
from journey_stream.events.times import DAY_MS
from tests.unit.churn.customers import START, panel, synthetic, without_signals

END = START + 160 * DAY_MS


def test_auc_is_the_share_of_pairs_in_the_right_order():
    score = np.array([0.1, 0.4, 0.4, 0.8])
    outcome = np.array([False, True, False, True])

    assert 3.5 / 4 == auc(score, outcome)


def test_auc_needs_both_outcomes():
    with pytest.raises(ValueError, match="2 customers stayed away and 0 came back"):
        auc(np.array([0.1, 0.2]), np.array([True, True]))


def test_lift_compares_the_riskiest_tenth_with_everybody():
    score = np.linspace(0.0, 1.0, 100)
    outcome = score > 0.75

    assert 4.0 == lift(score, outcome)


def test_groups_are_of_equal_size_and_ordered_by_risk():
    probability = np.repeat([0.9, 0.1], 50)
    outcome = np.repeat([True, False], 50)

    groups = calibration(probability, outcome)

    assert [10] * 10 == [group.customers for group in groups]
    assert [0.0] * 5 + [1.0] * 5 == [group.observed for group in groups]
    assert 0.1 == pytest.approx(judge(probability, outcome).calibration_error)


def test_a_score_fitted_to_the_past_beats_the_baselines_on_what_follows():
    history = panel(synthetic())
    parameters = fit(history, without_signals(), until=END, data="synthetic").parameters

    result = evaluate(history, parameters, instants=[END], until=history.last)

    assert result.score.auc > max(one.auc for one in result.baselines)
    assert result.score.brier < 0.15


def test_a_window_that_the_history_does_not_cover_is_refused():
    history = panel(synthetic())

    with pytest.raises(FitError, match="the history ends before the window"):
        evaluate(history, without_signals(), instants=[START + 190 * DAY_MS], until=history.last)
