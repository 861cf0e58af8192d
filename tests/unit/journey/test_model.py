from dataclasses import FrozenInstanceError, replace

import pytest

from journey_stream.journey.load import parse_model
from journey_stream.journey.model import Atom, Moves
from journey_stream.journey.where import Where
from tests.unit.journey.model_texts import changed, good_model


@pytest.mark.parametrize(
    ("forward", "to_index", "allowed"),
    [("any", 0, True), ("any", 3, True), ("next", 0, True), ("next", 1, False)],
)
def test_a_new_customer_moves_forward_from_before_the_first_stage(forward: str, to_index: int, allowed: bool) -> None:
    moves = Moves(forward=forward)  # type: ignore[arg-type]

    assert moves.allows(None, to_index, None, by_inactivity=False) is allowed


def test_silence_gives_no_stage_to_a_new_customer() -> None:
    assert not Moves().allows(None, 0, None, by_inactivity=True)


@pytest.mark.parametrize(
    ("forward", "to_index", "allowed"),
    [("any", 2, True), ("any", 4, True), ("next", 2, True), ("next", 3, False)],
)
def test_forward_moves_beyond_the_peak_follow_forward(forward: str, to_index: int, allowed: bool) -> None:
    moves = Moves(forward=forward, win_back="never")  # type: ignore[arg-type]

    assert moves.allows(1, to_index, 1, by_inactivity=False) is allowed


@pytest.mark.parametrize(
    ("win_back", "to_index", "allowed"),
    [
        ("any", 2, True),
        ("any", 3, True),
        ("next", 2, True),
        ("next", 3, False),
        ("never", 2, False),
        ("never", 3, False),
    ],
)
def test_forward_moves_up_to_the_peak_follow_win_back(win_back: str, to_index: int, allowed: bool) -> None:
    moves = Moves(forward="any", win_back=win_back)  # type: ignore[arg-type]

    assert moves.allows(1, to_index, 3, by_inactivity=False) is allowed


@pytest.mark.parametrize(
    ("back", "by_inactivity", "allowed"),
    [
        ("never", False, False),
        ("never", True, False),
        ("inactivity", False, False),
        ("inactivity", True, True),
        ("any", False, True),
        ("any", True, True),
    ],
)
def test_moves_back_follow_back(back: str, by_inactivity: bool, allowed: bool) -> None:
    moves = Moves(back=back)  # type: ignore[arg-type]

    assert moves.allows(3, 1, 4, by_inactivity) is allowed


@pytest.mark.parametrize("by_inactivity", [False, True])
def test_staying_is_not_a_move(by_inactivity: bool) -> None:
    assert not Moves("any", "any", "any").allows(2, 2, 3, by_inactivity)


def test_a_stage_is_found_by_its_id() -> None:
    assert good_model().stage_index("customer") == 2


def test_an_unknown_stage_has_no_index() -> None:
    with pytest.raises(KeyError, match="vip"):
        good_model().stage_index("vip")


def test_a_model_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        good_model().version = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1", "version: 2"),
        ("model: shop", "model: store"),
        ("settle: 10m", "settle: 11m"),
        ("type: [view, search]", "type: [view]"),
        ("count: 2", "count: 3"),
        ("within: 7d", "within: 8d"),
        ("after: [aware], ", ""),
        ("nothing_for: 30d", "nothing_for: 31d"),
        ("of: view", "of: buy"),
        ("back: inactivity", "back: any"),
        ("id: looks", "id: views"),
    ],
)
def test_the_fingerprint_tells_models_apart_that_behave_differently(old: str, new: str) -> None:
    model = parse_model(changed(old, new), "shop.yaml")

    assert model.fingerprint != good_model().fingerprint


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("text: Looked twice", "text: Came to look twice"),
        ("meaning: Knows us", "meaning: Heard of us"),
        ("description: A small shop", "description: A shop"),
        ("type: [view, search]", "type: [search, view]"),
        ("within: 7d", "within: 1w"),
        ("when: buy", "when: {any: [{all: [buy]}]}"),
    ],
)
def test_the_fingerprint_ignores_what_changes_no_behaviour(old: str, new: str) -> None:
    assert parse_model(changed(old, new), "a").fingerprint == good_model().fingerprint


def test_the_order_of_rules_is_behaviour() -> None:
    model = good_model()

    turned = replace(model, rules=model.rules[::-1])

    assert turned.fingerprint != model.fingerprint


def test_the_fingerprint_is_the_same_on_every_machine() -> None:
    expected = "09c060017f52dd27fad3b26f7ed8eff516c93275f7a56c1cbaae117ca62b762f"

    assert good_model().fingerprint == expected


def test_conditions_on_true_and_on_one_are_different_conditions() -> None:
    on_true, on_one = Where("properties.vip", "eq", True), Where("properties.vip", "eq", 1)

    assert len({on_true, on_one, Where("properties.vip", "eq", True)}) == 2
    assert Atom("buy", (on_true,)) != Atom("buy", (on_one,))
