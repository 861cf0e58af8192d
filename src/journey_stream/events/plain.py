"""A fast reading of touchpoints that are just what the contract says, without any of the liberties it allows.

Nearly all are. What is read here is admitted by the contract (`touchpoint.Touchpoint`) with the same meaning; for
everything else this says nothing, and the contract decides and explains.
"""

from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from journey_stream.events.times import to_ms

_Name = Annotated[str, Meta(min_length=1, max_length=64)]
_IdentifierValue = Annotated[str, Meta(max_length=512)]
_INSTANT_LENGTHS = frozenset({20, 24, 27})
"""Whole seconds, milliseconds or microseconds, in UTC: `2026-01-31T09:30:00.000Z`."""


class _Plain(msgspec.Struct, gc=False):
    event_id: Annotated[str, Meta(min_length=1, max_length=256)]
    occurred_at: str
    channel: _Name
    type: _Name
    identifiers: dict[_Name, _IdentifierValue] = {}
    customer_id: _IdentifierValue | None = None
    campaign: Annotated[str, Meta(max_length=256)] | None = None
    value: float | None = None
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")] | None = None
    properties: dict[str, Any] = {}
    schema_version: Literal[1] = 1


class Plain(NamedTuple):
    """Who, and when in ms since the epoch."""

    identifiers: dict[str, str]
    occurred_at: int


_decode = msgspec.json.Decoder(_Plain).decode


def read_plain(value: bytes) -> Plain | None:
    """Identifiers and instant of a plain touchpoint; None for anything else, good or bad."""
    try:
        if not value.isascii():
            value.decode()  # the decoder does not look into the fields that it skips
        touchpoint = _decode(value)
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
    # fromisoformat knows more notations than RFC 3339; the fixed places leave only the one.
    if len(text) not in _INSTANT_LENGTHS or (len(text) > 20 and text[19] != "."):
        return None
    if not (text[4] == text[7] == "-" and text[10] == "T" and text[13] == text[16] == ":" and text[-1] == "Z"):
        return None
    return to_ms(datetime.fromisoformat(text))
