"""Instants as tests like to write them."""

from datetime import datetime

from journey_stream.events.times import to_ms

Instant = datetime | str | int
"""A datetime with an offset, RFC 3339 text with an offset, or milliseconds since the epoch."""


def instant_ms(instant: Instant) -> int:
    """Milliseconds since the epoch. Raises ValueError for a time without an offset."""
    if isinstance(instant, int):
        return instant
    read = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    if read.tzinfo is None:
        raise ValueError(f"{instant} has no offset; write 2026-01-31T09:30:00Z, or give the datetime a time zone")
    return to_ms(read)
