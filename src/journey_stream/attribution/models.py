"""All models over the paths of all customers."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from journey_stream.attribution import rules
from journey_stream.attribution.markov import markov
from journey_stream.attribution.paths import Path, Touch
from journey_stream.attribution.shapley import shapley

RULES: Final[dict[str, Callable[[Sequence[Touch]], list[float]]]] = {
    "first": rules.first,
    "last": rules.last,
    "linear": rules.linear,
    "position": rules.position,
    "time_decay": rules.time_decay,
}
MODELS: Final = (*RULES, "markov", "shapley")


class Credits(NamedTuple):
    """`models` maps each model to credits in conversions, aligned with `keys`, which are sorted.

    Of each model they add up to `conversions` less `unattributed`, those without a touch in the look-back.
    """

    conversions: int
    unattributed: int
    keys: tuple[str, ...]
    models: dict[str, tuple[float, ...]]


def attribute(paths: Iterable[Path]) -> Credits:
    """The credits of every model. The order of the paths changes them by rounding at the most."""
    walks: Counter[tuple[tuple[str, ...], bool]] = Counter()
    shared: dict[str, dict[str, float]] = {name: {} for name in RULES}
    conversions = unattributed = 0
    found: set[str] = set()
    for touches, converted_at in paths:
        walk = tuple(touch.key for touch in touches)
        walks[walk, converted_at is not None] += 1
        found.update(walk)
        if converted_at is None:
            continue
        conversions += 1
        if not touches:
            unattributed += 1
            continue
        for name, rule in RULES.items():
            sums = shared[name]
            for key, share in zip(walk, rule(touches), strict=True):
                sums[key] = sums.get(key, 0.0) + share
    keys = tuple(sorted(found))
    models = {name: tuple(sums.get(key, 0.0) for key in keys) for name, sums in shared.items()}
    for name, solved in (("markov", markov(walks, keys)), ("shapley", shapley(walks, keys))):
        models[name] = tuple(solved[key] for key in keys)
    return Credits(conversions, unattributed, keys, models)
