"""Conditions on the fields of a touchpoint, as frozen values."""

from dataclasses import dataclass
from typing import Any, Literal

Scalar = str | int | float | bool
Operator = Literal["eq", "in", "ne", "gte", "gt", "lte", "lt", "exists"]


@dataclass(frozen=True, slots=True, eq=False)
class Where:
    """A condition on one field of a touchpoint.

    `field` is value, currency, campaign, channel, type, or a path below `properties.`. `value` is a scalar; a tuple
    of scalars for `in`; a bool for `exists`. A field that is absent satisfies only `exists: false`.
    """

    field: str
    op: Operator
    value: Scalar | tuple[Scalar, ...]

    # To Python 1, 1.0 and True are equal, but a condition on `true` is another one than a condition on 1.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Where) and self._written() == other._written()

    def __hash__(self) -> int:
        return hash(self._written())

    def _written(self) -> tuple[str, str, str]:
        return self.field, self.op, repr(self.value)


def where_behaviour(where: tuple[Where, ...]) -> list[list[Any]]:
    """As plain lists, for a fingerprint."""
    return [[one.field, one.op, one.value] for one in where]


def where_document(where: tuple[Where, ...]) -> dict[str, dict[str, Any]]:
    """As a model file holds them."""
    document: dict[str, dict[str, Any]] = {}
    for one in where:
        document.setdefault(one.field, {})[one.op] = list(one.value) if isinstance(one.value, tuple) else one.value
    return document
