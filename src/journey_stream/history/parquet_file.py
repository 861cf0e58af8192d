"""Parquet rows as touchpoints, a batch of rows in memory at a time."""

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from journey_stream.history.record import HistoryError
from journey_stream.history.value import GROUPS, REQUIRED_COLUMNS, Value, check_columns, to_json

BATCH_ROWS = 10_000
_TEXTS = frozenset({*REQUIRED_COLUMNS, "customer_id", "campaign", "currency"})


def parquet_values(path: Path) -> Iterator[Value]:
    """Each row as JSON. Columns as in CSV; identifiers and properties may also be structs or maps.

    Bytes are text, as some writers do not say that theirs are. Raises HistoryError without pyarrow, for a broken file,
    and for a timestamp column without a time zone.
    """
    pyarrow, parquet = _pyarrow(path)
    try:
        file = parquet.ParquetFile(path)
        check_columns(str(path), list(file.schema_arrow.names))
        exact_times = _exact_times(path, pyarrow, file.schema_arrow)
        position = 0
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            for row in _rows(pyarrow.Table.from_batches([batch]), exact_times):
                position += 1
                yield _value(position, row)
    except (pyarrow.ArrowException, OSError) as error:
        raise HistoryError(f"{path}: not a readable Parquet file: {error}") from error


def _pyarrow(path: Path) -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an optional extra, needed for this kind of file only
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        remedy = "install it with: pip install 'journey-stream[parquet]'"
        raise HistoryError(f"{path}: reading Parquet needs pyarrow; {remedy}") from error
    return pa, parquet


def _exact_times(path: Path, pyarrow: Any, schema: Any) -> dict[str, Any]:
    """How to cast each timestamp column: to UTC and microseconds, the finest that Python's datetime holds."""
    from pyarrow.compute import CastOptions  # noqa: PLC0415 - as in _pyarrow

    options = {}
    for field in schema:
        if pyarrow.types.is_timestamp(field.type):
            if field.type.tz is None:
                raise HistoryError(
                    f"{path}: column {field.name} is {field.type} without a time zone; "
                    "expected a timestamp with one, RFC 3339 text, or epoch milliseconds",
                )
            options[field.name] = CastOptions(pyarrow.timestamp("us", tz="UTC"), allow_time_truncate=True)
    return options


class _Unreadable(NamedTuple):
    """A row with a cell that Python cannot hold, such as a time of the year 100,000: how it prints, and why."""

    printed: str
    mistake: str


def _rows(table: Any, targets: Mapping[str, Any]) -> list[dict[str, Any] | _Unreadable]:
    """The rows, with the columns that `targets` name cast as they say. One that cannot be read spoils no other."""
    rows: list[dict[str, Any] | _Unreadable]
    try:
        exact = table
        for index, name in enumerate(table.column_names):
            if name in targets:
                exact = exact.set_column(index, name, table.column(index).cast(options=targets[name]))
        with warnings.catch_warnings():
            # That a map has a key twice: as in JSON, the last one counts.
            warnings.simplefilter("ignore", UserWarning)
            rows = exact.to_pylist(maps_as_pydicts="lossy")
    except (ValueError, OverflowError) as error:
        if table.num_rows == 1:
            printed = {name: " ".join(table.column(name).to_string().split()) for name in table.column_names}
            return [_Unreadable(repr(printed), str(error))]
        half = table.num_rows // 2
        return _rows(table.slice(0, half), targets) + _rows(table.slice(half), targets)
    return rows


def _value(position: int, row: dict[str, Any] | _Unreadable) -> Value:
    if isinstance(row, _Unreadable):
        return Value(position, row.printed.encode(errors="replace"), f"cannot be written as JSON: {row.mistake}")
    try:
        return Value(position, to_json({column: _readable(column, cell) for column, cell in row.items()}))
    except (TypeError, ValueError) as error:
        return Value(position, repr(row).encode(errors="replace"), f"cannot be written as JSON: {error}")


def _readable(column: str, cell: Any) -> Any:
    """Bytes as the text that they are. Raises ValueError if they are none, where a touchpoint has to have text.

    Elsewhere such bytes travel along in base64.
    """
    if isinstance(cell, bytes):
        try:
            return cell.decode()
        except UnicodeDecodeError:
            if column in _TEXTS or column.startswith("identifiers."):
                raise ValueError(f"column {column} is not UTF-8") from None
            return cell
    if column in GROUPS and isinstance(cell, dict):
        return {name: _readable(f"{column}.{name}", part) for name, part in cell.items()}
    return cell
