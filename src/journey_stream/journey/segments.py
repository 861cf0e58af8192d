"""Segments as frozen values: conditions on what a customer has done, where they are, and how they score.

Every condition holds over one span of time while nothing happens, and its ends are known in advance.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from journey_stream.journey.durations import format_duration
from journey_stream.journey.where import Where, where_behaviour, where_document

BANDS = ("low", "medium", "high", "critical")
"""The bands of churn risk."""

RFM_MIN, RFM_MAX = 1, 5

Mark = Literal["first", "last"]
Score = Literal["recency", "frequency", "monetary"]


@dataclass(frozen=True, slots=True)
class Counted:
    """There have been `least` touchpoints of `kind` that meet every `where`, or more; fewer than that if `negated`."""

    kind: str
    where: tuple[Where, ...]
    least: int
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Elapsed:
    """The first or last touchpoint of `kind` is less than `length_ms` ago; or at least that long ago if `negated`.

    Neither holds where there has been none.
    """

    kind: str
    where: tuple[Where, ...]
    mark: Mark
    length_ms: int
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Unfollowed:
    """`for_ms` have passed since the last touchpoint of `kind`, and none of the kind `by` has come since."""

    kind: str
    where: tuple[Where, ...]
    by: str
    for_ms: int


@dataclass(frozen=True, slots=True)
class Returned:
    """Less than `within_ms` ago there was a touchpoint of `kind`, the first one after at least `pause_ms` without."""

    kind: str
    where: tuple[Where, ...]
    pause_ms: int
    within_ms: int


@dataclass(frozen=True, slots=True)
class InStage:
    """The customer is in one of these stages."""

    stages: frozenset[int]


@dataclass(frozen=True, slots=True)
class InBand:
    """The customer's churn risk is in one of these bands (indices of BANDS); nobody is where it is not scored."""

    bands: frozenset[int]


@dataclass(frozen=True, slots=True)
class Scored:
    """An RFM score is one of `low` to `high`; nobody has one where it is not scored."""

    score: Score
    low: int
    high: int


Condition = Counted | Elapsed | Unfollowed | Returned | InStage | InBand | Scored


@dataclass(frozen=True, slots=True)
class Segment:
    """A customer is in the first segment of the model of which every condition of one clause holds."""

    id: str
    meaning: str
    clauses: tuple[tuple[Condition, ...], ...]


def kinds_of(condition: Condition) -> tuple[tuple[str, tuple[Where, ...]], ...]:
    """The touchpoints that the condition depends on: kinds, and what they have to meet."""
    if isinstance(condition, InStage | InBand | Scored):
        return ()
    own = (condition.kind, condition.where)
    return (own, (condition.by, ())) if isinstance(condition, Unfollowed) else (own,)


def behaviour(segments: Iterable[Segment]) -> list[Any]:
    """All that decides who is in which segment, as plain lists; meanings are left out."""
    return [[one.id, [[_behaviour(part) for part in clause] for clause in one.clauses]] for one in segments]


def document(segment: Segment, stages: list[str]) -> dict[str, Any]:
    """As a model file holds it."""
    clauses = [{"all": [_document(part, stages) for part in clause]} for clause in segment.clauses]
    return {"id": segment.id, "meaning": segment.meaning, "when": {"any": clauses}}


def _behaviour(condition: Condition) -> list[Any]:
    match condition:
        case Counted(kind, where, least, negated):
            return ["count", kind, where_behaviour(where), least, negated]
        case Elapsed(kind, where, mark, length_ms, negated):
            return ["elapsed", kind, where_behaviour(where), mark, length_ms, negated]
        case Unfollowed(kind, where, by, for_ms):
            return ["unfollowed", kind, where_behaviour(where), by, for_ms]
        case Returned(kind, where, pause_ms, within_ms):
            return ["returned", kind, where_behaviour(where), pause_ms, within_ms]
        case InStage(stages):
            return ["stage", sorted(stages)]
        case InBand(bands):
            return ["risk", sorted(bands)]
        case Scored(score, low, high):
            return ["rfm", score, low, high]


def _document(condition: Condition, stages: list[str]) -> dict[str, Any]:
    match condition:
        case InStage(indices):
            return {"stage": [stages[index] for index in sorted(indices)]}
        case InBand(bands):
            return {"risk": [BANDS[band] for band in sorted(bands)]}
        case Scored(score, low, high):
            return {"rfm": {score: {"gte": low, "lte": high}}}
        case Counted(least=least, negated=negated):
            own: dict[str, Any] = {"at_most": least - 1} if negated else {"at_least": least}
        case Elapsed(mark=mark, length_ms=length_ms, negated=negated):
            own = {ELAPSED_FIELDS[mark, negated]: format_duration(length_ms)}
        case Unfollowed(by=by, for_ms=for_ms):
            own = {"not_followed_by": by, "for": format_duration(for_ms)}
        case Returned(pause_ms=pause_ms, within_ms=within_ms):
            own = {"back_after": format_duration(pause_ms), "back_within": format_duration(within_ms)}
    return {
        "touchpoint": condition.kind,
        **({"where": where_document(condition.where)} if condition.where else {}),
        **own,
    }


ELAPSED_FIELDS: dict[tuple[Mark, bool], str] = {
    ("first", False): "first_within",
    ("first", True): "known_for",
    ("last", False): "last_within",
    ("last", True): "nothing_for",
}
"""How a model file writes `Elapsed`, by mark and `negated`."""
