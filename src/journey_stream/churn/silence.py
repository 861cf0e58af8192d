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
"""Silence changes no band any more when the last purchase or signal lies further back.

It is counted from there and from nowhere else: it must not matter to what is found from where one searches.
"""
REACHES_MS = (32 * DAY_MS, 8 * DAY_MS, 2 * DAY_MS)
_BEYOND_REACH_MS = 128 * DAY_MS
_STEPS_FURTHER = 3
"""So often `look` halves what lies between the longest reach that is sure and the next one. Each halving costs a score;
what it saves are timers that ring for nothing: with these three, four fifths of them (`benchmarks.engine`)."""

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

    None when that does not come within `horizon_ms` of the last touchpoint in the summary. Tens of microseconds: for
    when a timer is due. See `look`.
    """
    return _search(scorer, summary, after, _last_seen(summary) + horizon_ms, band)


def _search(scorer: Scorer, summary: Summary, after: int, until: int, band: int) -> Crossing | None:
    """The first crossing later than `after` and no later than `until`."""
    hour, last_hour = after // HOUR_MS + 1, until // HOUR_MS
    if hour > last_hour:
        return None
    leave, enter = scorer.bands.limits(band)
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


def crossing_by(scorer: Scorer, summary: Summary, after: int, until: int, band: int) -> Crossing | None:
    """`next_crossing` if it comes no later than `until`; usually one look is enough to say that it does not."""
    start, stop = full_hour_after(after), until // HOUR_MS * HOUR_MS
    if stop < start:
        return None
    constant, near = scorer.terms(summary, start)
    if _stays(scorer.bands.limits(band), constant, near, scorer.terms(summary, stop)[1]):
        return None
    return _search(scorer, summary, after, min(until, _last_seen(summary) + HORIZON_MS), band)


def _last_seen(summary: Summary) -> int:
    """When the last touchpoint happened that concerns the score."""
    return max(summary.last, *summary.signals.values()) if summary.signals else summary.last


class Look(NamedTuple):
    """The score in log-odds, the band that it means, and an instant (ms) before which silence does not change it."""

    score: float
    band: int
    quiet_until: int


def look(scorer: Scorer, summary: Summary, at: int, band: int | None, reach_ms: int = 0) -> Look:
    """Score at an instant that is not before the summary's last touchpoint, after having been in `band` or in none.

    How long it stays quiet is not searched for but bounded: the longest of a few reaches that is sure, and then some
    way towards the next longer one. That takes a few microseconds, for every touchpoint that changes the score, and a
    bound that is reached takes many: the profile is unpacked, and written again. Search with `next_crossing` when that
    time has come.

    `reach_ms` is about how long it was sure to stay quiet the last time. Most customers keep their pace, so that a
    little more or a little less than that is tried first, and saves the other tries.
    """
    constant, near = scorer.terms(summary, at)
    score = constant + math.fsum(near)
    reached = scorer.bands.next(band, score)
    limits = scorer.bands.limits(reached)
    if REACHES_MS[-1] <= reach_ms <= 2 * _BEYOND_REACH_MS:
        for guess_ms in (min(reach_ms + reach_ms // 4, _BEYOND_REACH_MS), reach_ms - reach_ms // 4):
            if _stays(limits, constant, near, scorer.terms(summary, at + guess_ms)[1]):
                return Look(score, reached, at + guess_ms + 1)
    unsure = _BEYOND_REACH_MS
    for sure in REACHES_MS:
        far = scorer.terms(summary, at + sure)[1]
        if _stays(limits, constant, near, far):
            return Look(score, reached, _further(scorer, summary, limits, (at + sure, far), at + unsure) + 1)
        unsure = sure
    return Look(score, reached, full_hour_after(at))


def full_hour_after(at: int) -> int:
    """Before it, silence changes nothing: crossings lie on full hours."""
    return (at // HOUR_MS + 1) * HOUR_MS


def _further(
    scorer: Scorer, summary: Summary, limits: tuple[float, float], start: tuple[int, list[float]], unsure: int
) -> int:
    """An instant from the start of a span on until which the score surely stays within the limits."""
    sure, near = start
    for _ in range(_STEPS_FURTHER):
        middle = (sure + unsure) // 2
        constant, far = scorer.terms(summary, middle)
        if _stays(limits, constant, near, far):
            sure, near = middle, far
        else:
            unsure = middle
    return sure


def still_quiet(scorer: Scorer, summary: Summary, after: int, now: int, band: int) -> int | None:
    """An instant later than `now` before which silence since `after` changes nothing, if one is sure at a look.

    It lies as far ahead as the last purchase lies back, so that somebody silent for good is looked at ever more rarely.
    None if it is not sure, or so far ahead that a search may just as well settle it.
    """
    reach_ms = now - summary.last
    if not REACHES_MS[-1] <= reach_ms <= REACHES_MS[0]:
        return None
    constant, near = scorer.terms(summary, after)
    until = now + reach_ms
    return until + 1 if _stays(scorer.bands.limits(band), constant, near, scorer.terms(summary, until)[1]) else None


def _stays(limits: tuple[float, float], constant: float, near: list[float], far: list[float]) -> bool:
    """Whether the score surely stays within the limits, given its moving terms at both ends of a span."""
    low, high = constant - _SLACK, constant + _SLACK
    for place, one in enumerate(near):
        other = far[place]
        if one < other:
            low += one
            high += other
        else:
            low += other
            high += one
    return limits[0] <= low and high < limits[1]


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
    if _stays(limits, constant, near_terms, far_terms):
        return None
    if stop - start == 1:
        return None if leave <= constant + math.fsum(far_terms) < enter else stop
    middle = (start + stop) // 2
    centre = (middle, scorer.terms(summary, middle * HOUR_MS))
    found = _first(scorer, summary, near, centre, limits)
    if found is not None:
        return found
    return _first(scorer, summary, centre, far, limits)
