"""The position record: how far a task has come, kept in the changelog beside the state that it belongs to.

It is written in the same transaction as the state and the outputs. The offsets of the consumer group are only for lag
tools: after a commit they become visible later than the state does.
"""

import msgspec

KEY = b"_position"
"""The engine's own keys begin with `h`, `p` or `m`."""


class Position(msgspec.Struct, frozen=True):
    """The next offset of the log partition to apply, the clock there (ms), and the log's number of partitions."""

    next_offset: int
    clock: int
    partitions: int


_decode = msgspec.json.Decoder(Position).decode
_encode = msgspec.json.Encoder().encode


def encode_position(position: Position) -> bytes:
    """The value of the position record."""
    return _encode(position)


def decode_position(value: bytes) -> Position:
    """Raises ValueError if the value is not a position."""
    try:
        return _decode(value)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a position record: {error}") from error
