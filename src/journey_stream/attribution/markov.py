"""First-order Markov attribution: what would be lost without a key.

Anderl, Becker, von Wangenheim, Schumann (2016), Mapping the customer journey, Int. J. of Research in Marketing 33(3).
Paths are walks through a graph whose states are the keys, between *start* and one of *conversion* and *null*. The
removal effect of a key is the share of the probability of conversion that is lost when each visit to it ends in *null*.
Credits are the conversions in proportion to the removal effects.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

START: Final = None
_CONVERSION: Final = "conversion"
_NULL: Final = "null"
_End = tuple[str]
CONVERSION: Final[_End] = (_CONVERSION,)
NULL: Final[_End] = (_NULL,)
"""One-tuples, so that no key of a touchpoint can be mistaken for an end."""

State = str | _End | None


def markov(walks: Mapping[tuple[tuple[str, ...], bool], int], keys: Sequence[str]) -> dict[str, float]:
    """Credits per key; `walks` counts (keys of a path in order, whether it converted). Empty paths count as none."""
    steps: defaultdict[State, Counter[State]] = defaultdict(Counter)
    conversions = 0
    for (walk, converted), times in sorted(walks.items()):
        if not walk:
            continue
        conversions += times * converted
        before: State = START
        for key in walk:
            steps[before][key] += times
            before = key
        steps[before][CONVERSION if converted else NULL] += times
    if not conversions:
        return dict.fromkeys(keys, 0.0)
    whole = _conversion_probability(steps, keys, None)
    effects = {key: max(0.0, 1.0 - _conversion_probability(steps, keys, key) / whole) for key in keys}
    total = sum(effects.values())
    return {key: conversions * effect / total for key, effect in effects.items()}


def _conversion_probability(steps: Mapping[State, Counter[State]], keys: Sequence[str], removed: str | None) -> float:
    """P(conversion | start): solves p(s) = Σ P(s→t)·p(t) with p(conversion) = 1, p(null) = p(removed) = 0."""
    states: list[State] = [START, *(key for key in keys if key != removed and key in steps)]
    index = {state: number for number, state in enumerate(states)}
    rows: list[list[float]] = []
    for number, state in enumerate(states):
        row = [0.0] * (len(states) + 1)
        row[number] = 1.0
        total = sum(steps[state].values())
        for target, times in steps[state].items():
            if target == CONVERSION:
                row[-1] += times / total
            elif target in index:
                row[index[target]] -= times / total
        rows.append(row)
    return _solved(rows)[0]


def _solved(rows: list[list[float]]) -> list[float]:
    """Gaussian elimination with partial pivoting of the augmented matrix (n, n + 1)."""
    size = len(rows)
    for column in range(size):
        pivot = max(range(column, size), key=lambda number: abs(rows[number][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for below in range(column + 1, size):
            factor = rows[below][column] / rows[column][column]
            if factor:
                top = rows[column]
                rows[below] = [value - factor * top[at] for at, value in enumerate(rows[below])]
    solution = [0.0] * size
    for number in reversed(range(size)):
        known = sum(rows[number][at] * solution[at] for at in range(number + 1, size))
        solution[number] = (rows[number][size] - known) / rows[number][number]
    return solution
