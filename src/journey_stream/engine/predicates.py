"""Conditions on the fields of a touchpoint, as functions."""

import operator
from collections.abc import Callable, Iterable
from typing import Any

from journey_stream.engine.touches import Fact, Facts
from journey_stream.events.body import Body, properties_of
from journey_stream.events.records import Content
from journey_stream.journey.model import Pattern
from journey_stream.journey.where import Where

Holds = Callable[[Facts | None], bool]
"""A condition on the facts of a touchpoint; None stands for no facts."""

_TEXT_MAX = 512
_TEXTS = frozenset({"campaign", "channel", "type"})
_INT_MAX = 1 << 63
_DECIDED = frozenset({"channel", "type"})

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gte": operator.ge,
    "gt": operator.gt,
    "lte": operator.le,
    "lt": operator.lt,
}


def facts_of(content: Content, fields: Iterable[str]) -> Facts | None:
    """Those of the fields that a touchpoint has; None for none."""
    found = [(field, fact_of(content, field)) for field in fields]
    return {field: fact for field, (present, fact) in found if present} or None


def fact_of(content: Content, field: str) -> tuple[bool, Fact]:
    """Whether a touchpoint has the field, and its value.

    A value that no condition can compare (an object, a list, a text of more than 512 characters) is present but None,
    so that a profile's state stays small.
    """
    value: Any
    if field.startswith("properties."):
        value = properties_of(content) if isinstance(content, Body) else content.properties
        for part in field.split(".")[1:]:
            value = value.get(part) if isinstance(value, dict) else None
    else:
        value = getattr(content, field)
        if field in _TEXTS and isinstance(value, int):
            value = str(value)
    if value is None:
        return False, None
    if isinstance(value, str):
        return True, value if len(value) <= _TEXT_MAX else None
    if isinstance(value, int) and not -_INT_MAX <= value < _INT_MAX:
        try:
            return True, float(value)
        except OverflowError:
            return True, None
    return True, value if isinstance(value, bool | int | float) else None


def holds_all(where: tuple[Where, ...]) -> Holds | None:
    """All conditions at once; None when there are none."""
    conditions = [_condition(w) for w in where]
    if not conditions:
        return None
    if len(conditions) == 1:
        return conditions[0]
    return lambda facts: all(holds(facts) for holds in conditions)


def any_of(alternatives: list[Holds | None]) -> Holds | None:
    """One of the alternatives, of which None always holds."""
    conditions = [holds for holds in alternatives if holds is not None]
    if len(conditions) < len(alternatives):
        return None
    if len(conditions) == 1:
        return conditions[0]
    return lambda facts: any(holds(facts) for holds in conditions)


def both(first: Holds | None, second: Holds | None) -> Holds | None:
    """Both conditions, of which None is always true."""
    if first is None or second is None:
        return first or second
    return lambda facts: first(facts) and second(facts)


def may_match(pattern: Pattern, channel: str, type_: str) -> bool:
    """Whether touchpoints of this channel and type match if they meet the conditions that are left open."""
    return (
        (pattern.channels is None or channel in pattern.channels)
        and (pattern.types is None or type_ in pattern.types)
        and may_meet(pattern.where, channel, type_)
    )


def may_meet(where: tuple[Where, ...], channel: str, type_: str) -> bool:
    """Whether the conditions on channel and type, which are decided here once and for all, hold."""
    holds = holds_all(tuple(w for w in where if w.field in _DECIDED))
    return holds is None or holds({"channel": channel, "type": type_})


def left_open(where: tuple[Where, ...]) -> tuple[Where, ...]:
    """The conditions that every touchpoint of a channel and type decides anew."""
    return tuple(w for w in where if w.field not in _DECIDED)


def _condition(where: Where) -> Holds:
    field, op, wanted = where.field, where.op, where.value

    def holds(facts: Facts | None) -> bool:
        present = facts is not None and field in facts
        if op == "exists":
            return present is bool(wanted)
        return present and facts is not None and _compare(op, facts[field], wanted)

    return holds


def _compare(op: str, found: Fact, wanted: Any) -> bool:
    if found is None:
        return False
    if op == "in":
        return any(_same(found, one) for one in wanted)
    if op == "eq":
        return _same(found, wanted)
    if op == "ne":
        return not _same(found, wanted)
    if op == "exists":
        return bool(wanted)
    if isinstance(found, str) is not isinstance(wanted, str) or isinstance(found, bool):
        return False
    return _COMPARE[op](found, wanted)


def _same(found: Fact, wanted: Any) -> bool:
    # True equals 1 in Python, but a rule that asks for 1 does not mean true.
    return isinstance(found, bool) is isinstance(wanted, bool) and found == wanted
