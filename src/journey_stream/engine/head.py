"""The head of a profile: what is read and written with every change of it."""

import msgspec

from journey_stream.engine.standing import Standing
from journey_stream.engine.touches import LONG_AGO, NEVER

CHECKPOINT = 0
"""Number of the part that holds the checkpoint instead of touchpoints."""


class Head(msgspec.Struct, array_like=True, gc=False):
    """Instants in ms. `tail` and `history` are runs of packed touchpoints and changes.

    `armed`: when the profile's timer rings. `history`: the `changes` changes since the checkpoint, of which the first
    `published` are on the topic. `tail`: the newest `tail_count` of `held` touchpoints, the last of them being
    (`last_at`, `last_id`). `parts`: numbers of the parts that hold the others, oldest first. `folds_at`: when the clock
    lets the oldest part fold into the checkpoint, which ends at (`folded_at`, `folded_id`).
    """

    armed: int = NEVER
    revision: int = 0
    changes: int = 0
    published: int = 0
    held: int = 0
    last_at: int = LONG_AGO
    last_id: str = ""
    folds_at: int = NEVER
    folded_at: int = LONG_AGO
    folded_id: str = ""
    next_part: int = CHECKPOINT + 1
    overflow: bool = False
    standing: Standing = msgspec.field(default_factory=Standing)
    tail_count: int = 0
    tail: bytes = b""
    history: bytes = b""
    parts: list[int] = []


decode_head = msgspec.msgpack.Decoder(Head).decode
decode_standing = msgspec.msgpack.Decoder(Standing).decode
