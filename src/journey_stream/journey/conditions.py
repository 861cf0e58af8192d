"""What a file says under `when:` and `where:`.

`when` may nest all and any; rules and segments hold it in disjunctive normal form, which the engine can check clause by
clause. The size of that form is known before it is built, so that a few lines cannot unfold into millions of clauses.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Generic, TypeVar, get_args

from journey_stream.journey.cursor import Cursor, listed
from journey_stream.journey.errors import did_you_mean
from journey_stream.journey.model import Atom
from journey_stream.journey.where import Operator, Scalar, Where

CLAUSES_MAX = 64
ATOMS_MAX = 512
COUNT_MAX = 1_000
"""The engine keeps this many times for each such condition and customer."""

OPERATORS: tuple[Operator, ...] = get_args(Operator)
TEXT_LENGTH_MAX = 512
"""The engine compares no longer texts."""

TEXT_FIELDS = ("currency", "campaign", "channel", "type")
FIELDS = ("value", *TEXT_FIELDS, "properties.NAME")
_SIGNS = {"=": "eq", "==": "eq", "!=": "ne", "<>": "ne", ">=": "gte", ">": "gt", "<=": "lte", "<": "lt"}
_PROPERTY = re.compile(r"properties(\.[^.\s]+)+")

T = TypeVar("T")
Clauses = tuple[tuple[T, ...], ...]


@dataclass(frozen=True, slots=True)
class AllOf(Generic[T]):
    """All of these conditions at once."""

    parts: "tuple[T | AllOf[T] | AnyOf[T], ...]"


@dataclass(frozen=True, slots=True)
class AnyOf(Generic[T]):
    """At least one of these conditions."""

    parts: "tuple[T | AllOf[T] | AnyOf[T], ...]"


def read_when(cursor: Cursor, kinds: Sequence[str]) -> Clauses[Atom] | None:
    """The clauses of a rule's `when`; None after a mistake."""
    return read_clauses(cursor, lambda leaf: _read_atom(leaf, kinds), "split it into several rules")


def read_clauses(
    cursor: Cursor, read_leaf: Callable[[Cursor], T | AllOf[T] | AnyOf[T] | None], hint: str
) -> Clauses[T] | None:
    """Conditions under any nesting of all and any, as alternatives; `read_leaf` reads what is neither.

    None after a mistake. `hint` says what to do about too many alternatives.
    """
    condition = _read_condition(cursor, read_leaf)
    if condition is None:
        return None
    clauses, atoms = _size(condition)
    if clauses > CLAUSES_MAX or atoms > ATOMS_MAX:
        cursor.wrong(
            f"at most {CLAUSES_MAX} alternatives with {ATOMS_MAX} conditions in all",
            found=f"all/any that unfold into {_readable(clauses)} alternatives with {_readable(atoms)} conditions",
            hint=f"{hint}, or give several touchpoints one kind",
        )
        return None
    return tuple(dict.fromkeys(_unfold(condition)))


def read_where(cursor: Cursor) -> tuple[Where, ...] | None:
    """The conditions on fields of a touchpoint, in the order of the file; None after a mistake."""
    if not cursor.is_mapping():
        cursor.wrong(f"a mapping with {listed(FIELDS)}")
        return None
    conditions = [_read_field(field, inner) for field, inner in cursor.named()]
    if not conditions:
        if cursor.is_empty():
            cursor.wrong("at least one field", found="an empty mapping")
        return None
    if any(one is None for one in conditions):
        return None
    return tuple(where for one in conditions if one for where in one)


def _read_condition(
    cursor: Cursor, read_leaf: Callable[[Cursor], T | AllOf[T] | AnyOf[T] | None]
) -> T | AllOf[T] | AnyOf[T] | None:
    if cursor.is_list():
        cursor.wrong("a kind of touchpoint or a mapping", hint="say `any:` or `all:` before the list")
        return None
    joined = [(name, inner) for name, inner in cursor.named() if name in {"all", "any"}]
    if not joined:
        return read_leaf(cursor)
    name, inner = joined[0]
    others = [other for other, _ in cursor.named() if other != name]
    if others:
        cursor.wrong(f"{name} alone", found=f"{name} beside {listed(others)}", hint="nest one in the other")
        return None
    items = inner.items("conditions")
    if items is None:
        return None
    parts = [_read_condition(item, read_leaf) for item in items]
    if any(part is None for part in parts):
        return None
    good = tuple(part for part in parts if part is not None)
    return AllOf(good) if name == "all" else AnyOf(good)


