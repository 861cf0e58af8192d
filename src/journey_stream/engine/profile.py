"""One customer: a timeline, the standing folded from it, and what was published about it."""

from journey_stream.engine.concern import Concern
from journey_stream.engine.fold import fall_silent, react, step
from journey_stream.engine.head import Head, RiskHead
from journey_stream.engine.limits import Limits
from journey_stream.engine.plan import Plan, Reaction
from journey_stream.engine.publication import Publisher, difference
from journey_stream.engine.risk import RiskChange, RiskState, unpack_risk_changes
from journey_stream.engine.risk_fold import fall_quiet, react_to_risk
from journey_stream.engine.standing import Standing
from journey_stream.engine.timeline import Timeline
from journey_stream.engine.touches import LONG_AGO, Change, Touch, describe, encode, pack, unpack_changes, winner_key
from journey_stream.events.decisions import Decision, ProfileChanged, Rejected
from journey_stream.events.reasons import Reason

HISTORY_BYTES_MAX = 128 * 1024
"""The head holds the changes that may still be corrected, and no state record may outgrow the broker's limit."""


class Context:
    """What all profiles of a partition share. `generation` is the head's for the churn parameters in use."""

    __slots__ = ("generation", "holding_ms", "limits", "plan", "publisher")

    def __init__(self, plan: Plan, limits: Limits) -> None:
        self.plan = plan
        self.limits = limits
        self.holding_ms = limits.holding_ms
        self.publisher = Publisher(plan)
        self.generation = 0


