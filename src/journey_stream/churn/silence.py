"""When a customer in silence crosses into another band: exactly, on the grid of full hours.

A complaint decays while silence grows, so the score may fall and rise again. But each of its terms moves one way only:
its values at the ends of a span bound it within. Spans that cannot hold a crossing are passed over at once, others are
halved, the earlier half first; what is found is the first crossing, as if every hour had been tried.
"""

import math
from typing import NamedTuple

from journey_stream.churn.score import Scorer
from journey_stream.churn.summary import Summary
from journey_stream.events.times import DAY_MS, HOUR_MS

HORIZON_MS = 3_650 * DAY_MS
"""Nobody waits longer."""

_SLACK = 1e-9
"""Rounding may move a term by a few units in its last place: the bounds allow for more than that."""

_Ends = tuple[float, list[float]]


class Crossing(NamedTuple):
    """At the full hour `at` (ms since the epoch) the customer is in `band`."""

    at: int
    band: int


def next_crossing(
    scorer: Scorer, summary: Summary, after: int, band: int, horizon_ms: int = HORIZON_MS
) -> Crossing | None:
    """The first full hour later than `after` at which a customer in `band` is in another, if nothing happens.

    None when that does not come within `horizon_ms`. Tens of microseconds: for when a timer is due. See `quiet_until`.
    """
    leave, enter = scorer.bands.limits(band)
    hour = after // HOUR_MS + 1
    last_hour = (after + horizon_ms) // HOUR_MS
    ends = scorer.terms(summary, hour * HOUR_MS)
    if not leave <= ends[0] + math.fsum(ends[1]) < enter:
        return _crossing(scorer, summary, hour, band)
    span = 1
    while hour < last_hour:
        far = min(hour + span, last_hour)
        far_ends = scorer.terms(summary, far * HOUR_MS)
        found = _first(scorer, summary, (hour, ends), (far, far_ends), (leave, enter))
        if found is not None:
            return _crossing(scorer, summary, found, band)
        hour, ends, span = far, far_ends, span * 2
    return None


def quiet_until(scorer: Scorer, summary: Summary, after: int, band: int, reach_ms: int) -> int:
    """An instant up to which, in silence, no crossing happens: `after` + `reach_ms` if that is sure, else `after`.

    One look instead of a search, for every touchpoint: set a timer there, and search when it is due. If the answer is
    `after`, search now, or ask again with a shorter reach.
    """
    leave, enter = scorer.bands.limits(band)
    constant, near = scorer.terms(summary, after)
    _, far = scorer.terms(summary, after + reach_ms)
    low = constant + sum(map(min, near, far)) - _SLACK
    high = constant + sum(map(max, near, far)) + _SLACK
    return after + reach_ms if leave <= low and high < enter else after


def _crossing(scorer: Scorer, summary: Summary, hour: int, band: int) -> Crossing:
    at = hour * HOUR_MS
    return Crossing(at, scorer.bands.next(band, scorer.score(summary, at)))


def _first(
    scorer: Scorer,
    summary: Summary,
    near: tuple[int, _Ends],
    far: tuple[int, _Ends],
    limits: tuple[float, float],
) -> int | None:
    """The first hour after `near` and up to `far` whose score is outside of the limits; `near` is inside."""
    (start, (constant, near_terms)), (stop, (_, far_terms)) = near, far
    leave, enter = limits
    low = constant + sum(map(min, near_terms, far_terms)) - _SLACK
    high = constant + sum(map(max, near_terms, far_terms)) + _SLACK
    if leave <= low and high < enter:
        return None
    if stop - start == 1:
        return None if leave <= constant + math.fsum(far_terms) < enter else stop
    middle = (start + stop) // 2
    centre = (middle, scorer.terms(summary, middle * HOUR_MS))
    found = _first(scorer, summary, near, centre, limits)
    if found is not None:
        return found
    return _first(scorer, summary, centre, far, limits)
