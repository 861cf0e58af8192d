"""First-order Markov attribution: what would be lost without a key.

Paths are walks from *start* over keys to *conversion* or *null*, which both absorb; how often one follows another gives
the probabilities. The removal effect of a key is the share of the probability of conversion that is lost when each
visit to it ends in *null*; credits are the conversions in proportion to the removal effects. Anderl, Becker, von
Wangenheim and Schumann, "Mapping the customer journey: Lessons learned from graph-based online attribution modeling",
International Journal of Research in Marketing 33 (2016), pp. 457-474.

One matrix answers for all keys. What is lost without a key are the walks that visit it and convert, so its removal
effect is h * v / p: h the probability to visit it, v to convert from there on, p to convert at all. With N the inverse
of I - Q, where Q leads from key to key: h = (s N)_k / N_kk for the first steps s, and v = N r for the steps r into
*conversion* (Kemeny and Snell, "Finite Markov Chains", 1960, chapter 3).
"""

from collections import Counter
from collections.abc import Sequence
from math import fsum
from operator import mul
from typing import Final

from journey_stream.attribution.walks import Steps, Walks

_START: Final = -1
_CONVERSION: Final = -2
_NULL: Final = -3


def markov(walks: Walks, lost: Steps, keys: Sequence[str]) -> dict[str, float]:
    """Credits per key, which add up to the number of walks: the paths that converted. `lost` are the steps of others.

    `keys` are those of the paths, each once. Takes the time of as many multiplications as the cube of their number.
    """
    conversions = sum(walks.values())
    if not conversions:
        return dict.fromkeys(keys, 0.0)
    effects = removal_effects(walks, lost, keys)
    total = fsum(effects.values())
    return {key: conversions * effect / total for key, effect in effects.items()}


def removal_effects(walks: Walks, lost: Steps, keys: Sequence[str]) -> dict[str, float]:
    """The share of the conversions that is lost without a key, from 0 to 1. At least one path has to convert."""
    places = range(len(keys))
    shares = {
        state: {there: times / following.total() for there, times in following.items()}
        for state, following in _steps(walks, lost, keys).items()
    }
    begins = [shares[_START].get(here, 0.0) for here in places]
    ends = [shares[here].get(_CONVERSION, 0.0) for here in places]
    inverse = _inverse([[(here == there) - shares[here].get(there, 0.0) for there in places] for here in places])
    converts = [fsum(map(mul, row, ends)) for row in inverse]
    chance = fsum(map(mul, begins, converts))
    effects = {}
    for place, key in enumerate(keys):
        visits = fsum(begins[here] * inverse[here][place] for here in places)
        effects[key] = visits / inverse[place][place] * converts[place] / chance
    return effects


def _steps(walks: Walks, lost: Steps, keys: Sequence[str]) -> dict[int, Counter[int]]:
    """By state, how often each other one comes next. A key that follows itself is no step: no walk ends otherwise."""
    number = {key: place for place, key in enumerate(keys)}
    steps: dict[int, Counter[int]] = {state: Counter() for state in (_START, *range(len(keys)))}
    for walk, times in walks.items():
        here = _START
        for key in walk:
            there = number[key]
            if there != here:
                steps[here][there] += times
                here = there
        steps[here][_CONVERSION] += times
    for (key, following), times in lost.items():
        here, there = number[key], _NULL if following is None else number[following]
        if there != here:
            steps[here][there] += times
        # Each touch of these paths has come after another one, or else begins one.
        steps[_START][here] += times
        if there != _NULL:
            steps[_START][there] -= times
    return steps


def _inverse(matrix: list[list[float]]) -> list[list[float]]:
    """By Gauss-Jordan, in place. I - Q needs no pivoting: its diagonal outweighs the rest of each row."""
    size = range(len(matrix))
    for pivot in size:
        row = matrix[pivot]
        scale = 1.0 / row[pivot]
        row[pivot] = 1.0
        row[:] = [value * scale for value in row]
        for other in size:
            target = matrix[other]
            factor = target[pivot]
            if other != pivot and factor:
                target[pivot] = 0.0
                target[:] = [value - factor * above for value, above in zip(target, row, strict=True)]
    return matrix
