"""What segments need to know of the past beyond what rules remember: how often, since when, back since when.

A tally is a short list in a standing's memory, beside those of the rules, and folded with them.
"""

from typing import Final

from journey_stream.engine.predicates import Holds
from journey_stream.engine.standing import Memory
from journey_stream.engine.touches import LONG_AGO, Facts
from journey_stream.journey.where import Where

COUNT: Final = 0
"""[how many], up to as many as anybody asks for."""
FIRST: Final = 1
"""[when the first was]."""
BACK: Final = 2
"""[when the last one was that came after a pause (LONG_AGO for never), when the last one was]."""

TallyKey = tuple[str, tuple[Where, ...], int, int]
"""The tally of a kind of touchpoint, what it has to meet, what is kept, and the length of the pause (ms) for BACK."""


class Tally:
    """A tally that a touchpoint feeds: the number of its memory, what it keeps, and on what condition.

    `limit` is the highest number that is counted to, or the length of the pause in ms.
    """

    __slots__ = ("holds", "limit", "slot", "what")

    def __init__(self, slot: int, what: int, limit: int, holds: Holds | None) -> None:
        self.slot = slot
        self.what = what
        self.limit = limit
        self.holds = holds


def count(tallies: tuple[Tally, ...], memory: Memory, at: int, facts: Facts | None) -> None:
    """Fold a touchpoint that comes after all that the memory has seen into those of its tallies that it is for."""
    for tally in tallies:
        if tally.holds is None or tally.holds(facts):
            _count_in(tally, memory, at)


def _count_in(tally: Tally, memory: Memory, at: int) -> None:
    kept = memory.get(tally.slot)
    if tally.what == COUNT:
        if kept is None:
            memory[tally.slot] = [1]
        elif kept[0] < tally.limit:
            kept[0] += 1
    elif tally.what == FIRST:
        if kept is None:
            memory[tally.slot] = [at]
    elif kept is None:
        memory[tally.slot] = [LONG_AGO, at]
    else:
        if at - kept[1] >= tally.limit:
            kept[0] = at
        kept[1] = at
