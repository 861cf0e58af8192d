"""When a customer in silence crosses into another band: exactly, on the grid of full hours.

A complaint decays while silence grows, so the score may fall and rise again. But each of its terms moves one way only:
its values at the ends of a span bound it within. Spans that cannot hold a crossing are passed over at once, others are
halved, the earlier half first; what is found is the first crossing, as if every hour had been tried.
"""

from typing import Final, NamedTuple

from journey_stream.churn.score import Course, Scorer, Terms, total
from journey_stream.churn.summary import Summary
from journey_stream.events.times import DAY_MS, HOUR_MS

HORIZON_MS: Final = 3_650 * DAY_MS
"""Silence changes no band any more when the last purchase or signal lies further back.

It is counted from there and from nowhere else: it must not matter to what is found from where one searches.
"""
REACHES_MS: Final = (32 * DAY_MS, 8 * DAY_MS, 2 * DAY_MS)
_SHORTEST_REACH_MS: Final = REACHES_MS[-1]
_BEYOND_REACH_MS: Final = 128 * DAY_MS
_STEPS_FURTHER: Final = 3
"""So often `look` halves what lies between the longest reach that is sure and the next one. Each halving costs a score;
what it saves are timers that ring for nothing: with these three, four fifths of them (`benchmarks.engine`)."""

_SLACK: Final = 1e-9
"""Rounding may move a term by a few units in its last place: the bounds allow for more than that."""


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
    limits = leave, enter = scorer.bands.limits(band)
    course = scorer.course(summary)
    near = course.moving(hour * HOUR_MS)
    if not leave <= course.constant + total(near) < enter:
        return _crossing(scorer, course, hour, band)
    span = 1
    while hour < last_hour:
        until_hour = min(hour + span, last_hour)
        far = course.moving(until_hour * HOUR_MS)
        found = _first(course, hour, near, until_hour, far, limits)
        if found is not None:
            return _crossing(scorer, course, found, band)
        hour, near, span = until_hour, far, span * 2
    return None


def crossing_by(scorer: Scorer, summary: Summary, after: int, until: int, band: int) -> Crossing | None:
    """`next_crossing` if it comes no later than `until`; usually one look is enough to say that it does not."""
    start, stop = full_hour_after(after), until // HOUR_MS * HOUR_MS
    if stop < start:
        return None
    course = scorer.course(summary)
    if _stays(scorer.bands.limits(band), course.constant, course.moving(start), course.moving(stop)):
        return None
    return _search(scorer, summary, after, min(until, _last_seen(summary) + HORIZON_MS), band)


def _last_seen(summary: Summary) -> int:
    """When the last touchpoint happened that concerns the score."""
    return max(summary.last, *summary.signals.values()) if summary.signals else summary.last


Look = tuple[float, int, int]
"""The score in log-odds, the band that it means, and an instant (ms) before which silence does not change it."""


def look(scorer: Scorer, summary: Summary, at: int, band: int | None, reach_ms: int = 0) -> Look:
    """Score at an instant that is not before the summary's last touchpoint, after having been in `band` or in none.

    How long it stays quiet is not searched for but bounded: the longest of a few reaches that is sure, and then some
    way towards the next longer one. That takes a few microseconds, for every touchpoint that changes the score, and a
    bound that is reached takes many: the profile is unpacked, and written again. Search with `next_crossing` when that
    time has come.

    `reach_ms` is about how long it was sure to stay quiet the last time. Most customers keep their pace, so that a
    little more or a little less than that is tried first, and saves the other tries.
    """
    course = scorer.course(summary)
    constant, near = course.constant, course.moving(at)
    score = constant + total(near)
    reached = scorer.bands.next(band, score)
    limits = scorer.bands.limits(reached)
    if _SHORTEST_REACH_MS <= reach_ms <= 2 * _BEYOND_REACH_MS:
        for guess_ms in (min(reach_ms + reach_ms // 4, _BEYOND_REACH_MS), reach_ms - reach_ms // 4):
            if _stays(limits, constant, near, course.moving(at + guess_ms)):
                return score, reached, at + guess_ms + 1
    unsure = _BEYOND_REACH_MS
    for sure in REACHES_MS:
        far = course.moving(at + sure)
        if _stays(limits, constant, near, far):
            return score, reached, _further(course, limits, at + sure, far, at + unsure) + 1
        unsure = sure
    return score, reached, full_hour_after(at)


def full_hour_after(at: int) -> int:
    """Before it, silence changes nothing: crossings lie on full hours."""
    return (at // HOUR_MS + 1) * HOUR_MS


def _further(course: Course, limits: tuple[float, float], sure: int, near: Terms, unsure: int) -> int:
    """An instant from `sure` on until which the score surely stays within the limits; `near` are the terms there."""
    for _ in range(_STEPS_FURTHER):
        middle = (sure + unsure) // 2
        far = course.moving(middle)
        if _stays(limits, course.constant, near, far):
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
    if not _SHORTEST_REACH_MS <= reach_ms <= REACHES_MS[0]:
        return None
    course = scorer.course(summary)
    until = now + reach_ms
    sure = _stays(scorer.bands.limits(band), course.constant, course.moving(after), course.moving(until))
    return until + 1 if sure else None


def _stays(limits: tuple[float, float], constant: float, near: Terms, far: Terms) -> bool:
    """Whether the score surely stays within the limits, given its moving terms at both ends of a span.

    Each term stays between its two values, so the score is no further from the middle than half of all differences.
    """
    leave, enter = limits
    a0, a1, a2, a3, a4, a5 = near
    b0, b1, b2, b3, b4, b5 = far
    middle = constant + 0.5 * (total(near) + total(far))
    apart = abs(a0 - b0) + abs(a1 - b1) + abs(a2 - b2) + abs(a3 - b3) + abs(a4 - b4) + abs(a5 - b5)
    reach = 0.5 * apart + _SLACK
    return leave <= middle - reach and middle + reach < enter


def _crossing(scorer: Scorer, course: Course, hour: int, band: int) -> Crossing:
    at = hour * HOUR_MS
    return Crossing(at, scorer.bands.next(band, course.score(at)))


def _first(course: Course, start: int, near: Terms, stop: int, far: Terms, limits: tuple[float, float]) -> int | None:
    """The first hour after `start` and up to `stop` whose score is outside of the limits; that of `start` is inside.

    `near` and `far` are the moving terms at both.
    """
    if _stays(limits, course.constant, near, far):
        return None
    if stop - start == 1:
        leave, enter = limits
        return None if leave <= course.constant + total(far) < enter else stop
    middle = (start + stop) // 2
    centre = course.moving(middle * HOUR_MS)
    found = _first(course, start, near, middle, centre, limits)
    if found is not None:
        return found
    return _first(course, middle, centre, stop, far, limits)
