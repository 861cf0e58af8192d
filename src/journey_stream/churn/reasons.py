"""Why a score is what it is: what each fact contributes, in words and numbers."""

import math
from typing import Final, NamedTuple

from journey_stream.churn.bands import BANDS
from journey_stream.churn.bgnbd import logistic
from journey_stream.churn.features import features
from journey_stream.churn.parameters import FEATURES
from journey_stream.churn.score import Scorer
from journey_stream.churn.summary import Summary
from journey_stream.events.decisions import RiskContribution
from journey_stream.events.times import DAY_MS, HOUR_MS

DIGITS: Final = 4
"""Of published numbers: more than they deserve, few enough to be the same on every machine."""

_SCALE: Final = 1e4
_SCALED_MAX: Final = 1e9
_TOO_CLOSE: Final = 1e-6
"""Far more than rounding can have added to a number below _SCALED_MAX."""

FROM_FIRST = frozenset({"pace", "once", "basket"})
"""The features whose `since` is the first purchase; that of the others is the last."""


class Risk(NamedTuple):
    """A score with its reasons, the weightiest first; `typical` log-odds plus all contributions are its log-odds."""

    probability: float
    band: int
    typical: float
    contributions: tuple[RiskContribution, ...]

    @property
    def band_name(self) -> str:
        return BANDS[self.band]


def assess(
    scorer: Scorer,
    summary: Summary,
    at: int,
    band: int | None,
    first_id: str = "",
    last_id: str = "",
    signal_ids: dict[str, str] | None = None,
) -> Risk:
    """The risk at an instant of a customer who was in `band` before, or in none.

    The ids are those of the touchpoints that the summary speaks of, to be named as evidence.
    """
    score = scorer.score(summary, at)
    found = _facts(scorer, summary, at, (first_id,), (last_id,))
    if summary.signals:
        found += _signals(scorer, summary.signals, at, last_id, signal_ids or {})
    ranks = [(-abs(one.log_odds), one.factor, place) for place, one in enumerate(found)]
    ranks.sort()
    return Risk(
        rounded(logistic(score)),
        scorer.bands.next(band, score),
        rounded(scorer.typical),
        tuple([found[place] for _, _, place in ranks]),
    )


def _facts(
    scorer: Scorer, summary: Summary, at: int, from_first: tuple[str], from_last: tuple[str]
) -> list[RiskContribution]:
    parameters = scorer.parameters
    unit_ms, window_ms, event = parameters.unit_ms, parameters.window_ms, parameters.event
    first, last, x = summary.first, summary.last, summary.repeats
    spent_each = summary.spent / (x + 1)
    values = features(
        parameters.bgnbd, x, (last - first) / unit_ms, (at - first) / unit_ms, window_ms / unit_ms, summary.spent
    )
    lived, silent = say_span(at - first), say_span(at - last)
    away = say_percent(logistic(values.model))
    back = say_percent(1.0 - logistic(values.pace))
    texts = (
        f"BG/NBD alone: {away} likely to stay away for {say_span(window_ms)}",
        f"{event} {_times(x + 1)} within {lived}: at this pace {back} are back within the window if still active",
        f"{say_percent(values.active)} likely to be still active after {silent} of silence",
        f"came back after the first {event}" if x else f"only one {event} so far",
        f"silent for {silent} of {lived}",
        "spent %.2f each time" % spent_each,  # noqa: UP031 -- an f-string with a format costs compiled code a call of str.format
    )
    found: list[RiskContribution] = []
    for place, one in enumerate(parameters.recalibration.weights):
        name = FEATURES[place]
        log_odds = rounded(one.weight * (values[place] - one.typical))
        if name in FROM_FIRST:
            found.append(RiskContribution(name, log_odds, texts[place], first, from_first))
        else:
            found.append(RiskContribution(name, log_odds, texts[place], last, from_last))
    return found


def _signals(
    scorer: Scorer, signals: dict[str, int], at: int, last_id: str, signal_ids: dict[str, str]
) -> list[RiskContribution]:
    found: list[RiskContribution] = []
    for name, seen in signals.items():
        signal = scorer.signals.get(name)
        if signal is not None:
            log_odds = rounded(signal.weight * 0.5 ** ((at - seen) / signal.half_life_ms))
            text = f"{signal.text} {say_span(at - seen)} ago"
            found.append(RiskContribution(name, log_odds, text, seen, (signal_ids.get(name, last_id),)))
    return found


def rounded(value: float) -> float:
    """`round(value, DIGITS)`, which goes over text. It is left to decide only what is close to the middle or to 0."""
    scaled = value * _SCALE
    if not 0.5 < abs(scaled) < _SCALED_MAX:
        return round(value, DIGITS)
    whole = math.floor(scaled + 0.5)
    if abs(abs(scaled - whole) - 0.5) < _TOO_CLOSE:
        return round(value, DIGITS)
    return whole / _SCALE


def _times(count: int) -> str:
    return "once" if count == 1 else f"on {count} occasions"


def say_span(length_ms: int) -> str:
    """`3 days`, `5 hours`, `less than an hour`."""
    if length_ms < HOUR_MS:
        return "less than an hour"
    count, unit = (length_ms // DAY_MS, "day") if length_ms >= DAY_MS else (length_ms // HOUR_MS, "hour")
    return f"{count} {unit}" + ("" if count == 1 else "s")


def say_percent(share: float) -> str:
    """`73 %`."""
    return f"{round(100.0 * share)} %"
