"""The head of a profile: what is read and written with every change of it."""

import msgspec

from journey_stream.engine.risk import RiskState, decode_risk
from journey_stream.engine.standing import Standing
from journey_stream.engine.touches import LONG_AGO, NEVER

CHECKPOINT = 0
"""Number of the part that holds the checkpoint instead of touchpoints."""

RISK_CHECKPOINT = (1 << 32) - 1
"""Number of the part that holds the checkpoint of churn risk."""


class RiskHead(msgspec.Struct, array_like=True, gc=False):
    """Churn risk in the head: `state` is a packed RiskState, which only touchpoints that concern risk need unpacked.

    `quiet_until` is a copy of the state's, for the timer. `history` is the run of the `changes` changes of band since
    the checkpoint, all of them published; `revision` counts the messages about them.
    """

    quiet_until: int = NEVER
    revision: int = 0
    changes: int = 0
    history: bytes = b""
    state: bytes = b""

    def unpacked(self) -> RiskState:
        """The state, for work; to be packed again afterwards."""
        return decode_risk(self.state) if self.state else RiskState()


class Head(msgspec.Struct, array_like=True, gc=False):
    """Instants in ms. `tail` and `history` are runs of packed touchpoints and changes.

    `armed`: when the profile's timer rings. `history`: the `changes` changes since the checkpoint, of which the first
    `published` are on the topic. `tail`: the newest `tail_count` of `held` touchpoints, the last of them being
    (`last_at`, `last_id`). `parts`: numbers of the parts that hold the others, oldest first. `folds_at`: when the clock
    lets the oldest part fold into the checkpoint, which ends at (`folded_at`, `folded_id`). `generation` counts the
    parameters of churn risk that the partition has seen, up to those that `risk` was scored with.
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
    generation: int = 0
    risk: RiskHead | None = None


decode_head = msgspec.msgpack.Decoder(Head).decode
decode_standing = msgspec.msgpack.Decoder(Standing).decode
