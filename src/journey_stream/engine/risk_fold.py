"""The fold of churn risk: how one touchpoint, or silence, moves a customer from band to band.

The same shape as the fold of stages: both functions alter the state and append to `changes`.

A fold looks no further ahead than the next full hour, because the next touchpoint mostly follows, and says how long
the silence was that has to be decided. Only at the head, where a timer is set by it, is a look ahead worth its price.
"""

from journey_stream.churn.bgnbd import logistic
from journey_stream.churn.fold import bought, seen, signalled
from journey_stream.churn.reasons import rounded
from journey_stream.churn.score import Scorer
from journey_stream.churn.silence import crossing_by, full_hour_after, look, next_crossing, still_quiet
from journey_stream.churn.summary import Summary
from journey_stream.engine.concern import Concern
from journey_stream.engine.plan import Plan
from journey_stream.engine.risk import NO_BAND, RiskCause, RiskChange, RiskState
from journey_stream.engine.touches import LONG_AGO, NEVER, Facts, Touch


def step_risk(plan: Plan, state: RiskState, touch: Touch, changes: list[RiskChange]) -> None:
    """Fold one touchpoint that comes after all that `state` has seen, if it concerns churn risk."""
    concern = plan.reaction(touch.channel, touch.type).concern
    if plan.scorer is not None and concern is not None:
        react_to_risk(plan.scorer, concern, state, touch.at, touch.id, touch.facts, changes)


def count_risk(plan: Plan, state: RiskState, touch: Touch) -> None:
    """`step_risk` where it is known that the band stays, before the touchpoint and with it: nothing is scored."""
    concern = plan.reaction(touch.channel, touch.type).concern
    if plan.scorer is not None and concern is not None and concern.is_met(touch.facts):
        _note(plan.scorer, concern, state, touch.at, touch.id, touch.facts)
        if state.summary is not None:
            state.quiet_until = full_hour_after(touch.at)


def react_to_risk(
    scorer: Scorer,
    concern: Concern,
    state: RiskState,
    at: int,
    event_id: str,
    facts: Facts | None,
    changes: list[RiskChange],
    *,
    is_head: bool = False,
) -> None:
    """`step_risk` for somebody who knows already what touchpoints of this channel and type mean, or is at the head."""
    if not concern.is_met(facts):
        return
    quiet_until, before = state.quiet_until, state.summary
    reach_ms = quiet_until - max(state.since, LONG_AGO if before is None else before.last)
    if at > quiet_until:
        pass_silence(scorer, state, at, changes)
    _note(scorer, concern, state, at, event_id, facts)
    summary = state.summary
    if summary is not None and at > state.resume_at:
        known = _known(state.band)
        if is_head:
            score, band, quiet_until = look(scorer, summary, at, known, reach_ms)
        else:
            score = scorer.score(summary, at)
            band, quiet_until = scorer.bands.next(known, score), full_hour_after(at)
        state.quiet_until = quiet_until
        _enter(state, summary, at, score, band, "touchpoint", event_id, changes)


def pass_silence(scorer: Scorer, state: RiskState, until: int, changes: list[RiskChange]) -> None:
    """Apply every crossing in silence before `until`: at one instant a touchpoint comes first."""
    while state.quiet_until < until:
        if state.resume_at > LONG_AGO:
            _resume(scorer, state, changes)
            continue
        summary = state.summary
        if summary is None:
            state.quiet_until = NEVER
            return
        crossing = crossing_by(scorer, summary, state.quiet_until - 1, until - 1, state.band)
        if crossing is None:
            state.quiet_until = until
            return
        _cross(scorer, state, summary, crossing.at, changes)


def look_ahead(scorer: Scorer, state: RiskState) -> None:
    """Move `quiet_until` on at the end of a fold, if a look is enough for that."""
    summary, at = state.summary, state.quiet_until - 1
    if summary is not None and state.resume_at == LONG_AGO and at >= summary.last:
        _, band, quiet_until = look(scorer, summary, at, _known(state.band))
        # Between two full hours a score may be on the other side already; that counts from the full hour on.
        if band == state.band:
            state.quiet_until = quiet_until


