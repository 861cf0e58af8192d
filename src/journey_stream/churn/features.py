"""The parts of the score before recalibration.

BG/NBD speaks three times: with the probability that is asked for, and with its two parts, how surely a customer at this
pace is back within the window if still active, and how likely they are still active. Weighing the parts apart, beside
three plain facts that the model does not know, is what calibrates it: BG/NBD takes everybody who bought once for
active, and believes that nobody who dropped out ever comes back.
"""

import math
from typing import Final, NamedTuple

from journey_stream.churn.bgnbd import BgNbd, idle_exponent, idle_log_odds, p_active

SURE: Final = 20.0
"""Log-odds beyond this, two in a thousand million, say no more."""

AGE_UNITS_MIN: Final = 1.0
"""Added to the age in `quiet`, so that a customer of an hour is not said to have been silent all their life."""


class Features(NamedTuple):
    """Named as in FEATURES.

    `model`: log-odds of no purchase within the window. `pace`: the same for a customer who is active. `active`:
    P(alive). `once`: 1 for somebody who has not come back yet. `quiet`: the share of their life that has passed since
    the last purchase. `basket`: ln(1 + what they spend each time).
    """

    model: float
    pace: float
    active: float
    once: float
    quiet: float
    basket: float


def features(model: BgNbd, x: int, t_x: float, age: float, window: float, spent: float) -> Features:
    """Of a customer with `x` repeat purchases; `t_x`, `age` and `window` in the unit of the model."""
    exponent = idle_exponent(model, x, age, window)
    active = p_active(model, x, t_x, age)
    return Features(
        away_log_odds(-active * math.expm1(-exponent)),
        idle_log_odds(exponent),
        active,
        0.0 if x else 1.0,
        (age - t_x) / (age + AGE_UNITS_MIN),
        math.log1p(spent / (x + 1)),
    )


def away_log_odds(back: float) -> float:
    """The log-odds of staying away, given the probability of coming back; never surer than SURE."""
    if back <= 0.0:
        return SURE
    if back >= 1.0:
        return -SURE
    return max(-SURE, min(SURE, math.log((1.0 - back) / back)))
