"""Files of touchpoints (JSON lines, CSV, Parquet) as a stream of history records.

A bad line never stops the stream: it is reported and passed on as it stands, so that it ends as a dead letter like the
same bytes from a topic would. A file that cannot be read at all raises `HistoryError`.
"""

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO, cast

from journey_stream.events.admission import Refused, read_touchpoint
from journey_stream.events.identifiers import DEFAULT, Policy
from journey_stream.history.csv_file import csv_values
from journey_stream.history.parquet_file import parquet_values
from journey_stream.history.record import HistoryError, HistoryRecord, Problem, ReportProblem
from journey_stream.history.value import Value

ReadValues = Callable[[Path], Iterator[Value]]


def read_files(paths: Iterable[Path], report: ReportProblem, policy: Policy = DEFAULT) -> Iterator[HistoryRecord]:
    """Every record of the files, one file after the other, each in its own order.

    `policy` says who is who, as the router's does. That each file is there, and of a known kind, is checked at once,
    before anything is read. Raises HistoryError.
    """
    readers = [(path, _reader(path)) for path in paths]
    return chain.from_iterable(with_times(_origin(path), read(path), report, policy) for path, read in readers)


def _origin(path: Path) -> str:
    """The path as records carry it, which are UTF-8: a name of a file may be any bytes."""
    return str(path).encode(errors="backslashreplace").decode()


def with_times(
    origin: str, values: Iterable[Value], report: ReportProblem, policy: Policy = DEFAULT
) -> Iterator[HistoryRecord]:
    """Read each value's time as the router would, and report what the router would refuse."""
    occurred_at = 0
    for position, value, mistake in values:
        admitted = read_touchpoint(value, policy)
        if isinstance(admitted, Refused):
            detail = mistake or admitted.detail
            report(Problem(origin, position, admitted.reason.value, detail))
        else:
            occurred_at = admitted.occurred_at
        yield HistoryRecord(occurred_at, value, origin, position)


def _reader(path: Path) -> ReadValues:
    if not path.is_file():
        found = "is a directory" if path.is_dir() else "is no file" if path.exists() else "no such file"
        raise HistoryError(f"{path}: {found}; expected a JSONL, CSV or Parquet file of touchpoints")
    name = path.name.lower()
    for endings, read in _READERS:
        if name.endswith(endings):
            return read
    known = ", ".join(ending for endings, _ in _READERS for ending in endings)
    raise HistoryError(f"{path}: the kind of file is told by its name; expected one of {known}")


def _jsonl(path: Path) -> Iterator[Value]:
    with _opened(path) as lines:
        for position, line in enumerate(_guarded(path, lines), start=1):
            value = line.rstrip(b"\r\n")
            if position == 1:
                value = value.removeprefix(codecs.BOM_UTF8)  # which some editors put before a whole file
            if value.strip():
                yield Value(position, value)


def _csv(path: Path) -> Iterator[Value]:
    with _opened(path) as lines:
        yield from csv_values(path, _guarded(path, lines))


def _opened(path: Path) -> BinaryIO:
    try:
        file = path.open("rb")
    except OSError as error:
        raise HistoryError(f"{path}: cannot be opened: {error.strerror}") from error
    return cast("BinaryIO", gzip.GzipFile(fileobj=file)) if path.suffix.lower() == ".gz" else file


def _guarded(path: Path, lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines; a broken archive or disk ends them with an error that says how far it came."""
    position = 0
    try:
        for line in lines:
            position += 1
            yield line
    except (OSError, EOFError, zlib.error) as error:
        raise HistoryError(f"{path}: cannot be read after line {position}: {error}") from error


_READERS: tuple[tuple[tuple[str, ...], ReadValues], ...] = (
    ((".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz"), _jsonl),
    ((".csv", ".csv.gz"), _csv),
    ((".parquet",), parquet_values),
)
