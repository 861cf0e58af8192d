"""The wire format of journey.log: the one ordered input of a task.

A record's key is the profile id (none for a tick), its Kafka timestamp is `arrived_at`, and its value is JSON. A
touchpoint's original bytes stand in the value verbatim, so that a dead letter can give them back; the frame of one that
came framed stands behind them.
"""

from typing import Final

import msgspec

from journey_stream.events.admission import Admitted
from journey_stream.events.body import Body, properties_of
from journey_stream.events.framing import original_with_frame
from journey_stream.events.records import (
    AsOf,
    Attach,
    Block,
    Content,
    Deliver,
    Erase,
    Link,
    Message,
    Passed,
    Record,
    Retract,
    Source,
    Tick,
    TouchpointRecord,
    Unlink,
    Unreadable,
    decode_envelope,
    decode_message,
    decode_original,
)

__all__ = [
    "AsOf",
    "Attach",
    "Block",
    "Content",
    "Deliver",
    "Erase",
    "Link",
    "Message",
    "Passed",
    "Record",
    "Retract",
    "Source",
    "Tick",
    "TouchpointRecord",
    "Unlink",
    "Unreadable",
    "decode",
    "decode_touchpoint",
    "encode_as_of",
    "encode_from",
    "encode_message",
    "encode_tick",
    "encode_touchpoint",
    "links_of",
    "original_of",
    "source_of",
]


_BEFORE_TOUCHPOINT = b'"touchpoint":'


_quote = msgspec.json.encode
_encode: Final = msgspec.json.Encoder().encode
_decode_envelope: Final = decode_envelope  # a name that compiled code need not look up


def encode_touchpoint(admitted: Admitted, source: Source, source_key: bytes | None) -> bytes:
    """The log value of an admitted touchpoint; the key of the source record travels along unless it is the owner's."""
    key = admitted.profile_id.encode()
    return encode_from(source_of(source.topic, source.partition), source.offset, admitted, key, source_key)


def source_of(topic: str, partition: int) -> bytes:
    """What the log values of all records of one source partition say of their source; for `encode_from`."""
    return b'"source":[%b,%d,' % (_quote(topic), partition)


def encode_from(source: bytes, offset: int, admitted: Admitted, key: bytes, source_key: bytes | None) -> bytes:
    """`encode_touchpoint` for one of many: `source` as by `source_of`, `key` is the profile id in bytes."""
    extra = b"" if source_key is None or source_key == key else b'"key":' + _quote(source_key) + b","
    at, value = admitted.occurred_at, admitted.value
    return b'{"kind":"touchpoint","at":%d,%b%d],%b"touchpoint":%b}' % (at, source, offset, extra, value)


def links_of(admitted: Admitted) -> list[Link]:
    """What a touchpoint shows of its lower identifiers: that each of them was seen with the owner."""
    parent, at, event_id = admitted.profile_id, admitted.occurred_at, admitted.event_id
    return [Link(profile_id=child, at=at, parent=parent, event_id=event_id) for child in admitted.lower]


def encode_tick(at: int) -> bytes:
    """The log value of a tick."""
    return b'{"kind":"tick","at":%d}' % at


def encode_as_of(at: int) -> bytes:
    """The log value that ends a replay."""
    return b'{"kind":"as_of","at":%d}' % at


def encode_message(message: Message) -> bytes:
    """The log value of what is said of an identifier; the key of the record is `message.profile_id`."""
    # Key and timestamp go with the record, and what has its default value is not written.
    return _encode(msgspec.structs.replace(message, profile_id="", arrived_at=0))


def decode_touchpoint(key: bytes | None, value: bytes | None) -> tuple[str, int, Body] | None:
    """Profile id, instant (ms) and body of a logged touchpoint; None for any other record, which `decode` explains."""
    if key is None:
        return None
    try:
        envelope = _decode_envelope(value or b"")
        body = envelope.touchpoint
        return None if body is None else (key.decode(), envelope.at, body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def decode(key: bytes | None, timestamp_ms: int, value: bytes | None) -> Record | Unreadable:
    """One log record; never raises: what cannot be read says why."""
    try:
        envelope = _decode_envelope(value or b"")
        body = envelope.touchpoint
        if body is not None and key is not None:
            return _touchpoint(key.decode(), timestamp_ms, envelope.at, body)
        if key is not None and envelope.kind in _MESSAGES:
            message: Message = decode_message(value or b"")
            message.profile_id, message.arrived_at = key.decode(), timestamp_ms
            return message
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return Unreadable(str(error))
    if envelope.kind == "tick":
        return Tick(envelope.at)
    if envelope.kind == "as_of":
        return AsOf(envelope.at)
    return Unreadable(f"kind {envelope.kind!r} with{'' if key else 'out'} a key; expected one of {_KINDS}")


_MESSAGES: Final = frozenset({"link", "unlink", "block", "deliver", "retract", "attach", "erase"})
_KINDS: Final = ", ".join(["touchpoint", "tick", "as_of", *sorted(_MESSAGES)])


def original_of(value: bytes | None) -> tuple[Source, bytes | None, bytes] | None:
    """Source position, source key (None: the log record's own) and original bytes of a logged touchpoint."""
    try:
        original = decode_original(value or b"")
        # But for its frame the touchpoint comes last, and quotes inside the text before it are escaped. Cutting it out,
        # instead of taking it from the parser, keeps the white space around it.
        start = (value or b"").index(_BEFORE_TOUCHPOINT) + len(_BEFORE_TOUCHPOINT)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    touchpoint = (value or b"")[start:-1]
    if original.frame is not None:
        touchpoint = original_with_frame(touchpoint, original.frame)
    return original.source, original.key, touchpoint


def _touchpoint(profile_id: str, arrived_at: int, occurred_at: int, body: Body) -> TouchpointRecord:
    return TouchpointRecord(
        profile_id,
        arrived_at,
        occurred_at,
        str(body.event_id),
        str(body.channel),
        str(body.type),
        body.value,
        body.currency,
        None if body.campaign is None else str(body.campaign),
        properties_of(body),
    )
