"""Attribution by a rule: how one conversion is shared among the touches of its path.

The rules are those that the field knows as single-touch and multi-touch attribution, with the numbers of Google
Analytics' default models ("About the default MCF attribution models", Analytics Help): 40/20/40 for position-based, and
a half-life of 7 days. Each function returns a share per touch of one path, which has at least one; the shares add up
to 1. Time decay needs the instants of the touches, of which there are too many to leave the database: it is computed
there (`serve.queries.attribution`).
"""

from typing import Final

from journey_stream.events.times import DAY_MS

ENDS_SHARE: Final = 0.4
"""Position-based: what the first and the last touch get each; the others share the rest (40/20/40)."""

HALF_LIFE_MS: Final = 7 * DAY_MS
"""Time decay: a touch so much earlier than another counts half of it."""


def first(length: int) -> list[float]:
    """All to the first touch."""
    return [1.0] + [0.0] * (length - 1)


def last(length: int) -> list[float]:
    """All to the last touch."""
    return [0.0] * (length - 1) + [1.0]


def linear(length: int) -> list[float]:
    """The same to each touch."""
    return [1.0 / length] * length


def position(length: int) -> list[float]:
    """40 % to the first, 40 % to the last, the rest to those between; one touch gets all, two get half each."""
    if length <= 2:
        return [1.0 / length] * length
    share = (1.0 - 2.0 * ENDS_SHARE) / (length - 2)
    return [ENDS_SHARE, *([share] * (length - 2)), ENDS_SHARE]
