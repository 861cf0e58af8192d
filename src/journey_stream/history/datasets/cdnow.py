"""CDNOW: every purchase of one quarter's new customers of a music shop, over 78 weeks.

Read from `lifetimes/datasets/CDNOW_master.txt`. The file knows the day only; noon UTC stands for it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from journey_stream.events.times import HOUR_MS, rfc3339, to_ms
from journey_stream.history.datasets.package import data_file
from journey_stream.history.record import HistoryError, HistoryRecord

_encode = msgspec.json.Encoder().encode
_COLUMNS = ["customer_id", "date", "number_of_cds", "dollar_value"]


def records() -> Iterator[HistoryRecord]:
    """69,659 purchases in time order. Raises HistoryError when the package is missing or its file looks different."""
    path = data_file("lifetimes", "datasets/CDNOW_master.txt", install="--no-deps lifetimes==0.11.3")
    lines = path.read_text(encoding="ascii").splitlines()
    if lines[0].split() != _COLUMNS:
        raise HistoryError(f"{path}:1: expected the columns {' '.join(_COLUMNS)}, found {lines[0]!r:.80}")
    rows = [_purchase(position, line.split()) for position, line in enumerate(lines[1:], start=2)]
    return iter(sorted(rows, key=lambda row: (row.occurred_at, row.position)))


def _purchase(position: int, cells: list[str]) -> HistoryRecord:
    customer, day, quantity, value = cells
    occurred_at = to_ms(datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC)) + 12 * HOUR_MS
    touchpoint = {
        # Some customers bought twice the same on one day: only the line tells such purchases apart.
        "event_id": f"cdnow-{position}",
        "occurred_at": rfc3339(occurred_at),
        "channel": "web",
        "type": "purchase",
        "identifiers": {"customer_id": f"cdnow-{customer}"},
        "value": float(value),
        "currency": "USD",
        "properties": {"quantity": int(quantity)},
    }
    return HistoryRecord(occurred_at, _encode(touchpoint), "cdnow", position)
