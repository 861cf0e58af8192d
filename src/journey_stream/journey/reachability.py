"""Which stages a customer can ever get to, and which moves the policy can ever allow."""

from collections.abc import Collection

from journey_stream.journey.model import Inactivity, Moves, Rule


def can_ever_move(moves: Moves, from_index: int, to_index: int, stages: int, *, by_inactivity: bool) -> bool:
    """Tell whether some customer in `from_index`, however far they have been, may move to `to_index`."""
    return any(moves.allows(from_index, to_index, peak, by_inactivity) for peak in range(from_index, stages))


def reachable_stages(moves: Moves, rules: Collection[Rule], inactivity: Collection[Inactivity]) -> frozenset[int]:
    """Every stage that some sequence of touchpoints and silences leads to, from no stage at all."""
    places: set[tuple[int, int]] = set()
    ahead = [
        (rule.to, rule.to)
        for rule in rules
        if rule.after is None and moves.allows(None, rule.to, None, by_inactivity=False)
    ]
    while ahead:
        place = ahead.pop()
        if place in places:
            continue
        places.add(place)
        stage, peak = place
        by_rule = {rule.to for rule in rules if rule.after is None or stage in rule.after}
        by_silence = {silence.to for silence in inactivity if stage in silence.stages}
        ahead += [(to, max(to, peak)) for to in by_rule if moves.allows(stage, to, peak, by_inactivity=False)]
        ahead += [(to, max(to, peak)) for to in by_silence if moves.allows(stage, to, peak, by_inactivity=True)]
    return frozenset(stage for stage, _ in places)
