"""What the history of churn risk must be, the slow way: all touchpoints at once, every full hour of silence tried.

It shares the closed form of the score and the thresholds of the bands with the engine and nothing else: no bounds, no
search, no timers, no summary that is carried along.
"""

from collections.abc import Iterable
from typing import NamedTuple

from journey_stream.churn.bands import BANDS
from journey_stream.churn.score import Scorer
from journey_stream.churn.summary import Summary
from journey_stream.events.log import TouchpointRecord
from journey_stream.events.times import HOUR_MS
from tests.support.oracle import is_of_kind


class RiskEntry(NamedTuple):
    """One change of band of the true history."""

    at: int
    before: str | None
    after: str
    probability: float
    cause: str
    evidence: tuple[str, ...]
    signals: tuple[str, ...]


def true_risks(scorer: Scorer, records: Iterable[TouchpointRecord], as_of: int) -> list[RiskEntry]:
    """The risk history of one profile whose admissible touchpoints are `records`, decided up to `as_of` (ms)."""
    parameters = scorer.parameters
    concerning = [
        record
        for record in sorted({r.event_id: r for r in records}.values(), key=lambda r: (r.occurred_at, r.event_id))
        if any(is_of_kind(parameters.kinds, kind, record) for kind in _kinds(scorer))
    ]
    history: list[RiskEntry] = []
    band: int | None = None
    for number, record in enumerate(concerning, start=1):
        end = concerning[number].occurred_at if number < len(concerning) else as_of + 1
        found = _summary(scorer, concerning[:number])
        if found is None:
            continue
        summary, last_id = found
        at = record.occurred_at
        looks = [(at, "touchpoint", record.event_id)]
        looks += [(hour, "timer", last_id) for hour in range((at // HOUR_MS + 1) * HOUR_MS, end, HOUR_MS)]
        for instant, cause, evidence in looks:
            reached = scorer.bands.next(band, scorer.score(summary, instant))
            if reached != band:
                history.append(
                    RiskEntry(
                        instant,
                        None if band is None else BANDS[band],
                        BANDS[reached],
                        round(scorer.probability(summary, instant), 4),
                        cause,
                        (evidence,),
                        tuple(sorted(summary.signals or {})),
                    )
                )
                band = reached
    return history


def _kinds(scorer: Scorer) -> set[str]:
    return {scorer.parameters.event, *(signal.kind for signal in scorer.parameters.signals)}


def summary_of(scorer: Scorer, records: Iterable[TouchpointRecord]) -> Summary | None:
    """What is known after these touchpoints; None before the first event."""
    found = _summary(scorer, sorted(records, key=lambda r: (r.occurred_at, r.event_id)))
    return None if found is None else found[0]


def _summary(scorer: Scorer, records: list[TouchpointRecord]) -> tuple[Summary, str] | None:
    """What is known after these touchpoints, and the event id of the last event; None before the first event."""
    parameters = scorer.parameters
    events = [r for r in records if is_of_kind(parameters.kinds, parameters.event, r)]
    if not events:
        return None
    occasions = {r.occurred_at // parameters.occasion_ms for r in events}
    signals = {
        signal.id: r.occurred_at
        for r in records
        for signal in parameters.signals
        if is_of_kind(parameters.kinds, signal.kind, r)
    }
    spent = 0.0
    for r in events:
        spent += max(0.0, r.value or 0.0)
    first, last = events[0], events[-1]
    return Summary(first.occurred_at, last.occurred_at, len(occasions) - 1, spent, signals or None), last.event_id
