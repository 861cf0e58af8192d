"""The parts of the score before recalibration.

BG/NBD speaks twice: how surely a customer at this pace is back within the window if still active, and how likely they
are still active. Weighing the two apart, beside three plain facts that the model cannot know, is what calibrates it:
BG/NBD takes everybody who bought once for active, and nobody who dropped out ever comes back.
"""

import math
from typing import NamedTuple

from journey_stream.churn.bgnbd import BgNbd, idle_exponent, idle_log_odds, p_active

FREQUENT_UNITS = 1.0
"""Added to the age in `quiet`, so that a customer of an hour is not said to have been silent all their life."""


class Features(NamedTuple):
    """Named as in FEATURES.

    `pace`: log-odds that an active customer buys nothing within the window. `active`: P(alive). `once`: 1 for somebody
    who has not come back yet. `quiet`: the share of their life that has passed since the last purchase. `spent`:
    ln(1 + what they spent in all).
    """

    pace: float
    active: float
    once: float
    quiet: float
    spent: float


def features(model: BgNbd, x: int, t_x: float, age: float, window: float, spent: float) -> Features:
    """Of a customer with `x` repeat purchases; `t_x`, `age` and `window` in the unit of the model."""
    return Features(
        idle_log_odds(idle_exponent(model, x, age, window)),
        p_active(model, x, t_x, age),
        0.0 if x else 1.0,
        (age - t_x) / (age + FREQUENT_UNITS),
        math.log1p(spent),
    )
