from journey_stream.journey.model import Atom, Inactivity, Moves, Rule
from journey_stream.journey.reachability import can_ever_move, reachable_stages, silent_circles

WHEN = ((Atom("any"),),)


def rule(to: int, *after: int) -> Rule:
    return Rule(f"to-{to}", to, frozenset(after) or None, WHEN, "")


def silence(name: str, to: int, *stages: int, after_ms: int = 10) -> Inactivity:
    return Inactivity(name, frozenset(stages), "any", (), after_ms, to, "")


def circles(moves: Moves, *inactivity: Inactivity) -> list[set[str]]:
    found = silent_circles(moves, [rule(0), rule(1), rule(2)], inactivity)
    return [{one.id for one in circle} for circle in found]


def test_every_stage_is_reached_through_the_ones_before_it() -> None:
    rules = [rule(0), rule(1, 0), rule(2, 1)]

    assert reachable_stages(Moves("next"), rules, []) == {0, 1, 2}


def test_a_stage_behind_a_gap_is_not_reached() -> None:
    assert reachable_stages(Moves("next"), [rule(0), rule(2, 0)], []) == {0}


def test_a_gap_is_crossed_on_the_way_back_to_a_peak() -> None:
    rules = [rule(0), rule(1, 0), rule(2, 1), rule(3, 2), rule(1, 3)]

    assert reachable_stages(Moves("next", "any", "any"), rules, []) == {0, 1, 2, 3}


def test_a_stage_that_only_silence_leads_to_is_reached() -> None:
    quiet = silence("quiet", 0, 1)

    assert reachable_stages(Moves(), [rule(1)], [quiet]) == {0, 1}
    assert reachable_stages(Moves(back="never"), [rule(1)], [quiet]) == {1}


def test_nothing_is_reached_without_a_rule_for_new_customers() -> None:
    assert reachable_stages(Moves(), [rule(1, 0), rule(2, 1)], []) == frozenset()


def test_a_move_that_some_peak_allows_is_possible() -> None:
    assert can_ever_move(Moves("next", win_back="any"), 0, 2, stages=3, by_inactivity=False)
    assert not can_ever_move(Moves("next", win_back="next"), 0, 2, stages=3, by_inactivity=False)
    assert not can_ever_move(Moves("any", back="inactivity"), 2, 0, stages=3, by_inactivity=False)


def test_silence_that_leads_back_to_where_it_began_is_a_circle() -> None:
    assert circles(Moves(), silence("down", 0, 1), silence("up", 1, 0)) == [{"down", "up"}]
    assert circles(Moves(), silence("on", 1, 0), silence("off", 2, 1), silence("down", 0, 2)) == [{"on", "off", "down"}]


def test_silence_that_comes_to_rest_is_no_circle() -> None:
    assert circles(Moves(), silence("cool", 1, 2), silence("cold", 0, 1)) == []


def test_a_circle_that_the_moves_break_is_none() -> None:
    both = silence("down", 0, 1), silence("up", 1, 0)

    assert circles(Moves(back="never"), *both) == []
    assert circles(Moves(win_back="never"), *both) == []


def test_a_shorter_silence_that_leads_elsewhere_breaks_a_circle() -> None:
    both = silence("down", 0, 1), silence("up", 1, 0)

    assert circles(Moves(), *both, silence("sooner", 2, 0, after_ms=9)) == []
    assert circles(Moves(), *both, silence("as soon", 2, 0)) == [{"down", "up"}]
    assert circles(Moves(), *both, silence("later", 2, 0, after_ms=11)) == [{"down", "up"}]


def test_two_circles_are_both_found_and_each_once() -> None:
    moves, rules = Moves(), [rule(0), rule(1), rule(2), rule(3), rule(4)]
    written = [silence("a", 1, 0), silence("b", 0, 1), silence("c", 3, 2), silence("d", 2, 3)]

    found = silent_circles(moves, rules, written)

    assert [{one.id for one in circle} for circle in found] == [{"a", "b"}, {"c", "d"}]


def test_a_circle_that_nobody_gets_into_is_none() -> None:
    assert silent_circles(Moves(), [rule(0)], [silence("down", 1, 2), silence("up", 2, 1)]) == []
