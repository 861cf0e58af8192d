"""In which segment a customer must be, the slow way: every condition answered from all touchpoints, at one instant.

When silence ends a segment is found by trying every instant at which any condition could change its answer.
"""

from collections.abc import Iterable
from itertools import pairwise

from journey_stream.churn.score import Scorer
from journey_stream.events.log import TouchpointRecord
from journey_stream.journey.model import ANY, Model
from journey_stream.journey.segments import (
    BANDS,
    Condition,
    Counted,
    Elapsed,
    InBand,
    InStage,
    Returned,
    Scored,
    Unfollowed,
)
from journey_stream.journey.where import Where
from tests.support.oracle import is_of_kind, meets


class SegmentOracle:
    """One profile whose admissible touchpoints are `records`, in the stage and band that it was told to be in."""

    def __init__(
        self, model: Model, scorer: Scorer, records: Iterable[TouchpointRecord], stage: str | None, band: str | None
    ) -> None:
        self.model, self.scorer, self.stage, self.band = model, scorer, stage, band
        once = {r.event_id: r for r in records}.values()
        self.records = sorted(once, key=lambda r: (r.occurred_at, r.event_id))

    def segment(self, at: int) -> str | None:
        """The segment at an instant (ms), if nothing has happened since the last touchpoint."""
        for segment in self.model.segments if self.records or self.stage is not None else ():
            if any(all(self._holds(one, at) for one in clause) for clause in segment.clauses):
                return segment.id
        return None

    def next_change(self, at: int) -> int | None:
        """The first instant later than `at` at which silence alone has brought another segment."""
        lengths = {0}
        for segment in self.model.segments:
            for condition in (one for clause in segment.clauses for one in clause):
                for name in ("length_ms", "for_ms", "within_ms"):
                    lengths.add(getattr(condition, name, 0))
        if self.scorer.parameters.rfm is not None:
            lengths |= set(self.scorer.parameters.rfm.recency)
        now = self.segment(at)
        instants = sorted({r.occurred_at + length for r in self.records for length in lengths})
        return next((one for one in instants if one > at and self.segment(one) != now), None)

    def rfm(self, at: int) -> tuple[int, int, int | None] | None:
        """Recency, frequency and monetary value at an instant."""
        rfm, parameters = self.scorer.parameters.rfm, self.scorer.parameters
        bought = [r for r in self.records if is_of_kind(parameters.kinds, parameters.event, r)]
        if rfm is None or not bought:
            return None
        occasions = len({r.occurred_at // parameters.occasion_ms for r in bought})
        spent = sum(max(0.0, r.value or 0.0) for r in bought)
        silence = at - bought[-1].occurred_at
        return (
            5 - sum(silence >= cut for cut in rfm.recency),
            1 + sum(occasions > cut for cut in rfm.frequency),
            None if rfm.monetary is None else 1 + sum(spent > cut for cut in rfm.monetary),
        )

    def _holds(self, condition: Condition, at: int) -> bool:
        match condition:
            case InStage(stages):
                return self.stage in [self.model.stages[index].id for index in stages]
            case InBand(bands):
                return self.band in [BANDS[index] for index in bands]
            case Scored(score, low, high):
                found = self.rfm(at)
                value = None if found is None else found[("recency", "frequency", "monetary").index(score)]
                return value is not None and low <= value <= high
            case Counted(kind, where, least, negated):
                return (len(self._times(kind, where)) >= least) is not negated
            case Elapsed(kind, where, mark, length_ms, negated):
                times = self._times(kind, where)
                return bool(times) and (at - times[0 if mark == "first" else -1] >= length_ms) is negated
            case Unfollowed(kind, where, by, for_ms):
                times = self._times(kind, where)
                followed = any(times and one >= times[-1] for one in self._times(by, ()))
                return bool(times) and not followed and at - times[-1] >= for_ms
            case Returned(kind, where, pause_ms, within_ms):
                times = self._times(kind, where)
                back = [after for before, after in pairwise(times) if after - before >= pause_ms]
                return bool(back) and at - back[-1] < within_ms

    def _times(self, kind: str, where: tuple[Where, ...]) -> list[int]:
        return [
            r.occurred_at
            for r in self.records
            if (kind == ANY or is_of_kind(self.model.kinds, kind, r)) and all(meets(one, r) for one in where)
        ]
