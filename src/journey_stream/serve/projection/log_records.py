"""What the projection reads of a record of journey.log: the touchpoints, and who has passed them on to whom."""

from typing import Final, NamedTuple

import msgspec


class _Body(msgspec.Struct, gc=False):
    """The fields that the numbers are made of. An integer where the contract says text stands for its digits."""

    event_id: str | int
    channel: str | int
    type: str | int
    value: float | None = None
    currency: str | None = None
    campaign: str | int | None = None


class _Passed(msgspec.Struct, array_like=True, gc=False):
    at: int
    event_id: str
    channel: str
    type: str


class _Envelope(msgspec.Struct, gc=False):
    kind: str
    at: int
    source: tuple[str, int, int] | None = None
    touchpoint: _Body | None = None
    via: str | None = None
    touchpoints: list[_Passed] | None = None


_decode: Final = msgspec.json.Decoder(_Envelope).decode

TouchpointRow = tuple[str, int, int, str, str, str, str | None, float | None, str | None, str, int, int, int, int]
"""Has the columns of TOUCHPOINT_COLUMNS."""

PassRow = tuple[str, str, str, int, int]
"""Has the columns of PASS_COLUMNS."""


class Named(NamedTuple):
    """A touchpoint by what is known of it where its position is not; `occurred_at` in ms."""

    event_id: str
    occurred_at: int
    channel: str
    type: str


def read_log_record(
    key: bytes | None, value: bytes | None, timestamp_ms: int, partition: int, offset: int
) -> TouchpointRow | list[PassRow] | None:
    """A touchpoint, or what its receiver gets (count 1) or gives back (-1); None for all other records.

    What cannot be read is none of them: a task says so in the dead letters.
    """
    if key is None or value is None:
        return None
    try:
        envelope, owner = _decode(value), key.decode()
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    body, source = envelope.touchpoint, envelope.source
    if body is not None and source is not None:
        campaign = body.campaign
        return (
            str(body.event_id),
            envelope.at,
            timestamp_ms,
            owner,
            str(body.channel),
            str(body.type),
            None if campaign is None else str(campaign),
            body.value,
            body.currency,
            *source,
            partition,
            offset,
        )
    if envelope.touchpoints is None or envelope.via is None or envelope.kind not in {"deliver", "retract"}:
        return None
    count = 1 if envelope.kind == "deliver" else -1
    return [(envelope.via, owner, one.event_id, one.at, count) for one in envelope.touchpoints]


class _Described(msgspec.Struct):
    event_id: str
    occurred_at: int
    channel: str
    type: str


_decode_described: Final = msgspec.json.Decoder(_Described).decode


def named_in(value: bytes | None) -> Named | None:
    """The touchpoint that a dead letter without a source is about: one displaced, or one that was passed on alone."""
    if value is None:
        return None
    try:
        found = _decode_described(value)
        return Named(found.event_id, found.occurred_at, found.channel, found.type)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    try:
        envelope = _decode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if envelope.kind != "deliver" or envelope.touchpoints is None or len(envelope.touchpoints) != 1:
        return None
    one = envelope.touchpoints[0]
    return Named(one.event_id, one.at, one.channel, one.type)
