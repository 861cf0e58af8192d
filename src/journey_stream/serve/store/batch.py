"""What one transaction brings into the tables."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from journey_stream.events.erasures import Spans
from journey_stream.serve.store.schema import Column, Table

Row = Sequence[Any]

TOUCHPOINT_COLUMNS: Final = (
    *("event_id", "occurred_at", "arrived_at", "owner_id", "channel", "type", "campaign", "value", "currency"),
    *("source_topic", "source_partition", "source_offset", "log_partition", "log_offset"),
)
"""What the log tells of a touchpoint."""

PASS_COLUMNS: Final = ("via", "receiver", "event_id", "occurred_at", "count")
"""`count` is 1 for a touchpoint that is passed on, and -1 for one that is taken back."""

_ARROW = {
    "VARCHAR": pa.string(),
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "DOUBLE PRECISION": pa.float64(),
    "BOOLEAN": pa.bool_(),
}
_INSTANT = pa.timestamp("ms", "UTC")


@dataclass(slots=True)
class Batch:
    """Rows by table, and how far they reach.

    `touchpoints` and `passes` have the columns below, the others those of their tables. `gone` holds, by table, the
    profiles of which everything that was there before is deleted. `erased` are the spans of new erasures, by name; with
    `erase_all` messages were missed, so that what all erasures reach has to be looked for.
    """

    touchpoints: list[Row] = field(default_factory=list)
    passes: list[Row] = field(default_factory=list)
    dead_letters: list[Row] = field(default_factory=list)
    stage_messages: list[Row] = field(default_factory=list)
    risk_messages: list[Row] = field(default_factory=list)
    identity_messages: list[Row] = field(default_factory=list)
    profiles: list[Row] = field(default_factory=list)
    gone: dict[str, set[str]] = field(default_factory=dict)
    erased: dict[bytes, Spans] = field(default_factory=dict)
    erase_all: bool = False
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)
    records: int = 0


def arrow_table(columns: Sequence[Column], rows: Sequence[Row]) -> pa.Table:
    """The rows as columns; instants may be ms or RFC 3339 text."""
    values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    arrays = [_array(column, found) for column, found in zip(columns, values, strict=True)]
    return pa.Table.from_arrays(arrays, names=[column.name for column in columns])


def columns_of(table: Table, names: Sequence[str]) -> list[Column]:
    """Some columns of a table, in the order of `names`."""
    by_name = {column.name: column for column in table.columns}
    return [by_name[name] for name in names]


def _array(column: Column, values: Sequence[Any]) -> pa.Array:
    if column.is_instant and _starts_with_text(values):
        return pa.array(values, pa.string()).cast(_INSTANT).cast(pa.int64())
    return pa.array(values, _ARROW[column.type])


def _starts_with_text(values: Sequence[Any]) -> bool:
    first = next((value for value in values if value is not None), None)
    return isinstance(first, str)
