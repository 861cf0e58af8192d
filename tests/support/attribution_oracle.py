"""Credits from their definitions, slowly: every coalition, one chain for each key that is removed, whole fractions."""

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import combinations, pairwise
from math import comb

import numpy as np

DAY_MS = 86_400_000

Steps = Sequence[tuple[int, str]]
"""Instants (ms) and keys of one path, in order."""


def credits_of(converted: Iterable[Steps], lost: Iterable[Steps]) -> dict[str, dict[str, float]]:
    """By model and key, from the paths that converted and those that did not; none of them is empty."""
    won, missed = [list(path) for path in converted], [list(path) for path in lost]
    keys = sorted({key for path in won + missed for _, key in path})
    found = {
        "first": _ruled(won, keys, lambda length, at: Fraction(at == 0 < length)),
        "last": _ruled(won, keys, lambda length, at: Fraction(at == length - 1)),
        "linear": _ruled(won, keys, lambda length, _: Fraction(1, length)),
        "position": _ruled(won, keys, _position),
        "time_decay": _decayed(won, keys),
        "markov": _markov(won, missed, keys),
        "shapley": _shapley(won, keys),
    }
    return {model: {key: float(credit) for key, credit in of.items()} for model, of in found.items()}


def _ruled(won, keys, share):
    total = dict.fromkeys(keys, Fraction(0))
    for path in won:
        for at, (_, key) in enumerate(path):
            total[key] += share(len(path), at)
    return total


def _position(length: int, at: int) -> Fraction:
    if length <= 2:
        return Fraction(1, length)
    return Fraction(2, 5) if at in {0, length - 1} else Fraction(1, 5) / (length - 2)


def _decayed(won, keys):
    total = dict.fromkeys(keys, 0.0)
    for path in won:
        last = max(at for at, _ in path)
        for at, key in path:
            # What every other touchpoint weighs beside this one.
            others = sum(2.0 ** ((other - at) / (7 * DAY_MS)) for other, _ in path) if last - at < 6_000 * DAY_MS else 0
            total[key] += 1 / others if others else 0.0
    return total


def _markov(won, missed, keys):
    if not won:
        return dict.fromkeys(keys, 0.0)
    states = ["(start)", *keys, "(conversion)", "(null)"]
    counts = np.zeros((len(states), len(states)))
    for paths, end in ((won, -2), (missed, -1)):
        for path in paths:
            walk = [0, *(1 + keys.index(key) for _, key in path), len(states) + end]
            for here, there in pairwise(walk):
                counts[here, there] += 1
    chain = counts.copy()
    chain[:-2] /= counts[:-2].sum(axis=1, keepdims=True)
    whole = _chance(chain)
    effects = {}
    for number, key in enumerate(keys, 1):
        without = chain.copy()
        without[:, -1] += without[:, number]
        without[:, number] = 0
        effects[key] = 1 - _chance(without) / whole
    total = sum(effects.values())
    return {key: len(won) * effect / total for key, effect in effects.items()}


def _chance(chain: np.ndarray) -> float:
    """The probability of a walk from the first state to end in the last but one."""
    inner = chain[:-2, :-2]
    absorbed = np.linalg.solve(np.eye(len(inner)) - inner, chain[:-2, -2:])
    return float(absorbed[0, 0])


def _shapley(won, keys):
    """For each key, what it adds to each coalition of the others, weighed by how many orders let it join there."""
    sets = Counter(frozenset(key for _, key in path) for path in won)

    def worth(coalition: frozenset[str]) -> int:
        return sum(times for met, times in sets.items() if met <= coalition)

    total = dict.fromkeys(keys, Fraction(0))
    for key in keys:
        others = [other for other in keys if other != key]
        for size in range(len(keys)):
            for chosen in combinations(others, size):
                coalition = frozenset(chosen)
                added = worth(coalition | {key}) - worth(coalition)
                total[key] += Fraction(added, len(keys) * comb(len(keys) - 1, size))
    return total
