"""Conditions on the fields of a touchpoint, as functions."""

import operator
from collections.abc import Callable
from typing import Any

from journey_stream.engine.touches import Fact, Touch
from journey_stream.events.log import TouchpointRecord
from journey_stream.journey.model import Where

Holds = Callable[[Touch], bool]

_TEXT_MAX = 512
_INT_MAX = 1 << 63

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gte": operator.ge,
    "gt": operator.gt,
    "lte": operator.le,
    "lt": operator.lt,
}


def fact_of(record: TouchpointRecord, field: str) -> tuple[bool, Fact]:
    """Whether a touchpoint has the field, and its value.

    A value that no condition can compare (an object, a list, a text of more than 512 characters) is present but None,
    so that a profile's state stays small.
    """
    value: Any
    if field.startswith("properties."):
        value = record.properties
        for part in field.split(".")[1:]:
            value = value.get(part) if isinstance(value, dict) else None
    else:
        value = getattr(record, field)
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
    return lambda touch: all(holds(touch) for holds in conditions)


def any_of(alternatives: list[Holds | None]) -> Holds | None:
    """One of the alternatives, of which None is always true."""
    conditions = [holds for holds in alternatives if holds is not None]
    if len(conditions) < len(alternatives):
        return None
    if len(conditions) == 1:
        return conditions[0]
    return lambda touch: any(holds(touch) for holds in conditions)


def both(first: Holds | None, second: Holds | None) -> Holds | None:
    """Both conditions, of which None is always true."""
    if first is None or second is None:
        return first or second
    return lambda touch: first(touch) and second(touch)


def _condition(where: Where) -> Holds:
    field, op, wanted = where.field, where.op, where.value
    if field in {"channel", "type"}:
        return lambda touch: _compare(op, getattr(touch, field), wanted)

    def holds(touch: Touch) -> bool:
        facts = touch.facts
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
