"""A fast reading of touchpoints that are just what the contract says, without any of the liberties it allows.

Nearly all are. What is read here is admitted by the contract (`touchpoint.Touchpoint`) with the same meaning, but for
what only its JSON parser minds in fields that nobody reads: hundreds of levels, numbers of thousands of digits. For
everything else this says nothing, and the contract decides and explains.
"""

from datetime import datetime
from typing import Final

from journey_stream.events.body import PlainTouchpoint, decode_plain
from journey_stream.events.operations import CHANNEL
from journey_stream.events.times import MS_MAX, SECOND_MS, SECONDS_MAX, to_ms

_Z: Final = ord("Z")
_ZERO: Final = ord("0")
_POINT: Final = ord(".")
_NOT_PLAIN: Final = -(1 << 62)
_OPERATIONS: Final = CHANNEL  # a name that compiled code need not look up

_LEVELS_MAX: Final = 200
_FLAT_BYTES: Final = 800
"""So much can nest some hundred levels at most, which any reader takes. Of more, brackets are counted: how deep our own
readers get depends on where they are called from, and what is let in here has to be readable everywhere."""

_MINUTES_MAX: Final = 10_000
"""Most instants of a batch share a few minutes, and working out a date costs more than all the rest: remember them."""


def read_plain(value: bytes) -> tuple[PlainTouchpoint, int] | None:
    """A plain touchpoint and its instant (ms since the epoch); None for anything else, good or bad.

    Its `identifiers` hold its `customer_id`.
    """
    try:
        if len(value) > _FLAT_BYTES and value.count(b"[") + value.count(b"{") > _LEVELS_MAX:
            return None
        if not value.isascii():
            value.decode()  # the decoder does not look into the fields that it skips
        touchpoint = decode_plain(value)
        when = touchpoint.occurred_at
        occurred_at = _instant(when) if isinstance(when, str) else _since_epoch(when)
    except (ValueError, RecursionError):
        return None
    if occurred_at == _NOT_PLAIN or touchpoint.channel == _OPERATIONS:
        return None
    if touchpoint.customer_id is not None:
        named = touchpoint.identifiers.setdefault("customer_id", touchpoint.customer_id)
        if named != touchpoint.customer_id:
            return None
    return touchpoint, occurred_at


def _instant(text: str) -> int:
    """Whole seconds, milliseconds or microseconds, in UTC: `2026-01-31T09:30:00.000Z`."""
    digits = text.encode()
    size = len(digits)
    if size not in {20, 24, 27} or digits[size - 1] != _Z:
        return _NOT_PLAIN
    minute = _minutes.get(text[:17], _NOT_PLAIN)
    if minute == _NOT_PLAIN:
        minute = _minute(text[:17])
        if minute == _NOT_PLAIN:
            return _NOT_PLAIN
    tens, ones = digits[17] - _ZERO, digits[18] - _ZERO
    if not (0 <= tens <= 5 and 0 <= ones <= 9):
        return _NOT_PLAIN
    at = minute + 10_000 * tens + 1_000 * ones
    if size == 20:
        return at
    if digits[19] != _POINT:
        return _NOT_PLAIN
    weight = 100
    for place in range(20, size - 1):
        digit = digits[place] - _ZERO
        if not 0 <= digit <= 9:
            return _NOT_PLAIN
        at += weight * digit
        weight //= 10  # to 0 after the milliseconds: what is finer is dropped
    return at


def _since_epoch(number: int) -> int:
    """Seconds up to 2e10, milliseconds beyond."""
    if 0 <= number <= SECONDS_MAX:
        return number * SECOND_MS
    return number if SECONDS_MAX < number <= MS_MAX else _NOT_PLAIN


def _minute(text: str) -> int:
    """The start (ms) of the minute that an instant begins with, such as `2026-01-31T09:30:`."""
    # fromisoformat knows more notations than RFC 3339; the fixed places leave only the one.
    if not (text[4] == text[7] == "-" and text[10] == "T" and text[13] == text[16] == ":"):
        return _NOT_PLAIN
    minute = to_ms(datetime.fromisoformat(text + "00Z"))
    if len(_minutes) >= _MINUTES_MAX:
        _minutes.clear()
    _minutes[text] = minute
    return minute


_minutes: dict[str, int] = {}
