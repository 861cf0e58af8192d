"""What a partition stores about itself."""

import msgspec

from journey_stream.engine.touches import LONG_AGO

STATE_FORMAT = 6
"""Counts up when the meaning of stored state changes."""


class Meta(msgspec.Struct, array_like=True):
    """Format of the state, the journey model that it belongs to, and the clock (ms).

    `churn` is the fingerprint of the parameters of churn risk in use, empty for none, and the two fields after it name
    them. `generation` counts how often they have changed; `rescored_from` (ms) is the clock at the last change.
    `on_since` is the generation with which churn risk was last switched on. `erasure_key` is the fingerprint of the key
    by which erasures are known; empty as long as there are none.
    """

    format: int
    fingerprint: str
    model: str
    version: int
    clock: int
    churn: str = ""
    churn_name: str = ""
    churn_version: int = 0
    generation: int = 0
    rescored_from: int = LONG_AGO
    on_since: int = 0
    erasure_key: str = ""


class _Format(msgspec.Struct, array_like=True):
    format: int


decode_meta = msgspec.msgpack.Decoder(Meta).decode
_decode_format = msgspec.msgpack.Decoder(_Format).decode


def format_of(value: bytes) -> int:
    """The format alone, whatever else a newer release may have written."""
    return _decode_format(value).format
