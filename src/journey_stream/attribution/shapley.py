"""Shapley attribution: the average of what a key adds, over all orders in which keys could have been added.

The worth of a coalition of keys is the number of conversions whose path met no key outside of it. So it is the sum,
over the conversions, of games that pay 1 to each coalition that holds all keys of one path, and 0 to all others. In
such a game these keys are interchangeable and the others add nothing: by efficiency, symmetry and the null player axiom
each gets 1 / their number. And the value of a sum of games is the sum of the values (Shapley, "A value for n-person
games", 1953). So a conversion is shared equally among the distinct keys of its path: exact for any number of keys,
without going through the coalitions. Zhao, Mahboobi and Bagheri, "Shapley Value Methods for Attribution Modeling in
Online Advertising" (2018, arXiv:1804.05327), arrive at the same form.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from math import fsum

from journey_stream.attribution.walks import Walks


def shapley(walks: Walks, keys: Sequence[str]) -> dict[str, float]:
    """Credits per key, which add up to the number of walks."""
    sizes: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for walk, times in walks.items():
        met = set(walk)
        for key in met:
            sizes[key][len(met)] += times
    return {key: fsum(times / size for size, times in sizes[key].items()) for key in keys}