def _read_atom(cursor: Cursor, kinds: Sequence[str]) -> Atom | None:
    if not cursor.is_mapping():
        name = cursor.one_of(kinds, "a kind of touchpoint")
        return None if name is None else Atom(name)
    fields = cursor.fields(("touchpoint", "count", "within", "where", "all", "any"), required=("touchpoint",))
    if fields is None or "touchpoint" not in fields:
        return None
    known = len(cursor.mistakes)
    kind = fields["touchpoint"].one_of(kinds, "a kind of touchpoint")
    count = fields["count"].integer(1, COUNT_MAX) if "count" in fields else 1
    within_ms = fields["within"].duration_ms() if "within" in fields else None
    where = read_where(fields["where"]) if "where" in fields else ()
    if kind is None or count is None or where is None or len(cursor.mistakes) > known:
        return None
    return Atom(kind, where, count, within_ms)


def _read_field(field: str, cursor: Cursor) -> tuple[Where, ...] | None:
    if field not in FIELDS[:-1] and not _PROPERTY.fullmatch(field):
        hint = did_you_mean(field, list(FIELDS[:-1])) or f"did you mean 'properties.{field}'?"
        cursor.wrong(f"one of {listed(FIELDS)}", found="an unknown field of a touchpoint", hint=hint)
        return None
    if cursor.is_list():
        values = _read_values(field, cursor)
        return None if values is None else (Where(field, "in", values),)
    if not cursor.is_mapping():
        value = _read_value(field, cursor)
        return None if value is None else (Where(field, "eq", value),)
    conditions = [_read_operation(field, op, inner) for op, inner in cursor.named()]
    if not conditions:
        cursor.wrong(f"one of {listed(OPERATORS)}", found="an empty mapping")
    return None if any(one is None for one in conditions) else tuple(one for one in conditions if one)


def _read_operation(field: str, written: str, cursor: Cursor) -> Where | None:
    op = next((known for known in OPERATORS if known == written), None)
    if op is None:
        hint = f"did you mean {_SIGNS[written]!r}?" if written in _SIGNS else did_you_mean(written, [*OPERATORS])
        cursor.wrong(f"one of {listed(OPERATORS)}", found="an unknown operator", hint=hint)
        return None
    if op == "in":
        values = _read_values(field, cursor)
        return None if values is None else Where(field, op, values)
    value = cursor.scalar() if op == "exists" else _read_value(field, cursor)
    if value is None:
        return None
    if op == "exists" and not isinstance(value, bool):
        cursor.wrong("true or false")
        return None
    if op in {"gte", "gt", "lte", "lt"} and (field in TEXT_FIELDS or not _is_number(value)):
        cursor.wrong("a number" if field not in TEXT_FIELDS else f"eq, ne, in or exists, because {field} is a text")
        return None
    return Where(field, op, value)


def _read_values(field: str, cursor: Cursor) -> tuple[Scalar, ...] | None:
    items = cursor.items("values")
    values = None if items is None else [_read_value(field, item) for item in items]
    if values is None or any(value is None for value in values):
        return None
    return tuple(value for value in values if value is not None)


def _read_value(field: str, cursor: Cursor) -> Scalar | None:
    """A scalar that the field can hold. A campaign named 2024 is a text, however it looks."""
    if field in TEXT_FIELDS:
        return cursor.text(length_max=TEXT_LENGTH_MAX)
    value = cursor.scalar()
    if isinstance(value, str) and len(value) > TEXT_LENGTH_MAX:
        cursor.wrong(f"at most {TEXT_LENGTH_MAX} characters", found=f"{len(value)} characters")
        return None
    if value is not None and field == "value" and not _is_number(value):
        cursor.wrong("a number, because value is one")
        return None
    return value


def _is_number(value: Scalar) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _size(condition: T | AllOf[T] | AnyOf[T]) -> tuple[int, int]:
    """How many clauses, and atoms in all of them, the unfolded condition has."""
    if isinstance(condition, AllOf):
        clauses, atoms = 1, 0
        for more_clauses, more_atoms in [_size(part) for part in condition.parts]:
            clauses, atoms = clauses * more_clauses, atoms * more_clauses + more_atoms * clauses
        return clauses, atoms
    if isinstance(condition, AnyOf):
        sizes = [_size(part) for part in condition.parts]
        return sum(clauses for clauses, _ in sizes), sum(atoms for _, atoms in sizes)
    return 1, 1


def _readable(count: int) -> str:
    return str(count) if count < 1_000_000 else "millions of"


def _unfold(condition: T | AllOf[T] | AnyOf[T]) -> Clauses[T]:
    if isinstance(condition, AllOf):
        choices = product(*(_unfold(part) for part in condition.parts))
        return tuple(tuple(dict.fromkeys(atom for clause in choice for atom in clause)) for choice in choices)
    if isinstance(condition, AnyOf):
        return tuple(clause for part in condition.parts for clause in _unfold(part))
    return ((condition,),)
