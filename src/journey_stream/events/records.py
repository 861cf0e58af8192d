"""The records of journey.log, and the shapes of their JSON."""

from typing import Annotated, Any, NamedTuple

import msgspec

from journey_stream.events.body import Body
from journey_stream.events.times import MS_MAX, MS_MIN


class Source(NamedTuple):
    """Where a touchpoint came from."""

    topic: str
    partition: int
    offset: int


class TouchpointRecord(msgspec.Struct, frozen=True, gc=False):
    """One touchpoint in the log; instants in ms since the epoch."""

    profile_id: str
    arrived_at: int
    occurred_at: int
    event_id: str
    channel: str
    type: str
    value: float | None = None
    currency: str | None = None
    campaign: str | None = None
    properties: dict[str, Any] | None = None


class Tick(msgspec.Struct, frozen=True, gc=False):
    """The log was quiet, and time went on to `at`."""

    at: int


class AsOf(msgspec.Struct, frozen=True, gc=False):
    """The end of a replay: everything due until `at` is decided."""

    at: int


class Unreadable(msgspec.Struct, frozen=True, gc=False):
    """A record that no router wrote."""

    detail: str


Record = TouchpointRecord | Tick | AsOf

Content = TouchpointRecord | Body
"""What rules read of a touchpoint. In a `Body`, an integer stands for its digits where the contract says text."""


# A clock that a stray record had set beyond the year 9999 could never be written as a date again.
_Instant = Annotated[int, msgspec.Meta(ge=MS_MIN, le=MS_MAX)]


class Envelope(msgspec.Struct, gc=False):
    """The value of a log record, as far as a task reads it."""

    kind: str
    at: _Instant
    touchpoint: Body | None = None


class Original(msgspec.Struct):
    """The value of a log record, as a dead letter gives it back."""

    source: Source
    touchpoint: msgspec.Raw
    key: bytes | None = None


decode_envelope = msgspec.json.Decoder(Envelope).decode
decode_original = msgspec.json.Decoder(Original).decode
