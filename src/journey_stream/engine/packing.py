"""How touchpoints and changes are packed.

Values are arrays in MessagePack: short on the wire and quick to decode. A run of values is kept as their bytes in a
row, so that adding one is a concatenation and nobody unpacks what he does not read.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from journey_stream.engine.touches import Change, Facts, Touch

encode: Final = msgspec.msgpack.Encoder().encode
unpack_part: Final = msgspec.msgpack.Decoder(list[Touch]).decode
"""The touchpoints of a part."""

_decode_changes: Final = msgspec.msgpack.Decoder(list[Change]).decode


def pack_touch(at: int, event_id: str, channel: str, type_: str, facts: Facts | None) -> bytes:
    """One touchpoint that came from a source packed, as a run holds it."""
    return encode((at, event_id, channel, type_, facts))


def pack_touches(touches: Iterable[Touch]) -> bytes:
    """The run of these touchpoints."""
    # The last field, which nearly none has, is left out where it is None.
    return b"".join(
        [
            encode(touch)
            if touch.via is not None
            else pack_touch(touch.at, touch.id, touch.channel, touch.type, touch.facts)
            for touch in touches
        ]
    )


def unpack_touches(count: int, run: bytes) -> list[Touch]:
    """The touchpoints of a run of `count` packed ones."""
    return unpack_part(array_header(count) + run)


def unpack_changes(count: int, run: bytes) -> list[Change]:
    """The changes of a run of `count` packed ones."""
    return _decode_changes(array_header(count) + run)


def pack(values: Iterable[msgspec.Struct]) -> bytes:
    """The run of these values."""
    return b"".join(map(encode, values))


def winner_key(touch: Touch) -> tuple[int, bytes]:
    """Of several contents under one event_id, the smallest of these wins, whatever the order of arrival."""
    return touch.at, pack_touch(touch.at, touch.id, touch.channel, touch.type, touch.facts)


def describe(touch: Touch) -> bytes:
    """A held touchpoint in JSON, as far as it was kept."""
    kept = {"event_id": touch.id, "occurred_at": touch.at, "channel": touch.channel, "type": touch.type}
    return msgspec.json.encode({**kept, "facts": touch.facts or {}})


def array_header(count: int) -> bytes:
    """What stands before a run of `count` values to make an array of it."""
    # MessagePack's array 32: any count, always five bytes.
    return b"\xdd" + count.to_bytes(4, "big")
