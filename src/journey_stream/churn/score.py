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


_Effect = tuple[float, float]
"""The weight of a signal, and the (negative) rate at which it decays, for each millisecond."""


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
        self._signals: dict[str, _Effect] = {
            one.id: (one.weight, -math.log(2.0) / one.half_life_ms) for one in parameters.signals
        }
        model, pace, active, once, quiet, basket = [one.weight for one in parameters.recalibration.weights]
        self._weights = (model, pace, active, once, quiet, basket)
        self._bgnbd: tuple[float, float, float, float] = parameters.bgnbd
        self._intercept = parameters.recalibration.intercept
        # Of a typical customer, against whom contributions are counted.
        self.typical = self._intercept + sum(one.weight * one.typical for one in parameters.recalibration.weights)
        self._unit_ms = parameters.unit_ms
        self._window = parameters.window_ms / parameters.unit_ms

    def score(self, summary: Summary, at: int) -> float:
        """The log-odds at an instant that is not before the summary's last touchpoint."""
        return self.course(summary).score(at)

    def probability(self, summary: Summary, at: int) -> float:
        """The probability of no such touchpoint within the window from `at`."""
        return logistic(self.score(summary, at))

    def course(self, summary: Summary) -> "Course":
        """The score over time, as long as nothing happens."""
        return Course(self._unit_ms, self._window, self._bgnbd, self._weights, self._intercept, self._signals, summary)


class Course:
    """How the score of one customer moves while nothing happens: a part that stays as it is, `constant`, and terms that
    each rise or fall all the time.

    The same numbers as `features.features`, written out: this runs for every event and signal, and several times for
    each. What does not depend on the instant is worked out once.
    """

    __slots__ = (
        "_active",
        "_alpha",
        "_first",
        "_gone",
        "_last",
        "_model",
        "_pace",
        "_quiet",
        "_shape",
        "_signals",
        "_unit_ms",
        "_window",
        "_x",
        "constant",
    )

    def __init__(
        self,
        unit_ms: int,
        window: float,
        bgnbd: tuple[float, float, float, float],
        weights: tuple[float, float, float, float, float, float],
        intercept: float,
        effects: dict[str, _Effect],
        summary: Summary,
    ) -> None:
        r, alpha, a, b = bgnbd
        model, pace, active, once, quiet, basket = weights
        x, signals = summary.repeats, summary.signals
        self._unit_ms, self._window, self._alpha = unit_ms, window, alpha
        self._model, self._pace, self._active, self._quiet = model, pace, active, quiet
        self._first, self._last, self._x = summary.first, summary.last, x
        self._shape = r + x
        self._gone = math.log(a / (b + x - 1)) if x else 0.0
        constant = intercept + basket * _log1p(summary.spent / (x + 1))
        self.constant = constant if x else constant + once
        # Weight, rate, and when it was seen.
        self._signals: list[tuple[float, float, int]] = []
        if signals:
            for signal, seen in signals.items():
                effect = effects.get(signal)
                if effect is not None:
                    self._signals.append((effect[0], effect[1], seen))

    def score(self, at: int) -> float:
        """The log-odds at an instant that is not before the summary's last touchpoint."""
        return self.constant + math.fsum(self.moving(at))

    def moving(self, at: int) -> list[float]:
        """The terms that move, at an instant."""
        age = (at - self._first) / self._unit_ms
        silence = (at - self._last) / self._unit_ms
        exponent = self._shape * _log1p(self._window / (self._alpha + age))
        alive = 1.0
        if self._x:
            gone = self._gone + self._shape * _log1p(silence / (self._alpha + age - silence))
            alive = 1.0 / (1.0 + math.exp(gone)) if gone < EXPONENT_MAX else 0.0
        moving = [
            self._model * away_log_odds(-alive * _expm1(-exponent)),
            self._pace * idle_log_odds(exponent),
            self._active * alive,
            self._quiet * silence / (age + AGE_UNITS_MIN),
        ]
        for weight, rate, seen in self._signals:
            moving.append(weight * math.exp(rate * (at - seen)))
        return moving
