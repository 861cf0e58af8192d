"""A fast reading of touchpoints that are just what the contract says, without any of the liberties it allows.

Nearly all are. What is read here is admitted by the contract (`touchpoint.Touchpoint`) with the same meaning; for
everything else this says nothing, and the contract decides and explains.
"""

from datetime import datetime
from typing import NamedTuple

from journey_stream.events.body import decode_plain
from journey_stream.events.times import to_ms

_INSTANT_LENGTHS = frozenset({20, 24, 27})
"""Whole seconds, milliseconds or microseconds, in UTC: `2026-01-31T09:30:00.000Z`."""


_MINUTES_MAX = 10_000
"""Most instants of a batch share a few minutes, and working out a date costs more than all the rest: remember them."""


class Plain(NamedTuple):
    """Who, and when in ms since the epoch."""

    identifiers: dict[str, str]
    occurred_at: int


def read_plain(value: bytes) -> Plain | None:
    """Identifiers and instant of a plain touchpoint; None for anything else, good or bad."""
    try:
        if not value.isascii():
            value.decode()  # the decoder does not look into the fields that it skips
        touchpoint = decode_plain(value)
        occurred_at = _instant(touchpoint.occurred_at)
    except (ValueError, RecursionError):
        return None
    if occurred_at is None:
        return None
    identifiers = touchpoint.identifiers
    if touchpoint.customer_id is not None:
        named = identifiers.setdefault("customer_id", touchpoint.customer_id)
        if named != touchpoint.customer_id:
            return None
    return Plain(identifiers, occurred_at)


def _instant(text: str) -> int | None:
    size = len(text)
    if size not in _INSTANT_LENGTHS or text[size - 1] != "Z" or not text.isascii():
        return None
    minute = _minutes.get(text[:17])
    if minute is None:
        minute = _minute(text[:17])
        if minute is None:
            return None
    seconds = text[17:19]
    if not seconds.isdigit() or seconds > "59":
        return None
    if size == 20:
        return minute + int(seconds) * 1000
    fraction = text[20 : size - 1]
    if text[19] != "." or not fraction.isdigit():
        return None
    return minute + int(seconds) * 1000 + int(fraction[:3])


def _minute(text: str) -> int | None:
    """The start (ms) of the minute that an instant begins with, such as `2026-01-31T09:30:`; None if it is none."""
    # fromisoformat knows more notations than RFC 3339; the fixed places leave only the one.
    if not (text[4] == text[7] == "-" and text[10] == "T" and text[13] == text[16] == ":"):
        return None
    minute = to_ms(datetime.fromisoformat(text + "00Z"))
    if len(_minutes) >= _MINUTES_MAX:
        _minutes.clear()
    _minutes[text] = minute
    return minute


_minutes: dict[str, int] = {}
