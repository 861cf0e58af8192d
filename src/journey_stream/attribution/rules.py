"""Attribution by a rule: how one conversion is shared among the touches of its path.

The rules are those that the field knows as single-touch and multi-touch attribution. Each function takes the touches of
one path, of which there is at least one, and returns a share per touch; the shares add up to 1.
"""

from collections.abc import Sequence
from typing import Final

from journey_stream.attribution.paths import Touch
from journey_stream.events.times import DAY_MS

ENDS_SHARE: Final = 0.4
"""Position-based: what the first and the last touch get each; the others share the rest (40/20/40)."""

HALF_LIFE_MS: Final = 7 * DAY_MS
"""Time decay: a touch so much earlier than the conversion counts half."""


def first(touches: Sequence[Touch]) -> list[float]:
    """All to the first touch."""
    return [1.0] + [0.0] * (len(touches) - 1)


def last(touches: Sequence[Touch]) -> list[float]:
    """All to the last touch."""
    return [0.0] * (len(touches) - 1) + [1.0]


def linear(touches: Sequence[Touch]) -> list[float]:
    """The same to each touch."""
    return [1.0 / len(touches)] * len(touches)


def position(touches: Sequence[Touch]) -> list[float]:
    """40 % to the first, 40 % to the last, the rest to those between; one touch gets all, two get half each."""
    between = len(touches) - 2
    if between < 0:
        return [1.0]
    if between == 0:
        return [0.5, 0.5]
    share = (1.0 - 2.0 * ENDS_SHARE) / between
    return [ENDS_SHARE, *([share] * between), ENDS_SHARE]


def time_decay(touches: Sequence[Touch]) -> list[float]:
    """Half the weight with every half-life before the conversion."""
    # Relative to the latest touch: the shares are the same, and no weight of a long look-back becomes zero.
    latest = touches[-1].at
    weights = [0.5 ** ((latest - touch.at) / HALF_LIFE_MS) for touch in touches]
    total = sum(weights)
    return [weight / total for weight in weights]
