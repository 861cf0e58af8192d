"""The BG/NBD model of repeat buying in closed form, after Fader, Hardie and Lee.

While active, a customer buys at random with a rate of their own; after each purchase they may drop out for good with a
probability of their own. Rates are gamma distributed over customers (shape `r`, rate `alpha`), dropout probabilities
beta distributed (`a`, `b`). What we know of a customer is the number of repeat purchases `x`, the time of the last one
`t_x` and the time `age` (T), both counted from the first purchase, in the unit of `alpha`.

[FHL] is P. Fader, B. Hardie, K. Lee, "Counting Your Customers" the Easy Way: An Alternative to the Pareto/NBD Model,
Marketing Science 24(2), 2005; its equation numbers are given. [FH] is P. Fader, B. Hardie, "Computing P(alive) Using
the BG/NBD Model", 2008.
"""

import math
from typing import Final, NamedTuple

EXPONENT_MAX: Final = 700.0
"""`exp` of anything larger overflows."""
SERIES_TERMS_MAX = 100_000


_expm1: Final = math.expm1  # a name that compiled code need not look up


class BgNbd(NamedTuple):
    """The four parameters, each larger than zero."""

    r: float
    alpha: float
    a: float
    b: float


def dropout_log_odds(model: BgNbd, x: int, t_x: float, age: float) -> float:
    """The log-odds that the customer has dropped out: ln of a/(b+x-1) · ((alpha+T)/(alpha+t_x))^(r+x), from [FH].

    Minus infinity for x = 0, because in this model one drops out only after a repeat purchase.
    """
    if x == 0:
        return -math.inf
    r, alpha, a, b = model
    return math.log(a / (b + x - 1)) + (r + x) * math.log1p((age - t_x) / (alpha + t_x))


def p_active(model: BgNbd, x: int, t_x: float, age: float) -> float:
    """P(alive): the probability that the customer has not dropped out, [FH]."""
    return logistic(-dropout_log_odds(model, x, t_x, age))


def idle_exponent(model: BgNbd, x: int, age: float, t: float) -> float:
    """-ln of the probability that an active customer buys nothing within `t`: (r+x) · ln(1 + t/(alpha+T)).

    Given the history and that the customer is active, their rate is gamma distributed with shape r+x and rate
    alpha+T (the likelihood [FHL, eq. 3] times the gamma density), so that the mean of exp(-rate · t) is
    ((alpha+T)/(alpha+T+t))^(r+x).
    """
    return (model.r + x) * math.log1p(t / (model.alpha + age))


def p_no_purchase(model: BgNbd, x: int, t_x: float, age: float, t: float) -> float:
    """The probability of no purchase within `t` from now.

    Either the customer has dropped out, or is active and idle; one cannot drop out before the next purchase:
    1 - P(alive) · (1 - ((alpha+T)/(alpha+T+t))^(r+x)).
    """
    return 1.0 + p_active(model, x, t_x, age) * math.expm1(-idle_exponent(model, x, age, t))


def expected_purchases(model: BgNbd, x: int, t_x: float, age: float, t: float) -> float:
    """The expected number of purchases within `t` from now, [FHL, eq. 10].

    That equation holds ₂F₁(r+x, b+x; a+b+x-1; z) with z = t/(alpha+T+t), whose terms grow without limit with x. By
    Euler's transformation it is (1-z)^(a-1-r-x) · ₂F₁(a+b-1-r, a-1; a+b+x-1; z), which stays small, and whose factor
    a-1 cancels that of the denominator, so that a = 1 is no special case. Raises ArithmeticError if the series does not
    end, which takes a `t` of more than a thousand times `alpha` + `age`.
    """
    r, alpha, a, b = model
    shift = a - 1.0
    z = t / (alpha + age + t)
    log_rest = -math.log1p(t / (alpha + age))
    grown = math.expm1(shift * log_rest) / shift if shift else log_rest
    total = grown + math.exp(shift * log_rest) * _series(a + b - 1.0 - r, shift, a + b + x - 1.0, z)
    return (a + b + x - 1.0) * -total * p_active(model, x, t_x, age)


def log_likelihood(model: BgNbd, x: int, t_x: float, age: float) -> float:
    """The log-likelihood of one customer's history, [FHL, eq. 6]."""
    r, alpha, a, b = model
    rate = math.lgamma(r + x) - math.lgamma(r) + r * math.log(alpha)
    active = _log_beta(a, b + x) - _log_beta(a, b) - (r + x) * math.log(alpha + age)
    if x == 0:
        return rate + active
    gone = _log_beta(a + 1.0, b + x - 1.0) - _log_beta(a, b) - (r + x) * math.log(alpha + t_x)
    larger, smaller = max(active, gone), min(active, gone)
    return rate + larger + math.log1p(math.exp(smaller - larger))


def logistic(log_odds: float) -> float:
    """The probability of these log-odds; infinite ones are fine."""
    if log_odds >= 0.0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1.0 + odds)


def idle_log_odds(exponent: float) -> float:
    """The log-odds of a probability given as its `idle_exponent`."""
    return -math.log(_expm1(exponent)) if exponent < EXPONENT_MAX else -exponent


def _series(first: float, shift: float, third: float, z: float) -> float:
    """(₂F₁(first, shift; third; z) - 1) / shift, for 0 ≤ z < 1."""
    term = first / third * z
    total = term
    for k in range(1, SERIES_TERMS_MAX):
        term *= (first + k) * (shift + k) / ((third + k) * (k + 1.0)) * z
        total += term
        if abs(term) <= 1e-16 * abs(total):
            return total
    raise ArithmeticError(f"the series at z = {z} has not ended after {SERIES_TERMS_MAX} terms")


def _log_beta(p: float, q: float) -> float:
    return math.lgamma(p) + math.lgamma(q) - math.lgamma(p + q)