def fall_quiet(scorer: Scorer, state: RiskState, clock: int, changes: list[RiskChange]) -> None:
    """Apply every crossing in silence up to `clock`, and move `quiet_until` on: exactly, once a crossing is near.

    Who has just crossed in silence is likely to stay silent, so that a timer which does not ring for nothing is worth
    a search at once.
    """
    while state.quiet_until <= clock:
        if state.resume_at > LONG_AGO:
            _resume(scorer, state, changes)
            continue
        summary = state.summary
        if summary is None:
            state.quiet_until = NEVER
            return
        sure = still_quiet(scorer, summary, state.quiet_until - 1, clock, state.band)
        if sure is not None:
            state.quiet_until = sure
            return
        crossing = next_crossing(scorer, summary, state.quiet_until - 1, state.band)
        while crossing is not None and crossing.at <= clock:
            _cross(scorer, state, summary, crossing.at, changes)
            crossing = next_crossing(scorer, summary, state.quiet_until - 1, state.band)
        state.quiet_until = NEVER if crossing is None else crossing.at


def _resume(scorer: Scorer, state: RiskState, changes: list[RiskChange]) -> None:
    """Score for the first time with new parameters."""
    at, summary = state.resume_at, state.summary
    state.resume_at, state.quiet_until = LONG_AGO, NEVER
    if summary is not None:
        state.silent_at = at
        # The probability goes with the parameters that it is told with, also if the band stays.
        state.probability = rounded(logistic(scorer.score(summary, at)))
        _score(scorer, state, summary, at, "model", changes)


def _cross(scorer: Scorer, state: RiskState, summary: Summary, at: int, changes: list[RiskChange]) -> None:
    state.silent_at = at
    _score(scorer, state, summary, at, "timer", changes)


def _score(
    scorer: Scorer,
    state: RiskState,
    summary: Summary,
    at: int,
    cause: RiskCause,
    changes: list[RiskChange],
) -> None:
    """Without a touchpoint."""
    score = scorer.score(summary, at)
    state.quiet_until = full_hour_after(at)
    _enter(state, summary, at, score, scorer.bands.next(_known(state.band), score), cause, "", changes)


def _known(band: int) -> int | None:
    return None if band == NO_BAND else band


def _enter(
    state: RiskState,
    summary: Summary,
    at: int,
    score: float,
    band: int,
    cause: RiskCause,
    trigger: str,
    changes: list[RiskChange],
) -> None:
    before = state.band
    if band != before:
        state.band, state.since, state.probability = band, at, rounded(logistic(score))
        changes.append(
            RiskChange(at, before, band, cause, trigger, summary, state.first_id, state.last_id, state.signal_ids)
        )


def _note(scorer: Scorer, concern: Concern, state: RiskState, at: int, event_id: str, facts: Facts | None) -> None:
    if concern.is_event and (concern.event is None or concern.event(facts)):
        _note_event(scorer, state, at, event_id, facts)
    for signal, holds in concern.signals:
        if holds is None or holds(facts):
            _note_signal(state, signal, at, event_id)


def _note_event(scorer: Scorer, state: RiskState, at: int, event_id: str, facts: Facts | None) -> None:
    value = None if facts is None else facts.get("value")
    spent = float(value) if isinstance(value, int | float) else None
    if state.summary is None:
        state.first_id = event_id
    state.summary = bought(state.summary, at, spent, scorer.parameters, state.early)
    state.early = None
    state.last_id = event_id


def _note_signal(state: RiskState, signal: str, at: int, event_id: str) -> None:
    # Published changes share these dictionaries, so they are replaced and never altered.
    state.signal_ids = {**(state.signal_ids or {}), signal: event_id}
    if state.summary is None:
        state.early = seen(state.early, signal, at)
    else:
        state.summary = signalled(state.summary, signal, at)
