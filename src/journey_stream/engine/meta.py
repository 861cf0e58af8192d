"""What a partition stores about itself."""

import msgspec

STATE_FORMAT = 2
"""Counts up when the meaning of stored state changes."""


class Meta(msgspec.Struct, array_like=True):
    """Format of the state, the journey model that it belongs to, and the clock (ms)."""

    format: int
    fingerprint: str
    model: str
    version: int
    clock: int


class _Format(msgspec.Struct, array_like=True):
    format: int


decode_meta = msgspec.msgpack.Decoder(Meta).decode
_decode_format = msgspec.msgpack.Decoder(_Format).decode


def format_of(value: bytes) -> int:
    """The format alone, whatever else a newer release may have written."""
    return _decode_format(value).format
