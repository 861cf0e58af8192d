"""History in time order, in bounded memory: sorted runs on disk, merged."""

import heapq
import struct
import tempfile
from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

from journey_stream.history.record import HistoryRecord

MEMORY_BYTES_MAX = 256 * 1024 * 1024
RUNS_MAX = 64
"""So many sorted runs are merged into one: keeps open files far below any limit."""

_RECORD_OVERHEAD_BYTES = 250
"""What a record costs in memory beside its value: the tuple, two integers, the bytes header, its slot in the list."""
_HEADER = struct.Struct("<qqIH")

_instant = attrgetter("occurred_at")


def in_time_order(
    records: Iterable[HistoryRecord],
    *,
    memory_bytes_max: int = MEMORY_BYTES_MAX,
    temp_dir: Path | None = None,
) -> Iterator[HistoryRecord]:
    """The records by `occurred_at`; records of one instant keep the order in which they came.

    What does not fit into `memory_bytes_max` goes to a temporary directory (below `temp_dir`), removed at the end.
    """
    with tempfile.TemporaryDirectory(prefix="journey-stream-sort-", dir=temp_dir) as directory:
        runs: list[Path] = []
        held: list[HistoryRecord] = []
        held_bytes = 0
        written = 0
        for record in records:
            held.append(record)
            held_bytes += len(record.value) + _RECORD_OVERHEAD_BYTES
            if held_bytes >= memory_bytes_max:
                held.sort(key=_instant)
                runs.append(_write_run(Path(directory) / f"{written}.run", held))
                written += 1
                held, held_bytes = [], 0
                if len(runs) >= RUNS_MAX:
                    runs = [_merge_to_one(Path(directory) / f"{written}.run", runs)]
                    written += 1
        held.sort(key=_instant)
        # Runs stand in the order of arrival, and merge is stable: equal instants stay as they came.
        yield from heapq.merge(*map(_read_run, runs), held, key=_instant)


def _merge_to_one(path: Path, runs: list[Path]) -> Path:
    _write_run(path, heapq.merge(*map(_read_run, runs), key=_instant))
    for run in runs:
        run.unlink()
    return path


def _write_run(path: Path, records: Iterable[HistoryRecord]) -> Path:
    with path.open("wb") as file:
        for occurred_at, value, origin, position in records:
            name = origin.encode(errors="surrogateescape")
            file.write(_HEADER.pack(occurred_at, position, len(value), len(name)) + name + value)
    return path


def _read_run(path: Path) -> Iterator[HistoryRecord]:
    with path.open("rb", buffering=1024 * 1024) as file:
        while header := file.read(_HEADER.size):
            yield _read_record(header, file)


def _read_record(header: bytes, file: BinaryIO) -> HistoryRecord:
    occurred_at, position, value_bytes, name_bytes = _HEADER.unpack(header)
    origin = file.read(name_bytes).decode(errors="surrogateescape")
    return HistoryRecord(occurred_at, file.read(value_bytes), origin, position)
