"""Instants are whole milliseconds since the Unix epoch inside, RFC 3339 in UTC outside."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

MS_MIN = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MILLISECOND
MS_MAX = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MILLISECOND
"""The first and the last instant that can be written as a date: the years 1 to 9999."""


def to_ms(instant: datetime) -> int:
    """Milliseconds since the epoch, rounded down; `instant` must know its offset."""
    return (instant - EPOCH) // _MILLISECOND


def from_ms(ms: int) -> datetime:
    """The instant in UTC. Raises OverflowError outside the years 1 to 9999."""
    return EPOCH + timedelta(milliseconds=ms)


def rfc3339(ms: int) -> str:
    """`2026-01-31T09:30:00.000Z`. Raises OverflowError outside the years 1 to 9999."""
    day, rest = divmod(ms, DAY_MS)
    clock = rest // HOUR_MS, rest // MINUTE_MS % 60, rest // SECOND_MS % 60, rest % SECOND_MS
    return "%sT%02d:%02d:%02d.%03dZ" % (_date(day), *clock)  # noqa: UP031 - two thirds of an f-string's time


@lru_cache(maxsize=4_096)
def _date(day: int) -> str:
    # Most instants of a batch lie within a few days, and formatting a date costs more than all the rest.
    return (EPOCH + timedelta(days=day)).date().isoformat()
