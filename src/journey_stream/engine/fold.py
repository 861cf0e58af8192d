"""The fold: how one touchpoint, or silence, moves a customer.

`step` takes a standing and the next touchpoint in the order (occurred_at, event_id); `fall_silent` decides inactivity
at its exact instants. Both only append to `changes` and alter the standing: constant work per touchpoint.
"""

from journey_stream.engine.plan import Candidate, Need, Plan, Reaction
from journey_stream.engine.standing import Memory, Standing
from journey_stream.engine.tallies import count
from journey_stream.engine.touches import NEVER, Change, Facts, Touch

Match = tuple[int, str]


def step(plan: Plan, standing: Standing, touch: Touch, changes: list[Change]) -> None:
    """Fold one touchpoint that comes after all that `standing` has seen."""
    react(plan, plan.reaction(touch.channel, touch.type), standing, touch.at, touch.id, touch.facts, changes)


def react(
    plan: Plan,
    reaction: Reaction,
    standing: Standing,
    at: int,
    event_id: str,
    facts: Facts | None,
    changes: list[Change],
) -> None:
    """`step` for somebody who knows already what touchpoints of this channel and type can do."""
    if at > standing.quiet_until:
        fall_silent(plan, standing, at, changes, inclusive=False)
    memory = standing.memory
    for slot, keep, holds in reaction.slots:
        if holds is None or holds(facts):
            matches = memory.get(slot)
            if matches is None:
                memory[slot] = [at, event_id]
            elif keep == 2:
                matches[0] = at
                matches[1] = event_id
            else:
                matches.append(at)
                matches.append(event_id)
                if len(matches) > keep:
                    del matches[:2]
    if reaction.tallies:
        count(reaction.tallies, memory, at, facts)
    for candidate in reaction.candidates(standing.stage, standing.peak):
        evidence = evidence_for(candidate, at, event_id, facts, memory)
        if evidence is not None:
            move = Change(at, standing.stage, candidate.to, candidate.rule, _since(standing), evidence)
            _move(standing, move, changes)
            standing.quiet_until = next_silence(plan, standing)[0]
            return


def fall_silent(plan: Plan, standing: Standing, until: int, changes: list[Change], *, inclusive: bool) -> None:
    """Apply every inactivity that falls due before `until` (or at it), and make `quiet_until` exact.

    At one instant a touchpoint comes before silence: it breaks it.
    """
    while True:
        at, change = next_silence(plan, standing)
        if change is None or at > until or (at == until and not inclusive):
            standing.quiet_until = at
            return
        _move(standing, change, changes)
        standing.silent_at = at


def next_silence(plan: Plan, standing: Standing) -> tuple[int, Change | None]:
    """When inactivity next moves this customer if nothing more is heard (NEVER if it does not), and the move."""
    due, found = NEVER, None
    stage = standing.stage
    for silence in plan.silences[stage]:
        last = standing.memory.get(silence.slot)
        since = standing.entered_at
        if last is not None and last[-2] > since:
            since = last[-2]
        at = since + silence.nothing_for_ms
        if at < due and plan.may_move(stage, silence.to, standing.peak, by_inactivity=True):
            # Only what came after the stage was entered has broken the silence in it.
            evidence = (str(last[-1]),) if last is not None and last[-2] == since else ()
            due = at
            found = Change(at, stage, silence.to, silence.code, _since(standing), evidence, since)
    return due, found


def evidence_for(
    candidate: Candidate, at: int, event_id: str, facts: Facts | None, memory: Memory
) -> tuple[str, ...] | None:
    """The event ids that fire a rule at this touchpoint, in time order; None if it does not fire.

    The touchpoint itself must be part of the evidence: a rule fires when something happens that it asks for.
    """
    for needs, holds in candidate.clauses:
        if not needs:
            if holds is None or holds(facts):
                return (event_id,)
            continue
        if _are_met(needs, at, memory):
            matches: set[Match] = set()
            for slot, items, _ in needs:
                found = memory[slot]
                matches.update(zip(found[-items::2], found[1 - items :: 2], strict=True))
            if (at, event_id) in matches:
                return tuple([match_id for _, match_id in sorted(matches)])
    return None


def _are_met(needs: tuple[Need, ...], at: int, memory: Memory) -> bool:
    for slot, items, within_ms in needs:
        found = memory.get(slot)
        if found is None or len(found) < items or (within_ms is not None and found[-items] < at - within_ms):
            return False
    return True


def _since(standing: Standing) -> int | None:
    return None if standing.stage < 0 else standing.entered_at


def _move(standing: Standing, change: Change, changes: list[Change]) -> None:
    changes.append(change)
    standing.came_from, standing.rule = change.before, change.rule
    standing.stage = change.after
    standing.entered_at = change.at
    standing.peak = max(standing.peak, change.after)
