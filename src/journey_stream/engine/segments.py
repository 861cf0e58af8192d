"""In which segment a customer is, and when silence alone moves them to another.

While nothing happens, each condition holds over one span of time that is known in advance. So does a clause, and from
the spans of a few clauses follows the exact instant of the next change: nothing is tried out.
"""

from typing import Final

from journey_stream.churn.parameters import RFM_CUTS, Rfm
from journey_stream.churn.rfm import lasting
from journey_stream.churn.score import Scorer
from journey_stream.churn.summary import Summary
from journey_stream.engine.standing import Memory
from journey_stream.engine.tallies import BACK, COUNT, FIRST, TallyKey
from journey_stream.engine.touches import LONG_AGO, NEVER
from journey_stream.journey.model import Model
from journey_stream.journey.segments import (
    RFM_MAX,
    RFM_MIN,
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

NO_SEGMENT: Final = -1

Span = tuple[int, int]
"""From the first instant (ms) up to the second, which is not part of it."""

ALWAYS: Final = (LONG_AGO, NEVER)
NOT_AT_ALL: Final = (NEVER, LONG_AGO)

LastKey = tuple[str, tuple[Where, ...]]
"""A kind of touchpoint and what it has to meet: the memory of rules whose last touchpoint is read."""

# What a check looks at.
_COUNT: Final = 0
_TIME: Final = 1
_UNFOLLOWED: Final = 2
_STAGE: Final = 3
_BAND: Final = 4
_RECENCY: Final = 5
_FREQUENCY: Final = 6
_MONETARY: Final = 7
_SCORES: Final = {"recency": _RECENCY, "frequency": _FREQUENCY, "monetary": _MONETARY}

_OF_LAST: Final = -2
_OF_TALLY: Final = 0
"""Where in a memory an instant stands."""


def lasts_of(model: Model) -> list[LastKey]:
    """The memories that have to hold the last touchpoint."""
    found: list[LastKey] = []
    for condition in _conditions(model):
        if isinstance(condition, Unfollowed):
            found += [(condition.kind, condition.where), (condition.by, ())]
        elif isinstance(condition, Elapsed) and condition.mark == "last":
            found.append((condition.kind, condition.where))
    return list(dict.fromkeys(found))


def tallies_of(model: Model) -> dict[TallyKey, int]:
    """The tallies that have to be kept, each with the highest number that is counted to."""
    found: dict[TallyKey, int] = {}
    for condition in _conditions(model):
        key = _tally_key(condition)
        if key is not None:
            least = condition.least if isinstance(condition, Counted) else 0
            found[key] = max(found.get(key, 0), least)
    return found


class Segmenter:
    """The segments of a model, compiled; `lasts` and `tallies` say where in a memory to find what they need.

    `ids` are theirs. A touchpoint that feeds one of the memories `watched` may change the segment. One that feeds one
    of those in `refreshed` does so only if the last before it is at least so many ms old; else all that it can do is to
    put off a change in silence. `reads_risk` says whether a segment depends on churn risk or RFM, `reads_summary`
    whether on RFM, which only the summary of churn risk tells.
    """

    __slots__ = (
        "_lasts",
        "_rfm",
        "_scored",
        "_segments",
        "_tallies",
        "ids",
        "reads_risk",
        "reads_summary",
        "refreshed",
        "watched",
    )

    def __init__(
        self, model: Model, scorer: Scorer | None, lasts: dict[LastKey, int], tallies: dict[TallyKey, int]
    ) -> None:
        self._lasts = lasts
        self._tallies = tallies
        self._scored = scorer is not None
        self._rfm: Rfm | None = None if scorer is None else scorer.parameters.rfm
        self.ids = [segment.id for segment in model.segments]
        conditions = _conditions(model)
        self.reads_risk = any(isinstance(one, InBand | Scored) for one in conditions)
        self.reads_summary = any(isinstance(one, Scored) for one in conditions)
        self._segments = [[[self._check(one) for one in clause] for clause in s.clauses] for s in model.segments]
        self.refreshed: dict[int, int] = {}
        watched = set(tallies.values())
        for clause in [clause for clauses in self._segments for clause in clauses]:
            for check in clause:
                if check.what == _TIME and check.place == _OF_LAST and not any(one.begins for one in clause):
                    self.refreshed[check.slot] = min(check.length, self.refreshed.get(check.slot, NEVER))
                elif check.what in (_TIME, _UNFOLLOWED):
                    watched |= {check.slot, check.by} if check.what == _UNFOLLOWED else {check.slot}
        self.watched = frozenset(watched)

    def find(self, memory: Memory, stage: int, band: int, summary: Summary | None, at: int) -> tuple[int, int]:
        """The segment at an instant (ms), by its index, and the instant at which silence ends it (NEVER: it does not).

        -1 stands for no stage, no band, and no segment. Nobody is in a segment of whom nothing is remembered: all that
        there was may have turned out to be another customer's.
        """
        if not memory and stage < 0:
            return NO_SEGMENT, NEVER
        due = NEVER
        for index, clauses in enumerate(self._segments):
            ends = LONG_AGO
            ahead: list[Span] = []
            for clause in clauses:
                since, until = self._span(clause, memory, stage, band, summary)
                if since >= until or until <= at:
                    continue
                if since <= at:
                    ends = max(ends, until)
                else:
                    ahead.append((since, until))
            if ends > at:
                # Another alternative may go on where this one ends.
                for since, until in sorted(ahead):
                    if since <= ends:
                        ends = max(ends, until)
                return index, min(due, ends)
            for since, _ in ahead:
                due = min(due, since)
        return NO_SEGMENT, due

    def _span(
        self, clause: "list[_Check]", memory: Memory, stage: int, band: int, summary: Summary | None
    ) -> tuple[int, int]:
        """When all checks hold, if nothing happens."""
        since, until = LONG_AGO, NEVER
        for check in clause:
            one_since, one_until = self._span_of(check, memory, stage, band, summary)
            since = max(since, one_since)
            until = min(until, one_until)
            if since >= until:
                break
        return since, until

    def _span_of(
        self, check: "_Check", memory: Memory, stage: int, band: int, summary: Summary | None
    ) -> tuple[int, int]:
        what = check.what
        if what == _STAGE:
            return ALWAYS if stage in check.members else NOT_AT_ALL
        if what == _BAND:
            return ALWAYS if band in check.members else NOT_AT_ALL
        if what >= _RECENCY:
            return NOT_AT_ALL if summary is None or self._rfm is None else _span_of_score(check, self._rfm, summary)
        found = memory.get(check.slot)
        if what == _COUNT:
            reached = found is not None and found[0] >= check.length
            return ALWAYS if reached is not check.negated else NOT_AT_ALL
        if found is None:
            return NOT_AT_ALL
        at: int = found[check.place]
        if what == _UNFOLLOWED:
            by = memory.get(check.by)
            if by is not None and by[_OF_LAST] >= at:
                return NOT_AT_ALL
            return at + check.length, NEVER
        return (at + check.length, NEVER) if check.negated else (LONG_AGO, at + check.length)

    def _check(self, condition: Condition) -> "_Check":
        key = _tally_key(condition)
        if key is not None:
            slot = self._tallies[key]
            if isinstance(condition, Counted):
                return _Check(_COUNT, slot, condition.least, negated=condition.negated)
            if isinstance(condition, Returned):
                return _Check(_TIME, slot, condition.within_ms, place=_OF_TALLY)
            if isinstance(condition, Elapsed):
                return _Check(_TIME, slot, condition.length_ms, place=_OF_TALLY, negated=condition.negated)
        if isinstance(condition, Elapsed):
            slot = self._lasts[condition.kind, condition.where]
            return _Check(_TIME, slot, condition.length_ms, negated=condition.negated)
        if isinstance(condition, Unfollowed):
            slot = self._lasts[condition.kind, condition.where]
            return _Check(_UNFOLLOWED, slot, condition.for_ms, by=self._lasts[condition.by, ()])
        if isinstance(condition, InStage):
            return _Check(_STAGE, members=condition.stages)
        if isinstance(condition, InBand):
            return _Check(_BAND, members=condition.bands if self._scored else frozenset())
        assert isinstance(condition, Scored)
        return _Check(_SCORES[condition.score], low=condition.low, high=condition.high)


class _Check:
    """A condition, compiled; the fields that its kind does not need are zero. `begins`: silence can make it hold.

    `slot` is the memory with the instant at `place`, or with the number; `length` in ms, or the number to be reached.
    """

    __slots__ = ("begins", "by", "high", "length", "low", "members", "negated", "place", "slot", "what")

    def __init__(
        self,
        what: int,
        slot: int = 0,
        length: int = 0,
        *,
        place: int = _OF_LAST,
        by: int = 0,
        low: int = 0,
        high: int = 0,
        members: frozenset[int] = frozenset(),
        negated: bool = False,
    ) -> None:
        self.what = what
        self.slot = slot
        self.length = length
        self.place = place
        self.by = by
        self.low = low
        self.high = high
        self.members = members
        self.negated = negated
        self.begins = (what == _TIME and negated) or what == _UNFOLLOWED or (what == _RECENCY and high < RFM_MAX)


def _span_of_score(check: _Check, rfm: Rfm, summary: Summary) -> tuple[int, int]:
    if check.what == _RECENCY:
        # The score falls by one at each cut.
        since = LONG_AGO if check.high == RFM_MAX else summary.last + rfm.recency[RFM_CUTS - check.high]
        until = NEVER if check.low == RFM_MIN else summary.last + rfm.recency[RFM_MAX - check.low]
        return since, until
    frequency, monetary = lasting(rfm, summary)
    score = frequency if check.what == _FREQUENCY else monetary
    return ALWAYS if check.low <= score <= check.high else NOT_AT_ALL


def _conditions(model: Model) -> list[Condition]:
    return [condition for segment in model.segments for clause in segment.clauses for condition in clause]


def _tally_key(condition: Condition) -> TallyKey | None:
    """The tally that a condition reads; None if it reads none."""
    if isinstance(condition, Counted):
        return condition.kind, condition.where, COUNT, 0
    if isinstance(condition, Returned):
        return condition.kind, condition.where, BACK, condition.pause_ms
    if isinstance(condition, Elapsed) and condition.mark == "first":
        return condition.kind, condition.where, FIRST, 0
    return None
