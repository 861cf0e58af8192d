"""The head of a profile: what is read and written with every change of it."""

from typing import Final

import msgspec

from journey_stream.engine.standing import Standing, StandingRow, standing_of
from journey_stream.engine.touches import LONG_AGO, NEVER

CHECKPOINT: Final = 0
"""Number of the part that holds the checkpoint instead of touchpoints."""

RISK: Final = (1 << 32) - 1
"""Number of the part that holds what is kept for churn risk."""

LINKS: Final = (1 << 32) - 2
"""Number of the part that holds what is known of other identifiers."""

HeadRow = tuple[
    int, int, int, int, int, int, str, int, int, str, int, bool, int, int, bool, int, int, int | None,
    StandingRow, int, bytes, bytes, list[int],
]  # fmt: skip
"""The fields of a head in the order in which it is packed."""


class Head:
    """Instants in ms. `tail` and `history` are runs of packed touchpoints and changes.

    `armed`: when the profile's timer rings. `history`: the `changes` changes since the checkpoint, of which the first
    `published` are on the topic. `tail`: the newest `tail_count` of `held` touchpoints, the last of them being
    (`last_at`, `last_id`). `parts`: numbers of the parts that hold the others, oldest first. `folds_at`: when the clock
    lets the oldest part fold into the checkpoint, which ends at (`folded_at`, `folded_id`). `generation` counts the
    parameters of churn risk that the partition has seen, up to those that this profile was scored with, and silence
    changes nothing about that before `risk_quiet_until`; `risk_band` is the band by its index. `routes`: touchpoints
    may belong to another identifier. `segment` is the index of the one last shown, which silence does not end before
    `segment_until`; None: never. -1: no band, or no segment.
    """

    __slots__ = (
        "armed",
        "changes",
        "folded_at",
        "folded_id",
        "folds_at",
        "generation",
        "held",
        "history",
        "last_at",
        "last_id",
        "next_part",
        "overflow",
        "parts",
        "published",
        "revision",
        "risk_band",
        "risk_quiet_until",
        "routes",
        "segment",
        "segment_until",
        "standing",
        "tail",
        "tail_count",
    )

    def __init__(self, row: HeadRow | None = None) -> None:
        if row is None:
            new = Standing().row()
            first = (NEVER, 0, 0, 0, 0, LONG_AGO, "", NEVER, LONG_AGO, "", CHECKPOINT + 1, False)
            row = (*first, 0, NEVER, False, -1, -1, None, new, 0, b"", b"", [])
        (
            self.armed,
            self.revision,
            self.changes,
            self.published,
            self.held,
            self.last_at,
            self.last_id,
            self.folds_at,
            self.folded_at,
            self.folded_id,
            self.next_part,
            self.overflow,
            self.generation,
            self.risk_quiet_until,
            self.routes,
            self.risk_band,
            self.segment,
            self.segment_until,
            standing,
            self.tail_count,
            self.tail,
            self.history,
            self.parts,
        ) = row
        self.standing = standing_of(standing)

    def row(self) -> HeadRow:
        """The fields, to be packed."""
        return (
            self.armed,
            self.revision,
            self.changes,
            self.published,
            self.held,
            self.last_at,
            self.last_id,
            self.folds_at,
            self.folded_at,
            self.folded_id,
            self.next_part,
            self.overflow,
            self.generation,
            self.risk_quiet_until,
            self.routes,
            self.risk_band,
            self.segment,
            self.segment_until,
            self.standing.row(),
            self.tail_count,
            self.tail,
            self.history,
            self.parts,
        )


decode_row: Final = msgspec.msgpack.Decoder(HeadRow).decode
"""The fields of a packed head. Raises msgspec.MsgspecError for other bytes."""


def scheduled(packed: bytes) -> tuple[int, int]:
    """When the timer of a packed head rings, and its generation."""
    row = decode_row(packed)
    return row[0], row[12]
