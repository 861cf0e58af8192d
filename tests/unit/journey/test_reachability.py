from journey_stream.journey.model import Atom, Inactivity, Moves, Rule
from journey_stream.journey.reachability import can_ever_move, reachable_stages

WHEN = ((Atom("any"),),)


def rule(to: int, *after: int) -> Rule:
    return Rule(f"to-{to}", to, frozenset(after) or None, WHEN, "")


def test_every_stage_is_reached_through_the_ones_before_it() -> None:
    rules = [rule(0), rule(1, 0), rule(2, 1)]

    assert reachable_stages(Moves("next"), rules, []) == {0, 1, 2}


def test_a_stage_behind_a_gap_is_not_reached() -> None:
    assert reachable_stages(Moves("next"), [rule(0), rule(2, 0)], []) == {0}


def test_a_gap_is_crossed_on_the_way_back_to_a_peak() -> None:
    rules = [rule(0), rule(1, 0), rule(2, 1), rule(3, 2), rule(1, 3)]

    assert reachable_stages(Moves("next", "any", "any"), rules, []) == {0, 1, 2, 3}


def test_a_stage_that_only_silence_leads_to_is_reached() -> None:
    silence = Inactivity("quiet", frozenset({1}), "any", (), 1, 0, "")

    assert reachable_stages(Moves(), [rule(1)], [silence]) == {0, 1}
    assert reachable_stages(Moves(back="never"), [rule(1)], [silence]) == {1}


def test_nothing_is_reached_without_a_rule_for_new_customers() -> None:
    assert reachable_stages(Moves(), [rule(1, 0), rule(2, 1)], []) == frozenset()


def test_a_move_that_some_peak_allows_is_possible() -> None:
    assert can_ever_move(Moves("next", win_back="any"), 0, 2, stages=3, by_inactivity=False)
    assert not can_ever_move(Moves("next", win_back="next"), 0, 2, stages=3, by_inactivity=False)
    assert not can_ever_move(Moves("any", back="inactivity"), 2, 0, stages=3, by_inactivity=False)
