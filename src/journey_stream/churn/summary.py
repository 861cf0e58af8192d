"""What is kept of a customer for scoring: a handful of numbers, folded from touchpoints in the order of time."""

from typing import Final

import msgspec

SPENT_MAX: Final = 1e15
"""More than that is no money. Without an end the sum could become infinite, and a score of it no number at all."""


class Summary(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A customer who has bought at least once; instants in ms since the epoch.

    `repeats` counts purchase occasions after the first. Purchases of one occasion (by default of one UTC day) count
    once, as in the data that BG/NBD was made for. `signals` holds when each signal was last seen, by its id.
    """

    first: int
    last: int
    repeats: int = 0
    spent: float = 0.0
    signals: dict[str, int] | None = None
