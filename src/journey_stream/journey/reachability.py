"""Which stages a customer can ever get to, which moves the policy can ever allow, and whether silence comes to rest."""

from collections.abc import Collection, Sequence

from journey_stream.journey.model import Inactivity, Moves, Rule

Place = tuple[int, int]
"""A stage, and the furthest stage that the customer has been in."""


def can_ever_move(moves: Moves, from_index: int, to_index: int, stages: int, *, by_inactivity: bool) -> bool:
    """Tell whether some customer in `from_index`, however far they have been, may move to `to_index`."""
    return any(moves.allows(from_index, to_index, peak, by_inactivity) for peak in range(from_index, stages))


def reachable_stages(moves: Moves, rules: Collection[Rule], inactivity: Collection[Inactivity]) -> frozenset[int]:
    """Every stage that some sequence of touchpoints and silences leads to, from no stage at all."""
    return frozenset(stage for stage, _ in _reachable_places(moves, rules, inactivity))


def silent_circles(
    moves: Moves, rules: Collection[Rule], inactivity: Sequence[Inactivity]
) -> list[tuple[Inactivity, ...]]:
    """The inactivity rules by which somebody who says nothing is moved round for ever: one tuple for each circle.

    Who was moved by silence has been silent since the entry, for every kind of touchpoint. So the rule with the
    shortest `nothing_for_ms` moves next, of equal ones the first, and no other ever does.
    """
    onward: dict[Place, tuple[Inactivity, Place]] = {}
    for stage, peak in _reachable_places(moves, rules, inactivity):
        allowed = [
            one for one in inactivity if stage in one.stages and moves.allows(stage, one.to, peak, by_inactivity=True)
        ]
        if allowed:
            quickest = min(allowed, key=lambda one: one.nothing_for_ms)
            onward[stage, peak] = (quickest, (quickest.to, max(quickest.to, peak)))
    circles: dict[frozenset[str], tuple[Inactivity, ...]] = {}
    for start in sorted(onward):
        circle: list[Inactivity] = []
        place = start
        while place in onward and len(circle) < len(onward):
            rule, place = onward[place]
            circle.append(rule)
            if place == start:
                circles.setdefault(frozenset(one.id for one in circle), tuple(circle))
                break
    return list(circles.values())


def _reachable_places(moves: Moves, rules: Collection[Rule], inactivity: Collection[Inactivity]) -> set[Place]:
    places: set[Place] = set()
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
    return places
