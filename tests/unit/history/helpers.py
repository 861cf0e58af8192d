import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from journey_stream.history.files import read_files
from journey_stream.history.record import HistoryRecord, Problem


def touchpoint(event_id: str = "e1", occurred_at: Any = "2026-01-01T00:00:00Z", **fields: Any) -> dict[str, Any]:
    base = {
        "event_id": event_id,
        "occurred_at": occurred_at,
        "channel": "web",
        "type": "page_view",
        "customer_id": "c1",
    }
    return base | fields


def write_lines(path: Path, touchpoints: Iterable[dict[str, Any] | str]) -> Path:
    lines = (item if isinstance(item, str) else json.dumps(item) for item in touchpoints)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def read_all(*paths: Path) -> tuple[list[HistoryRecord], list[Problem]]:
    problems: list[Problem] = []
    records = list(read_files(paths, problems.append))
    return records, problems


def decoded(records: Iterable[HistoryRecord]) -> list[dict[str, Any]]:
    return [json.loads(record.value) for record in records]
