"""Credits that can be worked out by hand."""

from __future__ import annotations

import random
from collections import Counter
from itertools import product

import pytest

from journey_stream.attribution.markov import removal_effects
from journey_stream.attribution.models import MODELS, Credits, attribute
from journey_stream.attribution.walks import Paths

Path = tuple[tuple[str, ...], bool]


def path(keys: str, converted: bool = True) -> Path:
    """One touch for each letter, and whether a conversion followed."""
    return tuple(keys), converted


def counted(paths: list[Path]) -> Paths:
    won = [keys for keys, converted in paths if converted]
    lost = [keys for keys, converted in paths if not converted]
    return Paths(Counter(filter(None, won)), steps(lost), {}, won.count(()))


def steps(paths: list[tuple[str, ...]]) -> Counter[tuple[str, str | None]]:
    """What follows what on these paths."""
    return Counter(step for keys in paths for step in zip(keys, (*keys[1:], None), strict=True))


def of(model: str, *paths: Path) -> dict[str, float]:
    found = attribute(counted(list(paths)))
    return {key: round(credit, 12) for key, credit in zip(found.keys, found.models[model], strict=True)}


@pytest.mark.parametrize(
    ("model", "keys", "expected"),
    [
        ("first", "abc", {"a": 1, "b": 0, "c": 0}),
        ("last", "abc", {"a": 0, "b": 0, "c": 1}),
        ("linear", "abca", {"a": 0.5, "b": 0.25, "c": 0.25}),
        ("position", "a", {"a": 1}),
        ("position", "ab", {"a": 0.5, "b": 0.5}),
        ("position", "abc", {"a": 0.4, "b": 0.2, "c": 0.4}),
        ("position", "abcd", {"a": 0.4, "b": 0.1, "c": 0.1, "d": 0.4}),
        ("shapley", "abca", {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}),
    ],
)
def test_one_conversion_is_shared_as_the_model_says(model, keys, expected):
    assert {key: round(credit, 12) for key, credit in expected.items()} == of(model, path(keys))


def test_what_time_decay_shares_out_is_taken_as_it_is():
    found = attribute(Paths({("a", "b"): 1}, {("c", None): 1}, {"a": 0.25, "b": 0.75}, 0))

    assert (("a", "b", "c"), (0.25, 0.75, 0.0)) == (found.keys, found.models["time_decay"])


def test_what_is_lost_without_a_key_is_its_removal_effect():
    # Half go to a, half to b. From a, half convert and half go on to b; from b, two of three convert.
    walks = {("a",): 1, ("a", "b"): 1, ("b",): 1}

    effects = removal_effects(walks, steps([("b",)]), ["a", "b"])

    chance = 1 / 2 * (1 / 2 + 1 / 2 * 2 / 3) + 1 / 2 * 2 / 3
    assert pytest.approx(1 - (1 / 2 * 2 / 3) / chance) == effects["a"]
    assert pytest.approx(1 - (1 / 2 * 1 / 2) / chance) == effects["b"]


def test_a_key_that_is_on_every_way_is_lost_with_everything():
    walks = {("a", "x"): 3, ("b", "x"): 5}

    assert pytest.approx(1.0) == removal_effects(walks, steps([("b",), ("b",)]), ["a", "b", "x"])["x"]


def test_a_key_that_repeats_itself_gets_no_more_removal_effect():
    once, often = (path("ab"), path("b", False)), (path("aaaab"), path("bbb", False))

    assert of("markov", *once) == of("markov", *often)


def test_paths_without_a_conversion_lower_the_removal_effect_of_their_keys():
    before = of("markov", path("a"), path("b"))
    after = of("markov", path("a"), path("b"), path("ab", False))

    assert {"a": 1.0, "b": 1.0} == before
    assert after["a"] == pytest.approx(2 - after["b"])
    assert after["a"] != after["b"]


def test_a_key_that_never_led_to_a_conversion_is_named_and_has_no_credit():
    found = attribute(Paths({("a",): 1}, {("z", None): 1}, {"a": 1.0}, 0))

    assert ("a", "z") == found.keys
    assert dict.fromkeys(MODELS, (1.0, 0.0)) == found.models


def test_conversions_without_a_touch_are_counted_and_credited_to_nobody():
    found = attribute(Paths({("a",): 1}, {}, {"a": 1.0}, 2))

    assert Credits(3, 2, ("a",), dict.fromkeys(MODELS, (1.0,))) == found


def test_without_conversions_nobody_has_credit():
    assert Credits(0, 0, ("a",), dict.fromkeys(MODELS, (0.0,))) == attribute(counted([path("a", False)]))


def test_without_paths_there_is_nothing():
    assert Credits(0, 0, (), dict.fromkeys(MODELS, ())) == attribute(counted([]))


def test_the_order_of_the_walks_changes_not_a_bit():
    paths = [path("".join(keys), index % 3 > 0) for index, keys in enumerate(product("abcde", repeat=4))]
    shuffled = random.Random(7).sample(paths, len(paths))

    assert attribute(counted(paths)) == attribute(counted(shuffled))
