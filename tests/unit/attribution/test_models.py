"""The models against independent ones: coalitions gone through one by one, and matrices inverted."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journey_stream.attribution.models import MODELS, attribute
from journey_stream.attribution.paths import Path, Touch, paths_of
from journey_stream.events.times import DAY_MS

KEYS = "abcde"


def path(keys: str, *, converted: bool = True) -> Path:
    """One touch a day; a conversion on the day of the last."""
    touches = tuple(Touch(day * DAY_MS, key) for day, key in enumerate(keys))
    return Path(touches, (len(keys) - 1) * DAY_MS if converted else None)


def credits_of(model: str, *paths: Path) -> dict[str, float]:
    found = attribute(paths)
    return dict(zip(found.keys, found.models[model], strict=True))


def enumerated_shapley(paths: list[Path]) -> dict[str, float]:
    """The definition: the marginal value of a key over all coalitions of the others."""
    met = [frozenset(touch.key for touch in one.touches) for one in paths if one.converted_at is not None]

    def value(coalition: frozenset[str]) -> int:
        return sum(1 for keys in met if keys and keys <= coalition)

    everybody = sorted({touch.key for one in paths for touch in one.touches})
    n, found = len(everybody), {}
    for key in everybody:
        others = [other for other in everybody if other != key]
        found[key] = sum(
            math.factorial(size)
            * math.factorial(n - size - 1)
            / math.factorial(n)
            * (value(frozenset(some) | {key}) - value(frozenset(some)))
            for size in range(n)
            for some in combinations(others, size)
        )
    return found


def inverted_markov(paths: list[Path]) -> dict[str, float]:
    """Absorption probabilities by the fundamental matrix (I - Q)^-1 R."""
    walks = [(["(start)", *(t.key for t in one.touches)], one.converted_at is not None) for one in paths if one.touches]
    counts: Counter[tuple[str, str]] = Counter()
    for walk, converted in walks:
        counts.update(zip(walk, [*walk[1:], "(conversion)" if converted else "(null)"], strict=True))

    def probability(removed: str | None) -> float:
        states = [s for s in sorted({before for before, _ in counts}) if s != removed]
        q, r = np.zeros((len(states), len(states))), np.zeros(len(states))
        for (before, after), times in counts.items():
            if before == removed:
                continue
            share = times / sum(number for (one, _), number in counts.items() if one == before)
            if after == "(conversion)":
                r[states.index(before)] += share
            elif after in states:
                q[states.index(before), states.index(after)] += share
        return float((np.linalg.inv(np.eye(len(states)) - q) @ r)[states.index("(start)")])

    conversions = sum(converted for _, converted in walks)
    keys = sorted({key for walk, _ in walks for key in walk[1:]})
    if not conversions:
        return dict.fromkeys(keys, 0.0)
    effects = {key: 1 - probability(key) / probability(None) for key in keys}
    return {key: conversions * effect / sum(effects.values()) for key, effect in effects.items()}


paths = st.lists(
    st.builds(
        lambda keys, converted: path(keys, converted=converted and bool(keys)), st.text(KEYS, max_size=6), st.booleans()
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=200)
@given(paths)
def test_shapley_equals_the_sum_over_all_coalitions(some: list[Path]) -> None:
    assert credits_of("shapley", *some) == pytest.approx(enumerated_shapley(some), abs=1e-6)


@settings(deadline=None, max_examples=200)
@given(paths)
def test_markov_equals_the_inverted_matrix(some: list[Path]) -> None:
    assert credits_of("markov", *some) == pytest.approx(inverted_markov(some), abs=1e-6)


@settings(deadline=None, max_examples=100)
@given(paths)
def test_the_credits_of_every_model_add_up_to_the_conversions_with_a_touch(some: list[Path]) -> None:
    found = attribute(some)

    for model in MODELS:
        assert sum(found.models[model]) == pytest.approx(found.conversions - found.unattributed, abs=1e-6)


def test_position_gives_the_ends_four_tenths_each() -> None:
    assert {"a": 0.4, "b": 0.1, "c": 0.1, "d": 0.4} == pytest.approx(credits_of("position", path("abcd")))
    assert {"a": 0.5, "b": 0.5} == credits_of("position", path("ab"))
    assert {"a": 1.0} == credits_of("position", path("a"))


def test_time_decay_halves_with_every_week() -> None:
    week = tuple(Touch(at * DAY_MS, key) for at, key in ((0, "a"), (7, "b")))

    assert {"a": 1 / 3, "b": 2 / 3} == pytest.approx(credits_of("time_decay", Path(week, 10 * DAY_MS)))


def test_first_and_last_take_all() -> None:
    assert {"a": 1.0, "b": 0.0, "c": 0.0} == credits_of("first", path("abc"))
    assert {"a": 0.0, "b": 0.0, "c": 1.0} == credits_of("last", path("abc"))


def test_a_conversion_without_a_touch_is_unattributed() -> None:
    found = attribute([Path((), 5)])

    assert (1, 1, ()) == (found.conversions, found.unattributed, found.keys)


def test_a_path_ends_at_its_conversion_and_begins_after_the_one_before() -> None:
    touches = [Touch(at, str(at)) for at in (0, 10, 20, 30, 40)]

    found = list(paths_of(touches, [20, 30], look_back_ms=15, now_ms=50))

    assert [(["10", "20"], 20), (["30"], 30), (["40"], None)] == [
        ([touch.key for touch in one.touches], one.converted_at) for one in found
    ]


def test_somebody_who_never_converted_is_one_path_with_all_of_it() -> None:
    touches = [Touch(at, "x") for at in (0, 1_000)]

    assert [Path(tuple(touches), None)] == list(paths_of(touches, [], look_back_ms=5, now_ms=1_000))
