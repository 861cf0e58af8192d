"""Why a score is what it is: what each fact contributes, in words and numbers."""

from typing import NamedTuple

from journey_stream.churn.bands import BANDS
from journey_stream.churn.bgnbd import logistic
from journey_stream.churn.features import features
from journey_stream.churn.parameters import FEATURES
from journey_stream.churn.score import Scorer
from journey_stream.churn.summary import Summary
from journey_stream.events.times import DAY_MS, HOUR_MS

DIGITS = 4
"""Of published numbers: more than they deserve, few enough to be the same on every machine."""

FROM_FIRST = frozenset({"pace", "once", "basket"})
"""The features whose `since` is the first purchase; that of the others is the last."""


class Contribution(NamedTuple):
    """One fact: positive `log_odds` raise the risk above that of a typical customer. `since` in ms since the epoch."""

    factor: str
    log_odds: float
    text: str
    since: int


class Risk(NamedTuple):
    """A score with its reasons, the weightiest first; `typical` log-odds plus all contributions are its log-odds."""

    probability: float
    band: int
    typical: float
    contributions: tuple[Contribution, ...]

    @property
    def band_name(self) -> str:
        return BANDS[self.band]


def assess(scorer: Scorer, summary: Summary, at: int, band: int | None) -> Risk:
    """The risk at an instant of a customer who was in `band` before, or in none."""
    score = scorer.score(summary, at)
    found = [*_facts(scorer, summary, at), *_signals(scorer, summary, at)]
    found.sort(key=lambda one: (-abs(one.log_odds), one.factor))
    return Risk(
        round(logistic(score), DIGITS),
        scorer.bands.next(band, score),
        round(scorer.typical, DIGITS),
        tuple(found),
    )


def _facts(scorer: Scorer, summary: Summary, at: int) -> list[Contribution]:
    parameters = scorer.parameters
    unit_ms = parameters.unit_ms
    x, age, window = summary.repeats, (at - summary.first) / unit_ms, parameters.window_ms / unit_ms
    values = features(parameters.bgnbd, x, (summary.last - summary.first) / unit_ms, age, window, summary.spent)
    lived, silent = say_span(at - summary.first), say_span(at - summary.last)
    back = -100.0 * (logistic(values.pace) - 1.0)
    event = parameters.event
    away = 100.0 * logistic(values.model)
    lasting = say_span(parameters.window_ms)
    texts = (
        f"BG/NBD alone: {away:.0f} % likely to stay away for {lasting}",
        f"{event} {_times(x + 1)} within {lived}: at this pace {back:.0f} % are back within the window if still active",
        f"{100.0 * values.active:.0f} % likely to be still active after {silent} of silence",
        f"only one {event} so far" if not x else f"came back after the first {event}",
        f"silent for {silent} of {lived}",
        f"spent {summary.spent / (x + 1):.2f} each time",
    )
    weights = parameters.recalibration.weights
    return [
        Contribution(
            name,
            round(one.weight * (value - one.typical), DIGITS),
            text,
            summary.first if name in FROM_FIRST else summary.last,
        )
        for name, one, value, text in zip(FEATURES, weights, values, texts, strict=True)
    ]


def _signals(scorer: Scorer, summary: Summary, at: int) -> list[Contribution]:
    found: list[Contribution] = []
    for name, last in (summary.signals or {}).items():
        signal = scorer.signals.get(name)
        if signal is not None:
            weight = signal.weight * 0.5 ** ((at - last) / signal.half_life_ms)
            found.append(Contribution(name, round(weight, DIGITS), f"{signal.text} {say_span(at - last)} ago", last))
    return found


def _times(count: int) -> str:
    return "once" if count == 1 else f"on {count} occasions"


def say_span(length_ms: int) -> str:
    """`3 days`, `5 hours`, `less than an hour`."""
    if length_ms < HOUR_MS:
        return "less than an hour"
    count, unit = (length_ms // DAY_MS, "day") if length_ms >= DAY_MS else (length_ms // HOUR_MS, "hour")
    return f"{count} {unit}" + ("" if count == 1 else "s")
