"""A synthetic web shop's clickstream, read from `retentioneering/datasets/ecom.csv.gz`. Times are taken as UTC."""

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from journey_stream.events.times import rfc3339, to_ms
from journey_stream.history.datasets.package import data_file
from journey_stream.history.record import HistoryError, HistoryRecord

_encode = msgspec.json.Encoder().encode
_COLUMNS = ["user_id", "session_id", "event", "timestamp", "platform", "acquisition_channel"]


COMMON_NAMES = {
    "catalog": "category_view",
    "shipping_details": "checkout_started",
    "wishlist_add": "add_to_wishlist",
}
"""What other shops, and the presets, call some of the data set's events."""


def records() -> Iterator[HistoryRecord]:
    """31,106 web events in time order. Raises HistoryError when the package is missing or its file looks different."""
    path = data_file("retentioneering", "datasets/ecom.csv.gz", install="--no-deps retentioneering==5.2.4")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise HistoryError(f"{path}:1: no column {', '.join(missing)}")
        rows = [_event(position, row) for position, row in enumerate(reader, start=2)]
    return iter(sorted(rows, key=lambda row: (row.occurred_at, row.position)))


def _event(position: int, row: dict[str, str]) -> HistoryRecord:
    occurred_at = to_ms(datetime.fromisoformat(row["timestamp"]).replace(tzinfo=UTC))
    touchpoint = {
        # Some rows are equal in every column: only the line tells them apart.
        "event_id": f"ecom-{position}",
        "occurred_at": rfc3339(occurred_at),
        "channel": "web",
        "type": COMMON_NAMES.get(row["event"], row["event"]),
        "identifiers": {"customer_id": f"ecom-{row['user_id']}"},
        "properties": {
            "event": row["event"],
            "session": row["session_id"],
            "platform": row["platform"],
            "acquisition_channel": row["acquisition_channel"],
        },
    }
    return HistoryRecord(occurred_at, _encode(touchpoint), "ecom", position)
