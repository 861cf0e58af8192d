"""Instants are whole milliseconds since the Unix epoch inside, RFC 3339 in UTC outside."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

# Final, so that compiled code has the numbers and need not look them up.
SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

SECONDS_MAX: Final = 20_000_000_000
"""A number up to this counts seconds since the epoch; one beyond, on either side, milliseconds."""

MS_MIN = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MILLISECOND
MS_MAX = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MILLISECOND
"""The first and the last instant that can be written as a date: the years 1 to 9999."""


def to_ms(instant: datetime) -> int:
    """Milliseconds since the epoch, rounded down; `instant` must know its offset."""
    return (instant - EPOCH) // _MILLISECOND


def from_ms(ms: int) -> datetime:
    """The instant in UTC. Raises OverflowError outside the years 1 to 9999."""
    return EPOCH + timedelta(milliseconds=ms)


# The pieces of a time of day: joining them takes a fifth of the time of formatting numbers.
_MINUTES: Final = [f"T{hour:02}:{minute:02}:" for hour in range(24) for minute in range(60)]
_SECONDS: Final = [f"{second:02}." for second in range(60)]
_THOUSANDTHS: Final = [f"{ms:03}Z" for ms in range(1_000)]


def rfc3339(ms: int) -> str:
    """`2026-01-31T09:30:00.000Z`. Raises OverflowError outside the years 1 to 9999."""
    rest = ms % DAY_MS
    seconds = rest // SECOND_MS % 60
    return f"{_date(ms // DAY_MS)}{_MINUTES[rest // MINUTE_MS]}{_SECONDS[seconds]}{_THOUSANDTHS[rest % SECOND_MS]}"


@lru_cache(maxsize=4_096)
def _date(day: int) -> str:
    # Most instants of a batch lie within a few days, and formatting a date costs more than all the rest.
    return (EPOCH + timedelta(days=day)).date().isoformat()
