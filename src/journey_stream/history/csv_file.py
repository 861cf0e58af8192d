"""CSV rows as touchpoints.

Columns are the fields of a touchpoint, `identifiers.email` and `properties.store` for nested ones. An empty cell is an
absent field. `value`, `occurred_at` and `schema_version` are numbers where they look like one; a property is JSON where
it reads as JSON (`12`, `true`, `"012"`, `[1,2]`) and text otherwise. A whole column `identifiers` or `properties` holds
JSON objects.
"""

import csv
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from journey_stream.history.record import HistoryError
from journey_stream.history.value import Value, check_columns, to_json

CELL_CHARS_MAX = 16 * 1024 * 1024
_EXACT_DIGITS_MAX = 15
"""A longer number would lose digits as a float somewhere down the road, so it stays text."""

_decode_json = msgspec.json.Decoder().decode


class _Lines:
    """Feeds the CSV reader and remembers the original bytes of the row that it is reading."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self.row: list[bytes] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.row.append(line)
        return line.decode(errors="surrogateescape")

    def take_row(self) -> bytes:
        row = b"".join(self.row).rstrip(b"\r\n")
        self.row.clear()
        return row


def csv_values(path: Path, lines: Iterable[bytes]) -> Iterator[Value]:
    """Each row as JSON; a row that cannot be one passes as its own bytes. Raises HistoryError for a bad header."""
    csv.field_size_limit(CELL_CHARS_MAX)
    source = _Lines(lines)
    # Strict, or a quote that is never closed makes one customer of the rest of the file.
    reader = csv.reader(source, strict=True)
    columns = _header(path, reader)
    source.take_row()
    convert = [_converter(column) for column in columns]
    while True:
        first_line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Value(first_line, source.take_row(), f"not a CSV row: {_in_words(error)}")
            continue
        original = source.take_row()
        if cells:
            yield _value(first_line, original, columns, cells, convert)


def _header(path: Path, reader: Iterator[list[str]]) -> list[str]:
    try:
        columns = [column.strip().removeprefix("\ufeff").strip() for column in next(reader)]
    except StopIteration:
        raise HistoryError(f"{path}: is empty; expected a header line with the fields of a touchpoint") from None
    except csv.Error as error:
        raise HistoryError(f"{path}:1: not a CSV header: {error}") from error
    check_columns(f"{path}:1", columns)
    return columns


def _in_words(error: csv.Error) -> str:
    return "a quote is opened and never closed" if str(error) == "unexpected end of data" else str(error)


def _value(
    line: int,
    original: bytes,
    columns: list[str],
    cells: list[str],
    convert: list[Callable[[str], Any]],
) -> Value:
    if len(cells) != len(columns):
        return Value(line, original, f"{len(cells)} cells; expected {len(columns)}, as many as the header has")
    row = {column: to(cell) for column, cell, to in zip(columns, cells, convert, strict=True) if cell}
    try:
        return Value(line, to_json(row))
    except UnicodeEncodeError:
        return Value(line, original, "not UTF-8")
    except TypeError as error:
        return Value(line, original, str(error))


def _converter(column: str) -> Callable[[str], Any]:
    if column.startswith("properties."):
        return _json_or_text
    if column in {"value", "occurred_at", "schema_version"}:
        return _number_or_text
    return str


def _number_or_text(cell: str) -> int | float | str:
    number = _json(cell)
    return number if type(number) is int or type(number) is float else cell


def _json_or_text(cell: str) -> Any:
    if cell.lstrip("-").isdecimal() and len(cell) > _EXACT_DIGITS_MAX:
        return cell
    return _json(cell)


def _json(cell: str) -> Any:
    try:
        return _decode_json(cell)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return cell
