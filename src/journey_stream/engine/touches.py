"""What a profile keeps of a touchpoint, and how it is packed.

Values are arrays in MessagePack: short on the wire and quick to decode. A run of values is kept as their bytes in a
row, so that adding one is a concatenation and nobody unpacks what he does not read. The structs are invisible to the
garbage collector (`gc=False`): nothing in them can form a cycle, and scanning millions of them would cost more than
the work.
"""

from collections.abc import Iterable

import msgspec

Fact = str | int | float | bool | None
NEVER = 1 << 62
"""A time in ms that no clock reaches."""

LONG_AGO = -NEVER


class Touch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A touchpoint projected to what rules read; `facts` holds only the fields that the model asks for."""

    at: int
    id: str
    channel: str
    type: str
    facts: dict[str, Fact] | None = None


class Change(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One move from stage to stage (indices; -1 = none yet).

    `rule` is the index of an entry rule, or -1 - index of an inactivity rule. `since` is when `before` was entered,
    `silent_since` when the silence began that an inactivity rule saw.
    """

    at: int
    before: int
    after: int
    rule: int
    since: int | None
    evidence: tuple[str, ...]
    silent_since: int | None = None


encode = msgspec.msgpack.Encoder().encode
_decode_touches = msgspec.msgpack.Decoder(list[Touch]).decode
_decode_changes = msgspec.msgpack.Decoder(list[Change]).decode


def unpack_touches(count: int, run: bytes) -> list[Touch]:
    """The touchpoints of a run of `count` packed ones."""
    return _decode_touches(array_header(count) + run)


def unpack_changes(count: int, run: bytes) -> list[Change]:
    """The changes of a run of `count` packed ones."""
    return _decode_changes(array_header(count) + run)


def pack(values: Iterable[msgspec.Struct]) -> bytes:
    """The run of these values."""
    return b"".join(map(encode, values))


def winner_key(touch: Touch) -> tuple[int, bytes]:
    """Of several contents under one event_id, the smallest of these wins, whatever the order of arrival."""
    return touch.at, encode(touch)


def describe(touch: Touch) -> bytes:
    """A held touchpoint in JSON, as far as it was kept."""
    kept = {"event_id": touch.id, "occurred_at": touch.at, "channel": touch.channel, "type": touch.type}
    return msgspec.json.encode({**kept, "facts": touch.facts or {}})


def array_header(count: int) -> bytes:
    """What stands before a run of `count` values to make an array of it."""
    # MessagePack's array 32: any count, always five bytes.
    return b"\xdd" + count.to_bytes(4, "big")
