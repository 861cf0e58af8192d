"""Bands of risk with hysteresis: a band is entered at one probability and left at a lower one.

Thresholds are kept as log-odds, so that scoring compares without computing the probability.
"""

import math
from typing import NamedTuple

BANDS = ("low", "medium", "high", "critical")
"""Known by index everywhere inside."""

LOW = 0


class Threshold(NamedTuple):
    """The probabilities at which a band is entered from below and left downwards."""

    enter: float
    leave: float


class Thresholds:
    """The thresholds of the bands above low, in order; `enter` rises from band to band, and so does `leave`."""

    __slots__ = ("_enter", "_leave")

    def __init__(self, thresholds: tuple[Threshold, ...]) -> None:
        self._enter = tuple(log_odds(one.enter) for one in thresholds)
        self._leave = tuple(log_odds(one.leave) for one in thresholds)

    def next(self, band: int | None, score: float) -> int:
        """The band of a score in log-odds after having been in `band`; None for a customer without one."""
        reached = 0
        for threshold in self._enter:
            if score < threshold:
                break
            reached += 1
        if band is None or reached >= band:
            return reached
        while band > reached and score < self._leave[band - 1]:
            band -= 1
        return band

    def limits(self, band: int) -> tuple[float, float]:
        """The band is kept while leave ≤ score < enter, in log-odds."""
        leave = self._leave[band - 1] if band else -math.inf
        enter = self._enter[band] if band < len(self._enter) else math.inf
        return leave, enter


def log_odds(probability: float) -> float:
    """Raises ValueError for 0 and 1, which have none."""
    return math.log(probability / (1.0 - probability))