class Profile(Timeline):
    """A profile unpacked for work. `changed` says whether it has to be packed again."""

    __slots__ = ("changed", "context", "id")

    def __init__(self, profile_id: str, head: Head, packed: dict[int, bytes] | None, context: Context) -> None:
        super().__init__(head, packed, context.holding_ms)
        self.id = profile_id
        self.context = context
        self.changed = False

    def add(self, touch: Touch, reaction: Reaction, arrived_at: int, clock: int) -> list[Decision]:
        """Put a touchpoint into the history and decide what to publish about it."""
        head = self.head
        if clock >= head.folds_at:
            return [*self._fold_expired(clock), *self.add(touch, reaction, arrived_at, clock)]
        if head.held:
            # What happened longer ago may be folded, or not: to be asked about it would make chance decide.
            held = self.find(touch.id, arrived_at - self.context.limits.lateness_ms)
            if held is not None:
                return self._meet_again(held, touch, clock)
        at, standing = touch.at, head.standing
        # A step does it when no touchpoint that was folded and no silence that was decided comes after.
        if at <= standing.silent_at or at < head.last_at or (at == head.last_at and touch.id <= head.last_id):
            return self._place(touch, clock)
        told: list[Decision] = []
        if reaction.concern is not None:
            risk = self._risk()
            state = risk.unpacked()
            if at <= state.silent_at:
                return self._place(touch, clock)
            told = self._step_risk(risk, state, touch, reaction.concern)
        self.changed = True
        changes: list[Change] = []
        react(self.context.plan, reaction, standing, touch, changes)
        self.append(touch)
        decisions = self._tell(changes, clock) if changes else []
        if told:
            decisions = self._with_view(told, decisions, clock)
        if head.held > self.context.limits.touchpoints_max or self._history_bytes() > HISTORY_BYTES_MAX:
            decisions += self._keep_within_bounds(clock)
        return decisions

    def ring(self, clock: int) -> list[Decision]:
        """The timer rang: decide what silence and settling have brought by `clock`."""
        head = self.head
        self.changed = True
        told = self._fold_expired(clock) if clock >= head.folds_at else []
        changes: list[Change] = []
        if clock >= head.standing.quiet_until:
            fall_silent(self.context.plan, head.standing, clock, changes, inclusive=True)
        stages = self._tell(changes, clock)
        if head.risk is not None and clock >= head.risk.quiet_until:
            return [*told, *self._with_view(self._pass_time(head.risk, clock), stages, clock)]
        return [*told, *stages]

    def next_due(self) -> int:
        """No later than the next instant at which time alone changes something (ms)."""
        head, plan = self.head, self.context.plan
        due = head.standing.quiet_until
        if head.risk is not None and head.risk.quiet_until < due and plan.scorer is not None:
            due = head.risk.quiet_until
        if plan.settles and head.published < head.changes:
            waiting = self.history()[head.published]
            due = min(due, waiting.at + plan.settle_ms[waiting.after])
        return due

    def history(self) -> list[Change]:
        """The changes since the checkpoint."""
        return unpack_changes(self.head.changes, self.head.history)

    def risk_history(self) -> list[RiskChange]:
        """The changes of band since the checkpoint."""
        risk = self.head.risk
        return [] if risk is None else unpack_risk_changes(risk.changes, risk.history)

    def rescore(self, at: int, clock: int) -> list[Decision]:
        """Go on with other parameters of churn risk from `at` on; what was published up to there is final."""
        head = self.head
        self.changed = True
        head.generation = self.context.generation
        risk = self._risk()
        former, checkpoint = risk.unpacked(), self.risk_checkpoint()
        checkpoint.band, checkpoint.since, checkpoint.probability = former.band, former.since, former.probability
        # A producer's fast clock may have put the last change a little ahead of `at`.
        checkpoint.resume_at = checkpoint.quiet_until = max(at, former.since)
        checkpoint.silent_at = LONG_AGO
        self.set_risk_checkpoint(checkpoint)
        risk.history, risk.changes = b"", 0
        self.context.publisher.counters.rescored += 1
        return self._with_view(self._refold_risk(clock), [], clock)

    def _tell(self, changes: list[Change], clock: int) -> list[Decision]:
        """Add changes to the history, and publish of it what has settled."""
        head, publisher = self.head, self.context.publisher
        waiting = self.history()[head.published :] if head.published < head.changes else []
        if changes:
            head.history += pack(changes)
            head.changes += len(changes)
            waiting += changes
        fresh = waiting[: publisher.settled(waiting, clock)]
        if not fresh:
            return []
        head.published += len(fresh)
        return publisher.news(self.id, head, fresh, clock)

    def _risk(self) -> RiskHead:
        risk = self.head.risk
        if risk is None:
            risk = self.head.risk = RiskHead()
        return risk

    def _step_risk(self, risk: RiskHead, state: RiskState, touch: Touch, concern: Concern) -> list[Decision]:
        scorer = self.context.plan.scorer
        if scorer is None:
            return []
        changes: list[RiskChange] = []
        react_to_risk(scorer, concern, state, touch, changes)
        return self._tell_risk(risk, state, changes)

    def _pass_time(self, risk: RiskHead, clock: int) -> list[Decision]:
        scorer = self.context.plan.scorer
        if scorer is None:
            return []
        state, changes = risk.unpacked(), list[RiskChange]()
        fall_quiet(scorer, state, clock, changes)
        return self._tell_risk(risk, state, changes)

    def _tell_risk(self, risk: RiskHead, state: RiskState, changes: list[RiskChange]) -> list[Decision]:
        risk.state, risk.quiet_until = encode(state), state.quiet_until
        if not changes:
            return []
        risk.history += pack(changes)
        risk.changes += len(changes)
        return self.context.publisher.risk_news(self.id, self.head, [], changes)

    def _refold_risk(self, clock: int) -> list[Decision]:
        """Fold what concerns churn risk again, and tell the difference."""
        plan = self.context.plan
        scorer, risk = plan.scorer, self._risk()
        if scorer is None:
            return []
        before, state, after = self.risk_history(), self.risk_checkpoint(), list[RiskChange]()
        for touch in self.touches():
            concern = plan.reaction(touch.channel, touch.type).concern
            if concern is not None:
                react_to_risk(scorer, concern, state, touch, after)
        fall_quiet(scorer, state, clock, after)
        risk.state, risk.quiet_until = encode(state), state.quiet_until
        risk.history, risk.changes = pack(after), len(after)
        return self.context.publisher.risk_news(self.id, self.head, *difference(before, after))

    def _with_view(self, risk: list[Decision], stages: list[Decision], clock: int) -> list[Decision]:
        """Both in one go, with one view at the end."""
        if not risk:
            return stages
        if stages and isinstance(stages[-1], ProfileChanged):
            stages.pop()
        return [*stages, *risk, self.context.publisher.view(self, clock)]

    def _place(self, touch: Touch, clock: int) -> list[Decision]:
        """Put a late touchpoint where it belongs and fold again."""
        if (touch.at, touch.id) <= (self.head.folded_at, self.head.folded_id):
            return self._final()
        self.changed = True
        self.insert(touch)
        return [*self._refold(clock, touch), *self._keep_within_bounds(clock)]

    def _final(self) -> list[Decision]:
        if self.head.overflow:
            why = "the profile is over its limit of touchpoints"
        else:
            why = "the task lagged too far"
            self.context.publisher.counters.beyond_allowance += 1
        return [Rejected(Reason.TOO_LATE, f"its place in the customer's history is final: {why}")]

    def _meet_again(self, held: Touch, touch: Touch, clock: int) -> list[Decision]:
        kept, found = winner_key(held), winner_key(touch)  # packed, because to Python True and 1 are equal
        if kept == found:
            self.context.publisher.counters.duplicates += 1
            return []
        if (touch.at, touch.id) <= (self.head.folded_at, self.head.folded_id):
            return self._final()
        if kept < found:
            return [Rejected(Reason.CONFLICTING_DUPLICATE, _conflict(held, touch))]
        self.changed = True
        self.remove(held)
        self.insert(touch)
        displaced = Rejected(Reason.CONFLICTING_DUPLICATE, _conflict(touch, held), describe(held))
        return [displaced, *self._refold(clock, held, touch)]

    def _refold(self, clock: int, *moved: Touch) -> list[Decision]:
        """Fold the whole timeline from the checkpoint on, and publish the difference to what was published.

        `moved` are the touchpoints that came or went: if none of them concerns churn risk, that is left alone.
        """
        plan = self.context.plan
        concerned = any(plan.reaction(touch.channel, touch.type).concern is not None for touch in moved)
        risk = self._refold_risk(clock) if concerned else []
        return self._with_view(risk, self._refold_stages(clock), clock)

    def _refold_stages(self, clock: int) -> list[Decision]:
        head, publisher = self.head, self.context.publisher
        before = self.history()[: head.published]
        standing: Standing = self.checkpoint()
        history: list[Change] = []
        for touch in self.touches():
            step(self.context.plan, standing, touch, history)
        fall_silent(self.context.plan, standing, clock, history, inclusive=True)
        head.standing, head.history, head.changes = standing, pack(history), len(history)
        head.published = publisher.settled(history, clock)
        after = history[: head.published]
        retracted, entered = difference(before, after)
        if not retracted and not entered:
            return []
        return publisher.corrections(self, after, retracted, entered, clock)

    def _keep_within_bounds(self, clock: int) -> list[Decision]:
        head, most = self.head, self.context.limits.touchpoints_max
        told: list[Decision] = []
        while head.parts and (head.held > most or self._history_bytes() > HISTORY_BYTES_MAX):
            if not head.overflow:
                head.overflow = True
                self.context.publisher.counters.overflows += 1
            told += self._fold_oldest(clock)
        return told

    def _history_bytes(self) -> int:
        risk = self.head.risk
        return len(self.head.history) + (0 if risk is None else len(risk.history))

    def _fold_expired(self, clock: int) -> list[Decision]:
        self.changed = True
        told: list[Decision] = []
        while clock >= self.head.folds_at:
            told += self._fold_oldest(clock)
        return told

    def _fold_oldest(self, clock: int) -> list[Decision]:
        """Fold the oldest part. What it makes final and nobody was told of yet is told now, settled or not."""
        head = self.head
        checkpoint = self.checkpoint()
        final: list[Change] = []
        touches = self.pop_oldest_part()
        for touch in touches:
            step(self.context.plan, checkpoint, touch, final)
        self.set_checkpoint(checkpoint, touches[-1])
        self._fold_risk(touches)
        if not final:
            return []
        history = self.history()
        untold, rest = history[head.published : len(final)], history[len(final) :]
        head.history, head.changes = pack(rest), len(rest)
        head.published = max(0, head.published - len(final))
        return self.context.publisher.news(self.id, head, untold, clock) if untold else []

    def _fold_risk(self, touches: list[Touch]) -> None:
        """Take touchpoints that fold into the checkpoint of churn risk."""
        plan, risk = self.context.plan, self.head.risk
        if risk is None or plan.scorer is None:
            return
        checkpoint, final = self.risk_checkpoint(), list[RiskChange]()
        for touch in touches:
            concern = plan.reaction(touch.channel, touch.type).concern
            if concern is not None:
                react_to_risk(plan.scorer, concern, checkpoint, touch, final)
        self.set_risk_checkpoint(checkpoint)
        if final:
            rest = self.risk_history()[len(final) :]
            risk.history, risk.changes = pack(rest), len(rest)


def _conflict(kept: Touch, lost: Touch) -> str:
    return (
        f"event_id {kept.id!r} stands for two touchpoints: kept {kept.channel}/{kept.type} at {kept.at} ms, "
        f"dropped {lost.channel}/{lost.type} at {lost.at} ms; give every touchpoint an id of its own"
    )
