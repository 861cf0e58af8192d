"""What becomes part of a path."""

from __future__ import annotations

from journey_stream.attribution.paths import Path, Touch, paths_of

DAY = 86_400_000


def met(*days: float) -> list[Touch]:
    return [Touch(int(day * DAY), f"k{number}") for number, day in enumerate(days)]


def cut(touches: list[Touch], *conversions: float, look_back: float = 10, now: float = 100) -> list[tuple[str, object]]:
    found = paths_of(touches, [int(day * DAY) for day in conversions], int(look_back * DAY), int(now * DAY))
    return [("".join(touch.key[1:] for touch in path.touches), path.converted_at) for path in found]


def test_both_ends_of_the_look_back_are_included():
    assert [("123", 12 * DAY)] == cut(met(1.9, 2, 5, 12), 12)


def test_a_touch_after_the_conversion_is_not_part_of_its_path():
    assert [("0", 3 * DAY), ("1", None)] == cut(met(3, 3.1), 3, now=5)


def test_a_path_begins_after_the_conversion_before_even_if_that_is_within_the_look_back():
    assert [("01", 2 * DAY), ("23", 4 * DAY)] == cut(met(1, 2, 3, 4), 4, 2)


def test_a_conversion_at_the_instant_of_another_has_no_touch_left():
    assert [("0", 2 * DAY), ("", 2 * DAY)] == cut(met(2), 2, 2)


def test_a_conversion_without_a_touch_in_the_look_back_has_an_empty_path():
    assert [("", 30 * DAY)] == cut(met(1), 30)


def test_what_came_after_the_last_conversion_counts_as_far_as_one_looks_back_from_now():
    assert [("0", 2 * DAY), ("23", None)] == cut(met(1, 50, 90, 95), 2)


def test_of_a_customer_who_never_converted_everything_is_one_path():
    assert [("012", None)] == cut(met(1, 50, 95))


def test_nobody_has_a_path_of_nothing():
    assert [] == cut([])


def test_touches_of_one_instant_stay_in_their_order():
    touches = [Touch(DAY, "b"), Touch(DAY, "a")]

    assert [Path(tuple(touches), DAY)] == list(paths_of(touches, [DAY], DAY, DAY))
