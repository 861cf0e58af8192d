"""What attribution is computed from: how often which touches, in their order, led to a conversion or did not."""

from collections.abc import Mapping
from typing import NamedTuple

Walks = Mapping[tuple[tuple[str, ...], bool], int]
"""How many paths there are of each kind: their keys in order, at least one, and whether they converted."""


class Paths(NamedTuple):
    """The paths of all customers.

    `decayed` has, per key, the shares of time decay summed up over the paths that converted (`rules.HALF_LIFE_MS`).
    `empty` counts the conversions without a touch in the look-back.
    """

    walks: Walks
    decayed: Mapping[str, float]
    empty: int
