"""Judging parameters on what happened after they were fitted."""

from typing import NamedTuple

import numpy as np
from scipy.special import expit

from journey_stream.churn.errors import FitError
from journey_stream.churn.fit import RIDGE_ANCHORED, signal_matrix
from journey_stream.churn.judge import Bools, Judgement, auc, judge, lift
from journey_stream.churn.likelihood import feature_matrix, plain_probability
from journey_stream.churn.panel import Floats, Panel, Snapshot
from journey_stream.churn.parameters import Parameters
from journey_stream.churn.regression import Regression

FOLDS = 5


class Ranking(NamedTuple):
    """A baseline that only ranks."""

    name: str
    auc: float
    lift: float


class Evaluation(NamedTuple):
    """`instants` are those at which customers were judged, in ms; results of all of them lie in one heap.

    `ceiling` is no competitor: the same features, refitted to four fifths of these very outcomes and judged on the
    fifth. No score that has to predict can know as much.
    """

    instants: tuple[int, ...]
    score: Judgement
    bgnbd: Judgement
    baselines: tuple[Ranking, ...]
    ceiling: Judgement


def evaluate(panel: Panel, parameters: Parameters, *, instants: list[int], until: int) -> Evaluation:
    """Predict at each instant and compare with the window that follows; every window must end by `until` (ms).

    Raises FitError if a window is not covered by the history, or if everybody or nobody stayed away.
    """
    window_ms = parameters.window_ms
    late = [at for at in instants if at + window_ms > until]
    if late or not instants:
        raise FitError("the history ends before the window after the last instant does; choose an earlier one")
    snapshots = [panel.snapshot(at) for at in instants]
    outcomes = [panel.stayed_away(rows, at, window_ms) for rows, at in zip(snapshots, instants, strict=True)]
    outcome: Bools = np.concatenate(outcomes)
    if outcome.all() or not outcome.any():
        raise FitError(f"{outcome.sum()} of {len(outcome)} customers stayed away: there is nothing to tell apart")
    window = window_ms / parameters.unit_ms
    scores = np.concatenate([probabilities(parameters, rows) for rows in snapshots])
    plain = np.concatenate([plain_probability(parameters.bgnbd, rows, window) for rows in snapshots])
    silence = np.concatenate([rows.age - rows.t_x for rows in snapshots])
    frequency = np.concatenate([rows.repeats for rows in snapshots])
    return Evaluation(
        tuple(instants),
        judge(scores, outcome),
        judge(plain, outcome),
        (_ranking("recency (longest silence)", silence, outcome), _ranking("frequency (fewest)", -frequency, outcome)),
        judge(_ceiling(parameters, snapshots, outcome), outcome),
    )


def probabilities(parameters: Parameters, rows: Snapshot) -> Floats:
    """The score of every customer: the same as `Scorer.probability`."""
    matrix = feature_matrix(parameters.bgnbd, rows, parameters.window_ms / parameters.unit_ms)
    weights = np.array([one.weight for one in parameters.recalibration.weights])
    signals = signal_matrix(rows, list(parameters.signals), parameters.unit_ms)
    effects = signals @ np.array([one.weight for one in parameters.signals])
    result: Floats = expit(parameters.recalibration.intercept + matrix @ weights + effects)
    return result


def _ceiling(parameters: Parameters, snapshots: list[Snapshot], outcome: Bools) -> Floats:
    window = parameters.window_ms / parameters.unit_ms
    matrix = np.vstack([feature_matrix(parameters.bgnbd, rows, window) for rows in snapshots])
    fold = np.concatenate([rows.customer for rows in snapshots]) % FOLDS
    result = np.empty(len(outcome))
    for number in range(FOLDS):
        judged = fold == number
        refitted = Regression(matrix[~judged], outcome[~judged], RIDGE_ANCHORED)
        result[judged] = expit(refitted.intercept + matrix[judged] @ refitted.weights)
    return result


def _ranking(name: str, score: Floats, outcome: Bools) -> Ranking:
    return Ranking(name, auc(score, outcome), lift(score, outcome))
