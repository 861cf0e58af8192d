"""The score: the log-odds that a customer does not come back within the window, and the band it falls into.

A score depends on the summary and the instant alone. So touchpoints that neither are the event nor a signal cost
nothing, and in silence the next change of band is known in advance (`silence.py`).
"""

import math
from typing import Final

from journey_stream.churn.bands import Thresholds
from journey_stream.churn.bgnbd import EXPONENT_MAX, idle_log_odds, logistic
from journey_stream.churn.features import AGE_UNITS_MIN, away_log_odds
from journey_stream.churn.parameters import Parameters, Signal
from journey_stream.churn.summary import Summary

# Names that compiled code need not look up.
_log1p: Final = math.log1p
_expm1: Final = math.expm1


class Scorer:
    """The parameters, made ready for scoring; without state."""

    __slots__ = (
        "_bgnbd",
        "_intercept",
        "_signals",
        "_unit_ms",
        "_weights",
        "_window",
        "bands",
        "parameters",
        "signals",
        "typical",
    )

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.bands = Thresholds(parameters.bands)
        self.signals: dict[str, Signal] = {signal.id: signal for signal in parameters.signals}
        self._signals = {one.id: (one.weight, -math.log(2.0) / one.half_life_ms) for one in parameters.signals}
        model, pace, active, once, quiet, basket = (one.weight for one in parameters.recalibration.weights)
        self._weights = (model, pace, active, once, quiet, basket)
        self._bgnbd: tuple[float, float, float, float] = parameters.bgnbd
        self._intercept = parameters.recalibration.intercept
        # Of a typical customer, against whom contributions are counted.
        self.typical = self._intercept + sum(one.weight * one.typical for one in parameters.recalibration.weights)
        self._unit_ms = parameters.unit_ms
        self._window = parameters.window_ms / parameters.unit_ms

    def score(self, summary: Summary, at: int) -> float:
        """The log-odds at an instant that is not before the summary's last touchpoint."""
        constant, moving = self.terms(summary, at)
        return constant + math.fsum(moving)

    def probability(self, summary: Summary, at: int) -> float:
        """The probability of no such touchpoint within the window from `at`."""
        return logistic(self.score(summary, at))

    def terms(self, summary: Summary, at: int) -> tuple[float, list[float]]:
        """What stays as it is in silence, and the terms that move: each of them rises or falls all the time.

        The same numbers as `features.features`, written out: this runs for every event and signal.
        """
        unit_ms = self._unit_ms
        r, alpha, a, b = self._bgnbd
        model, pace, active, once, quiet, basket = self._weights
        first, last, x, spent, signals = summary.first, summary.last, summary.repeats, summary.spent, summary.signals
        age = (at - first) / unit_ms
        silence = (at - last) / unit_ms
        constant = self._intercept + basket * _log1p(spent / (x + 1))
        exponent = (r + x) * _log1p(self._window / (alpha + age))
        if x:
            gone = math.log(a / (b + x - 1)) + (r + x) * _log1p(silence / (alpha + age - silence))
            alive = 1.0 / (1.0 + math.exp(gone)) if gone < EXPONENT_MAX else 0.0
        else:
            alive = 1.0
            constant += once
        moving = [
            model * away_log_odds(-alive * _expm1(-exponent)),
            pace * idle_log_odds(exponent),
            active * alive,
            quiet * silence / (age + AGE_UNITS_MIN),
        ]
        if signals:
            for signal, seen in signals.items():
                effect = self._signals.get(signal)
                if effect is not None:
                    moving.append(effect[0] * math.exp(effect[1] * (at - seen)))
        return constant, moving
