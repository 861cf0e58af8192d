"""Where a customer stands: all that the fold carries from one touchpoint to the next."""

from typing import Any, Final

import msgspec

from journey_stream.engine.packing import encode
from journey_stream.engine.touches import LONG_AGO, NEVER

Memory = dict[int, list[Any]]
"""Slot to the last matches, flat: [at, id, at, id, …], oldest first."""

StandingRow = tuple[int, int, int, int, int, Memory, int, int]
"""The fields of a standing in the order in which it is packed."""


class Standing:
    """Where a customer stands: the summary of all touchpoints folded so far.

    `silent_at` is the instant of the last move by inactivity: an earlier touchpoint cannot simply be stepped. No
    inactivity falls due before `quiet_until`, a lower bound that is made exact only when it is reached. `came_from` and
    `rule` are those of the last move.
    """

    __slots__ = ("came_from", "entered_at", "memory", "peak", "quiet_until", "rule", "silent_at", "stage")

    def __init__(
        self,
        stage: int = -1,
        peak: int = -1,
        entered_at: int = LONG_AGO,
        silent_at: int = LONG_AGO,
        quiet_until: int = NEVER,
        memory: Memory | None = None,
        came_from: int = -1,
        rule: int = 0,
    ) -> None:
        self.stage = stage
        self.peak = peak
        self.entered_at = entered_at
        self.silent_at = silent_at
        self.quiet_until = quiet_until
        self.memory: Memory = {} if memory is None else memory
        self.came_from = came_from
        self.rule = rule

    def row(self) -> StandingRow:
        """The fields, to be packed."""
        return (
            self.stage,
            self.peak,
            self.entered_at,
            self.silent_at,
            self.quiet_until,
            self.memory,
            self.came_from,
            self.rule,
        )


def standing_of(row: StandingRow) -> Standing:
    """The standing with these fields."""
    stage, peak, entered_at, silent_at, quiet_until, memory, came_from, rule = row
    return Standing(stage, peak, entered_at, silent_at, quiet_until, memory, came_from, rule)


def pack_standing(standing: Standing) -> bytes:
    """The bytes of a checkpoint."""
    return encode(standing.row())


def unpack_standing(packed: bytes) -> Standing:
    """Back from `pack_standing`. Raises msgspec.MsgspecError for other bytes."""
    return standing_of(_decode(packed))


_decode: Final = msgspec.msgpack.Decoder(StandingRow).decode
