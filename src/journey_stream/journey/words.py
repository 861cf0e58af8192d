"""Rules in words, for the tables of the documentation and for rules whose author wrote no text."""

from journey_stream.journey.durations import format_duration
from journey_stream.journey.model import ANY, Atom, Inactivity, Rule, Where

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
