"""All models over the paths of all customers."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from math import fsum
from typing import Final, NamedTuple

from journey_stream.attribution import rules
from journey_stream.attribution.markov import markov
from journey_stream.attribution.shapley import shapley
from journey_stream.attribution.walks import Paths, Walks

BY_PLACE: Final[Mapping[str, Callable[[int], list[float]]]] = {
    "first": rules.first,
    "last": rules.last,
    "linear": rules.linear,
    "position": rules.position,
}
"""Models that look at nothing but the place of a touch in its path."""

MODELS: Final = (*BY_PLACE, "time_decay", "markov", "shapley")


class Credits(NamedTuple):
    """`models` maps each model to credits in conversions, aligned with `keys`, which are sorted.

    Of each model they add up to `conversions` less `unattributed`, those without a touch in the look-back.
    """

    conversions: int
    unattributed: int
    keys: tuple[str, ...]
    models: dict[str, tuple[float, ...]]


def attribute(paths: Paths) -> Credits:
    """The credits of every model. The order of the walks changes nothing, not even by rounding."""
    walks = paths.walks
    keys = sorted({key for walk in walks for key in walk}.union(key for key, _ in paths.lost))
    found: dict[str, Mapping[str, float]] = {name: _by_place(walks, shares_of) for name, shares_of in BY_PLACE.items()}
    found["time_decay"] = paths.decayed
    found["markov"] = markov(walks, paths.lost, keys)
    found["shapley"] = shapley(walks, keys)
    return Credits(
        conversions=sum(walks.values()) + paths.empty,
        unattributed=paths.empty,
        keys=tuple(keys),
        models={name: tuple([found[name].get(key, 0.0) for key in keys]) for name in MODELS},
    )


def _by_place(walks: Walks, shares_of: Callable[[int], list[float]]) -> dict[str, float]:
    parts: defaultdict[str, list[float]] = defaultdict(list)
    for walk, times in walks.items():
        for key, share in zip(walk, shares_of(len(walk)), strict=True):
            if share:
                parts[key].append(times * share)
    return {key: fsum(found) for key, found in parts.items()}
