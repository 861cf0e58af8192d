"""How good probabilities are: ranking, error, calibration, lift."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from journey_stream.churn.panel import Floats

GROUPS = 10

Bools = npt.NDArray[np.bool_]


class Group(NamedTuple):
    """Customers of similar risk: how many, the mean probability, and the share who did stay away."""

    customers: int
    predicted: float
    observed: float

    @property
    def error(self) -> float:
        return abs(self.predicted - self.observed)


class Judgement(NamedTuple):
    """Of probabilities; `lift` is the share who stayed away in the riskiest tenth over that of everybody."""

    customers: int
    stayed_away: float
    mean: float
    auc: float
    brier: float
    lift: float
    groups: tuple[Group, ...]

    @property
    def calibration_error(self) -> float:
        """The largest of any group."""
        return max(group.error for group in self.groups)


def judge(probability: Floats, outcome: Bools) -> Judgement:
    """Raises ValueError if everybody or nobody stayed away: then nothing can be ranked."""
    groups = calibration(probability, outcome)
    return Judgement(
        customers=len(outcome),
        stayed_away=float(outcome.mean()),
        mean=float(probability.mean()),
        auc=auc(probability, outcome),
        brier=float(np.mean((probability - outcome) ** 2)),
        lift=lift(probability, outcome),
        groups=groups,
    )


def auc(score: Floats, outcome: Bools) -> float:
    """The probability that somebody who stayed away is ranked above somebody who came back; ties count half."""
    away = int(outcome.sum())
    back = len(outcome) - away
    if not away or not back:
        raise ValueError(f"{away} customers stayed away and {back} came back; expected some of each")
    ranks = rankdata(score)
    return float((ranks[outcome].sum() - away * (away + 1) / 2) / (away * back))


def lift(score: Floats, outcome: Bools) -> float:
    """In the tenth with the highest scores, relative to everybody."""
    top = _order(score)[-max(1, len(score) // GROUPS) :]
    return float(outcome[top].mean() / outcome.mean())


def calibration(probability: Floats, outcome: Bools, groups: int = GROUPS) -> tuple[Group, ...]:
    """Groups of equal size, the least risky first."""
    parts = [part for part in np.array_split(_order(probability), groups) if len(part)]
    return tuple(Group(len(part), float(probability[part].mean()), float(outcome[part].mean())) for part in parts)


def _order(score: Floats) -> npt.NDArray[np.intp]:
    # Customers of equal score fall into groups by their index; a stable order keeps that the same everywhere.
    return np.argsort(score, kind="stable")
