"""BG/NBD over arrays: maximum likelihood, and the features of `features.py` for many customers at once."""

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, expit, gammaln

from journey_stream.churn.bgnbd import EXPONENT_MAX, BgNbd
from journey_stream.churn.errors import FitError
from journey_stream.churn.features import AGE_UNITS_MIN, SURE
from journey_stream.churn.panel import Floats, Snapshot

BOUNDS = (-7.0, 9.0)
"""Of the logarithm of each parameter: e-7 to e9 covers what data can tell apart."""

STARTS = ((-1.0, 0.0, 0.0, 1.0), (0.5, 0.0, -2.0, 2.0), (0.0, 1.0, 0.0, 0.0), (-1.0, -1.0, -1.0, 2.0))
"""ln r, ln alpha (of the mean age), ln a, ln b: rare and frequent buyers, many and few who drop out."""


class Maximum(NamedTuple):
    """The best parameters, the log-likelihood there, and the names of the parameters that ran to their bounds."""

    model: BgNbd
    log_likelihood: float
    at_bounds: tuple[str, ...]


def log_likelihoods(model: BgNbd, x: Floats, t_x: Floats, age: Floats) -> Floats:
    """Of each customer, as `bgnbd.log_likelihood`."""
    r, alpha, a, b = model
    rate = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    active = betaln(a, b + x) - (r + x) * np.log(alpha + age)
    gone = betaln(a + 1.0, b + np.maximum(x, 1.0) - 1.0) - (r + x) * np.log(alpha + t_x)
    either = np.where(x > 0, np.logaddexp(active, gone), active)
    result: Floats = rate + either - betaln(a, b)
    return result


def maximise(x: Floats, t_x: Floats, age: Floats) -> Maximum:
    """The maximum-likelihood fit from several starts. Raises FitError if none of them converges."""
    rows, weights = np.unique(np.column_stack([x, t_x, age]), axis=0, return_counts=True)
    x, t_x, age = rows.T
    scale = float(np.average(age, weights=weights))
    if scale <= 0.0:
        raise FitError("nobody's history has any length; expected customers who first bought before the last instant")

    def badness(point: Floats) -> float:
        r, alpha, a, b = np.exp(point)
        return -float(np.average(log_likelihoods(BgNbd(r, alpha, a, b), x, t_x / scale, age / scale), weights=weights))

    best: Any = None
    for start in STARTS:
        found = minimize(badness, start, method="L-BFGS-B", bounds=[BOUNDS] * 4, options={"ftol": 1e-13, "gtol": 1e-8})
        if np.isfinite(found.fun) and (best is None or found.fun < best.fun):
            best = found
    if best is None:
        raise FitError("the likelihood has no maximum from any start; expected repeat purchases of varied customers")
    r, alpha, a, b = (float(value) for value in np.exp(best.x))
    model = BgNbd(r, alpha * scale, a, b)
    near = [name for name, value in zip(BgNbd._fields, best.x, strict=True) if not _inside(value)]
    total = float(np.sum(log_likelihoods(model, x, t_x, age) * weights))
    return Maximum(model, total, tuple(near))


def _inside(value: float) -> bool:
    low, high = BOUNDS
    return low + 0.01 < value < high - 0.01


def feature_matrix(model: BgNbd, rows: Snapshot, window: float) -> Floats:
    """(customers, features): the same numbers as `features.features`."""
    r, alpha, a, b = model
    x, silence = rows.repeats, rows.age - rows.t_x
    exponent = (r + x) * np.log1p(window / (alpha + rows.age))
    pace = -np.where(exponent < EXPONENT_MAX, np.log(np.expm1(np.minimum(exponent, EXPONENT_MAX))), exponent)
    gone = np.log(a / (b + np.maximum(x, 1.0) - 1.0)) + (r + x) * np.log1p(silence / (alpha + rows.t_x))
    active = np.where(x > 0, 1.0 / (1.0 + np.exp(np.minimum(gone, EXPONENT_MAX))), 1.0)
    quiet = silence / (rows.age + AGE_UNITS_MIN)
    back = np.clip(-active * np.expm1(-exponent), 1e-300, 1.0 - 1e-16)
    whole = np.clip(np.log((1.0 - back) / back), -SURE, SURE)
    once = (x == 0).astype(np.float64)
    return np.column_stack([whole, pace, active, once, quiet, np.log1p(rows.spent / (x + 1.0))])


def plain_probability(model: BgNbd, rows: Snapshot, window: float) -> Floats:
    """P(no purchase) as BG/NBD has it, without recalibration."""
    result: Floats = expit(feature_matrix(model, rows, window)[:, 0])
    return result
