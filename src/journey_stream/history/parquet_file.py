"""Parquet rows as touchpoints, a batch of rows in memory at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from journey_stream.history.record import HistoryError
from journey_stream.history.value import Value, check_columns, to_json

BATCH_ROWS = 10_000


def parquet_values(path: Path) -> Iterator[Value]:
    """Each row as JSON. Columns as in CSV; identifiers and properties may also be structs or maps.

    Raises HistoryError without pyarrow, for a broken file, and for a timestamp column without a time zone.
    """
    pyarrow, parquet = _pyarrow(path)
    try:
        file = parquet.ParquetFile(path)
        check_columns(str(path), list(file.schema_arrow.names))
        schema = _with_exact_times(path, pyarrow, file.schema_arrow)
        position = 0
        for batch in file.iter_batches(batch_size=BATCH_ROWS):
            table = pyarrow.Table.from_batches([batch]).cast(schema, safe=False)
            for row in table.to_pylist(maps_as_pydicts="lossy"):
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


def _with_exact_times(path: Path, pyarrow: Any, schema: Any) -> Any:
    """The schema with every top-level timestamp in UTC and in microseconds, the finest that Python's datetime holds."""
    fields = []
    for field in schema:
        if pyarrow.types.is_timestamp(field.type):
            if field.type.tz is None:
                raise HistoryError(
                    f"{path}: column {field.name} is {field.type} without a time zone; "
                    "expected a timestamp with one, RFC 3339 text, or epoch milliseconds",
                )
            fields.append(field.with_type(pyarrow.timestamp("us", tz="UTC")))
        else:
            fields.append(field)
    return pyarrow.schema(fields)


def _value(position: int, row: dict[str, Any]) -> Value:
    try:
        return Value(position, to_json(row))
    except (TypeError, ValueError) as error:
        return Value(position, repr(row).encode(errors="replace"), f"cannot be written as JSON: {error}")
