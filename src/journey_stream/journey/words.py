"""Rules and segments in words, for the tables of the documentation and for rules whose author wrote no text."""

from collections.abc import Sequence

from journey_stream.journey.durations import format_duration
from journey_stream.journey.model import ANY, Atom, Inactivity, Rule
from journey_stream.journey.segments import (
    BANDS,
    RFM_MAX,
    RFM_MIN,
    Condition,
    Counted,
    Elapsed,
    InBand,
    InStage,
    Returned,
    Scored,
    Segment,
    Unfollowed,
)
from journey_stream.journey.where import Where

_SIGNS = {"eq": "=", "ne": "≠", "gte": "≥", "gt": ">", "lte": "≤", "lt": "<"}


def say_rule(rule: Rule) -> str:
    """The condition of a rule: `3 times browse within 7d, or purchase`."""
    return ", or ".join(" and ".join(say_atom(atom) for atom in clause) for clause in rule.clauses)


def say_inactivity(silence: Inactivity) -> str:
    """`no purchase (value ≥ 10) for 30d`."""
    return f"no {_say_kind(silence.kind)}{_say_conditions(silence.where)} for {format_duration(silence.nothing_for_ms)}"


def say_atom(atom: Atom) -> str:
    times = f"{atom.count} times " if atom.count > 1 else ""
    window = f" within {format_duration(atom.within_ms)}" if atom.within_ms is not None else ""
    return f"{times}{_say_kind(atom.kind)}{_say_conditions(atom.where)}{window}"


def say_segment(segment: Segment, stages: Sequence[str]) -> str:
    """`at least 3 purchase and last purchase less than 60d ago, or in stage advocacy`."""
    return ", or ".join(" and ".join(_say_condition(one, stages) for one in clause) for clause in segment.clauses)


def _say_condition(condition: Condition, stages: Sequence[str]) -> str:
    match condition:
        case InStage(indices):
            return f"in stage {' or '.join(stages[index] for index in sorted(indices))}"
        case InBand(bands):
            return f"churn risk {' or '.join(BANDS[band] for band in sorted(bands))}"
        case Scored(score, low, high):
            return f"{score} {_say_range(low, high)}"
    kind = f"{_say_kind(condition.kind)}{_say_conditions(condition.where)}"
    match condition:
        case Counted(least=1, negated=negated):
            return f"{'no' if negated else 'any'} {kind} so far"
        case Counted(least=least, negated=negated):
            return f"at most {least - 1} {kind}" if negated else f"at least {least} {kind}"
        case Elapsed(mark=mark, length_ms=length_ms, negated=negated):
            return f"{mark} {kind} {'at least' if negated else 'less than'} {format_duration(length_ms)} ago"
        case Unfollowed(by=by, for_ms=for_ms):
            return f"no {_say_kind(by)} since the last {kind}, {format_duration(for_ms)} ago or longer"
        case Returned(pause_ms=pause_ms, within_ms=within_ms):
            pause, within = format_duration(pause_ms), format_duration(within_ms)
            return f"{kind} again after {pause} or more without, less than {within} ago"


def _say_range(low: int, high: int) -> str:
    if low == high:
        return str(low)
    if high == RFM_MAX:
        return f"≥ {low}"
    return f"≤ {high}" if low == RFM_MIN else f"{low} to {high}"


def say_where(where: Where) -> str:
    if isinstance(where.value, tuple):
        return f"{where.field} in {', '.join(str(value) for value in where.value)}"
    if where.op == "exists":
        return f"{where.field} is {'present' if where.value else 'absent'}"
    return f"{where.field} {_SIGNS[where.op]} {where.value}"


def _say_kind(kind: str) -> str:
    return "touchpoint" if kind == ANY else kind


def _say_conditions(conditions: tuple[Where, ...]) -> str:
    return f" ({', '.join(say_where(one) for one in conditions)})" if conditions else ""
