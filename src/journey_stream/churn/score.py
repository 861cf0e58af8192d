"""The score: the log-odds that a customer does not come back within the window, and the band it falls into.

A score depends on the summary and the instant alone. So touchpoints that neither are the event nor a signal cost
nothing, and in silence the next change of band is known in advance (`silence.py`).
"""

import math
from typing import Final

from journey_stream.churn.bands import Thresholds
from journey_stream.churn.bgnbd import EXPONENT_MAX, logistic
from journey_stream.churn.features import AGE_UNITS_MIN, away_log_odds
from journey_stream.churn.parameters import Parameters, Signal
from journey_stream.churn.summary import Summary

_SMALL: Final = 1e-3
"""From here on `1 - exp(-x)` and `log(1 + x)` are as exact as a score needs. Compiled code calls `exp` and `log`
directly, but `expm1` and `log1p` by way of Python."""


Values = tuple[float, float, float, float, float, float]
"""One number for each of FEATURES, in their order."""

Terms = tuple[float, float, float, float, float, float]
"""The terms that move: those of `model`, `pace`, `active` and `quiet`, then the sums over the signals that raise the
score and over those that lower it. Each rises or falls all the time."""


class Effect:
    """What a signal adds to the score: `weight`, and the (negative) rate at which it decays, for each millisecond."""

    __slots__ = ("rate", "weight")

    def __init__(self, signal: Signal) -> None:
        self.weight = signal.weight
        self.rate = -math.log(2.0) / signal.half_life_ms


class Scorer:
    """The parameters, made ready for scoring; without state."""

    __slots__ = (
        "a",
        "alpha",
        "b",
        "bands",
        "effects",
        "intercept",
        "parameters",
        "r",
        "signals",
        "typical",
        "typical_values",
        "unit_ms",
        "weights",
        "window",
    )

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.bands = Thresholds(parameters.bands)
        self.signals: dict[str, Signal] = {signal.id: signal for signal in parameters.signals}
        self.effects: dict[str, Effect] = {one.id: Effect(one) for one in parameters.signals}
        model, pace, active, once, quiet, basket = [one.weight for one in parameters.recalibration.weights]
        self.weights: Values = (model, pace, active, once, quiet, basket)
        self.r, self.alpha, self.a, self.b = parameters.bgnbd
        self.intercept = parameters.recalibration.intercept
        # Of a typical customer, against whom contributions are counted.
        model, pace, active, once, quiet, basket = [one.typical for one in parameters.recalibration.weights]
        self.typical_values: Values = (model, pace, active, once, quiet, basket)
        self.typical = self.intercept + sum(one.weight * one.typical for one in parameters.recalibration.weights)
        self.unit_ms = parameters.unit_ms
        self.window = parameters.window_ms / parameters.unit_ms

    def score(self, summary: Summary, at: int) -> float:
        """The log-odds at an instant that is not before the summary's last touchpoint."""
        return self.course(summary).score(at)

    def probability(self, summary: Summary, at: int) -> float:
        """The probability of no such touchpoint within the window from `at`."""
        return logistic(self.score(summary, at))

    def course(self, summary: Summary) -> "Course":
        """The score over time, as long as nothing happens."""
        return Course(self, summary)


class Course:
    """How the score of one customer moves while nothing happens: a part that stays as it is, `constant`, and terms that
    each rise or fall all the time.

    The numbers of `features.features` but for rounding, written out: this runs for every event and signal, and several
    times for each. What does not depend on the instant is worked out once.
    """

    __slots__ = ("_first", "_gone", "_last", "_repeats", "_scorer", "_shape", "_signals", "constant")

    def __init__(self, scorer: Scorer, summary: Summary) -> None:
        _, _, _, once, _, basket = scorer.weights
        x, signals = summary.repeats, summary.signals
        self._scorer, self._first, self._last, self._repeats = scorer, summary.first, summary.last, x
        self._shape = scorer.r + x
        self._gone = math.log(scorer.a / (scorer.b + x - 1)) if x else 0.0
        constant = scorer.intercept + basket * math.log(1.0 + summary.spent / (x + 1))
        self.constant = constant if x else constant + once
        # Each effect with when it was last seen, in the order of first sight. That does not depend on how touchpoints
        # arrived, and so the sums do not either.
        self._signals: list[tuple[Effect, int]] | None = None
        if signals:
            self._signals = [(scorer.effects[name], seen) for name, seen in signals.items() if name in scorer.effects]

    def score(self, at: int) -> float:
        """The log-odds at an instant that is not before the summary's last touchpoint."""
        return self.constant + total(self.moving(at))

    def moving(self, at: int) -> Terms:
        """The terms that move, at an instant."""
        scorer, shape = self._scorer, self._shape
        unit_ms = scorer.unit_ms
        model, pace, active, _, quiet, _ = scorer.weights
        age = (at - self._first) / unit_ms
        silence = (at - self._last) / unit_ms
        share = scorer.window / (scorer.alpha + age)
        exponent = shape * (math.log(1.0 + share) if share > _SMALL else math.log1p(share))
        back = 1.0 - math.exp(-exponent) if exponent > _SMALL else -math.expm1(-exponent)
        alive = 1.0
        if self._repeats:
            gone = self._gone + shape * math.log(1.0 + silence / (scorer.alpha + age - silence))
            alive = 1.0 / (1.0 + math.exp(gone)) if gone < EXPONENT_MAX else 0.0
        raising = lowering = 0.0
        if self._signals is not None:
            for effect, seen in self._signals:
                added = effect.weight * math.exp(effect.rate * (at - seen))
                if added > 0.0:
                    raising += added
                else:
                    lowering += added
        return (
            model * away_log_odds(alive * back),
            pace * (-exponent - math.log(back)),
            active * alive,
            quiet * silence / (age + AGE_UNITS_MIN),
            raising,
            lowering,
        )


def total(terms: Terms) -> float:
    """Their sum."""
    model, pace, active, quiet, raising, lowering = terms
    return model + pace + active + quiet + raising + lowering
