"""Why a score is what it is: what each fact contributes, in words and numbers."""

import math
from typing import Final, NamedTuple

from journey_stream.churn.bands import BANDS
from journey_stream.churn.bgnbd import logistic
from journey_stream.churn.features import features
from journey_stream.churn.score import Scorer
from journey_stream.churn.summary import Summary
from journey_stream.events.decisions import RiskContribution
from journey_stream.events.times import DAY_MS, HOUR_MS, rfc3339

DIGITS: Final = 4
"""Of published numbers: more than they deserve, few enough to be the same on every machine."""

_SCALE: Final = 1e4
_SCALED_MAX: Final = 1e9
_TOO_CLOSE: Final = 1e-6
"""Far more than rounding can have added to a number below _SCALED_MAX."""


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
    parameters, weights, typical = scorer.parameters, scorer.weights, scorer.typical_values
    unit_ms, event = scorer.unit_ms, parameters.event
    first, last, x, spent = summary.first, summary.last, summary.repeats, summary.spent
    model, pace, active, once, quiet, basket = features(
        parameters.bgnbd, x, (last - first) / unit_ms, (at - first) / unit_ms, scorer.window, spent
    )
    lived, silent = say_span(at - first), say_span(at - last)
    away, back, still = say_percent(logistic(model)), say_percent(1.0 - logistic(pace)), say_percent(active)
    # An f-string with a format costs compiled code a call of str.format.
    each = "spent %.2f each time" % (spent / (x + 1))
    since_first, since_last = rfc3339(first), rfc3339(last)
    return [
        RiskContribution(
            "model",
            rounded(weights[0] * (model - typical[0])),
            f"BG/NBD alone: {away} likely to stay away for {say_span(parameters.window_ms)}",
            since_last,
            from_last,
        ),
        RiskContribution(
            "pace",
            rounded(weights[1] * (pace - typical[1])),
            f"{event} {_times(x + 1)} within {lived}: at this pace {back} are back within the window if still active",
            since_first,
            from_first,
        ),
        RiskContribution(
            "active",
            rounded(weights[2] * (active - typical[2])),
            f"{still} likely to be still active after {silent} of silence",
            since_last,
            from_last,
        ),
        RiskContribution(
            "once",
            rounded(weights[3] * (once - typical[3])),
            f"came back after the first {event}" if x else f"only one {event} so far",
            since_first,
            from_first,
        ),
        RiskContribution(
            "quiet",
            rounded(weights[4] * (quiet - typical[4])),
            f"silent for {silent} of {lived}",
            since_last,
            from_last,
        ),
        RiskContribution("basket", rounded(weights[5] * (basket - typical[5])), each, since_first, from_first),
    ]


def _signals(
    scorer: Scorer, signals: dict[str, int], at: int, last_id: str, signal_ids: dict[str, str]
) -> list[RiskContribution]:
    found: list[RiskContribution] = []
    for name, seen in signals.items():
        signal = scorer.signals.get(name)
        if signal is not None:
            log_odds = rounded(signal.weight * 0.5 ** ((at - seen) / signal.half_life_ms))
            text = f"{signal.text} {say_span(at - seen)} ago"
            found.append(RiskContribution(name, log_odds, text, rfc3339(seen), (signal_ids.get(name, last_id),)))
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
    percent = 100.0 * share
    whole = math.floor(percent + 0.5)
    if whole - percent == 0.5:
        whole = round(percent)  # a tie, which goes to the even number
    return f"{whole} %"
