"""Shapley attribution: the average of what a key adds, over all orders in which keys could have been added.

Zhao, Mahboobi, Bagheri (2018), Shapley value methods for attribution modeling in online advertising. The value of a
coalition of keys is the number of conversions whose path met no other key. For that value function a conversion is
worth something only to coalitions that hold every key of its path, so by the additivity and symmetry of the Shapley
value it is shared equally among the distinct keys of its path: exact, without going through the coalitions.
"""

from collections.abc import Mapping, Sequence


def shapley(walks: Mapping[tuple[tuple[str, ...], bool], int], keys: Sequence[str]) -> dict[str, float]:
    """Credits per key; `walks` as for `markov`."""
    shares = dict.fromkeys(keys, 0.0)
    for (walk, converted), times in sorted(walks.items()):
        met = sorted(set(walk))
        if converted:
            for key in met:
                shares[key] += times / len(met)
    return shares
