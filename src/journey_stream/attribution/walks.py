"""What attribution is computed from: how often which touches, in their order, led to a conversion or did not."""

from collections.abc import Mapping
from typing import NamedTuple

Walks = Mapping[tuple[str, ...], int]
"""How many paths there are of each kind: their keys in order, at least one."""

Steps = Mapping[tuple[str, str | None], int]
"""How often a key was followed by another or, None, was the last of its path."""


class Paths(NamedTuple):
    """The paths of all customers.

    `walks` are those that converted. Of the others, which are not credited and may be many more, it is enough to know
    their steps, `lost`: what a path begins with is what has not followed anything.

    `decayed` has, per key, the shares of time decay summed up over the paths that converted (`rules.HALF_LIFE_MS`).
    `empty` counts the conversions without a touch in the look-back.
    """

    walks: Walks
    lost: Steps
    decayed: Mapping[str, float]
    empty: int
