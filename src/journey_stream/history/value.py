"""From the flat columns of a table to the JSON value of a touchpoint."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from journey_stream.history.record import HistoryError

REQUIRED_COLUMNS = ("event_id", "occurred_at", "channel", "type")
GROUPS = ("identifiers", "properties")
"""Fields that hold fields; a column `identifiers.email` names a field of the first."""

_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder().decode


class Value(NamedTuple):
    """The bytes of one record, its line or row (from 1), and what is wrong when they are not a touchpoint's."""

    position: int
    value: bytes
    mistake: str | None = None


def check_columns(origin: str, columns: list[str]) -> None:
    """Raises HistoryError when no row of a table with these columns can be a touchpoint."""
    doubled = sorted({column for column in columns if columns.count(column) > 1})
    if doubled:
        raise HistoryError(f"{origin}: column {', '.join(doubled)} appears more than once in the header")
    missing = [column for column in REQUIRED_COLUMNS if column not in columns]
    if not any(column in {"customer_id", "identifiers"} or column.startswith("identifiers.") for column in columns):
        missing.append("customer_id (or identifiers.<type>)")
    if missing:
        hint = ". Columns are separated by commas" if len(columns) == 1 and set(columns[0]) & set(";\t|") else ""
        raise HistoryError(
            f"{origin}: no column {', '.join(missing)}; found {', '.join(columns) or 'no columns at all'}. "
            "Expected the fields of a touchpoint, with dots for nested ones: identifiers.email, properties.store"
            + hint,
        )


def to_json(row: Mapping[str, Any]) -> bytes:
    """The touchpoint of one row; cells that are None are left out, dotted columns are gathered into their group.

    A group's own column may hold an object or the text of one. Raises TypeError for what JSON cannot hold.
    """
    touchpoint: dict[str, Any] = {}
    for column, cell in row.items():
        if cell is None:
            continue
        group, dot, name = column.partition(".")
        if dot and group in GROUPS:
            _gathered(touchpoint, group)[name] = cell
        elif column in GROUPS:
            fields = _fields(cell)
            if fields is None:
                touchpoint[column] = cell  # which is refused, by its name
            else:
                _gathered(touchpoint, column).update(fields)
        else:
            touchpoint[column] = cell
    return _encode(touchpoint)


def _gathered(touchpoint: dict[str, Any], group: str) -> dict[str, Any]:
    found = touchpoint.setdefault(group, {})
    if not isinstance(found, dict):
        raise TypeError(f"column {group} holds no JSON object, so no column {group}.… can add to it")
    return found


def _fields(cell: Any) -> dict[str, Any] | None:
    """The fields that are present in an object, or in the text of one; None for anything else."""
    if isinstance(cell, str):
        try:
            cell = _decode(cell)
        except (msgspec.DecodeError, UnicodeEncodeError):
            return None
    if not isinstance(cell, dict):
        return None
    return {name: part for name, part in cell.items() if part is not None}
