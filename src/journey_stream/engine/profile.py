"""One customer: a timeline, the head folded from it, and what was published about it."""

from journey_stream.engine.fold import Standing, fall_silent, step
from journey_stream.engine.limits import Limits
from journey_stream.engine.plan import Plan
from journey_stream.engine.publication import Publisher, difference
from journey_stream.engine.timeline import Head, Timeline
from journey_stream.engine.touches import Change, Touch, describe, winner_key
from journey_stream.events.decisions import Decision, Rejected
from journey_stream.events.reasons import Reason


class Profile:
    """A profile unpacked for work. `changed` says whether it has to be packed again."""

    __slots__ = ("changed", "head", "id", "limits", "plan", "publisher", "timeline")

    def __init__(
        self,
        profile_id: str,
        head: Head,
        packed: dict[int, bytes],
        plan: Plan,
        limits: Limits,
        publisher: Publisher,
    ) -> None:
        self.id = profile_id
        self.head = head
        self.timeline = Timeline(head, packed, limits.holding_ms)
        self.plan = plan
        self.limits = limits
        self.publisher = publisher
        self.changed = False

    def add(self, touch: Touch, clock: int) -> list[Decision]:
        """Put a touchpoint into the history and decide what to publish about it."""
        head = self.head
        if clock >= head.folds_at:
            self._fold_expired(clock)
        if head.held:
            held = self.timeline.find(touch.id)
            if held is not None:
                return self._meet_again(held, touch, clock)
        if self._comes_last(touch):
            return self._advance(touch, clock)
        if (touch.at, touch.id) <= (head.folded_at, head.folded_id):
            self.publisher.counters.beyond_allowance += 1
            return [Rejected(Reason.TOO_LATE, "its place in the customer's history is final: the task lagged too far")]
        self.changed = True
        self.timeline.insert(touch)
        decisions = self._refold(clock)
        self._keep_within_bounds()
        return decisions

    def ring(self, clock: int) -> list[Decision]:
        """The timer rang: decide what silence and settling have brought by `clock`."""
        head = self.head
        self.changed = True
        if clock >= head.folds_at:
            self._fold_expired(clock)
        if clock >= head.standing.quiet_until:
            fall_silent(self.plan, head.standing, clock, head.history, inclusive=True)
        return self.publisher.news(self.id, head, clock)

    def next_due(self) -> int:
        """No later than the next instant at which time alone changes something (ms)."""
        head = self.head
        due = head.standing.quiet_until
        if self.plan.settles and head.published < len(head.history):
            waiting = head.history[head.published]
            due = min(due, waiting.at + self.plan.settle_ms[waiting.after])
        return due

    def refolded(self) -> tuple[Standing, list[Change]]:
        """The fold of the whole timeline from the checkpoint on."""
        standing = self.timeline.checkpoint()
        history: list[Change] = []
        for touch in self.timeline:
            step(self.plan, standing, touch, history)
        return standing, history

    def _comes_last(self, touch: Touch) -> bool:
        """Whether a step does it: no touchpoint that was folded and no silence that was decided comes after."""
        head = self.head
        if not head.tail:
            return not head.held and not head.revision and not head.history
        last = head.tail[-1]
        return touch.at > head.standing.silent_at and (
            touch.at > last.at or (touch.at == last.at and touch.id > last.id)
        )

    def _advance(self, touch: Touch, clock: int) -> list[Decision]:
        head = self.head
        self.changed = True
        known = len(head.history)
        step(self.plan, head.standing, touch, head.history)
        self.timeline.append(touch)
        if len(head.history) == known:
            decisions: list[Decision] = []
        else:
            decisions = self.publisher.news(self.id, head, clock)
        if head.held > self.limits.touchpoints_max:
            self._keep_within_bounds()
        return decisions

    def _meet_again(self, held: Touch, touch: Touch, clock: int) -> list[Decision]:
        if held == touch:
            self.publisher.counters.duplicates += 1
            return []
        if winner_key(held) <= winner_key(touch):
            return [Rejected(Reason.CONFLICTING_DUPLICATE, _conflict(held, touch))]
        self.changed = True
        self.timeline.remove(held)
        self.timeline.insert(touch)
        displaced = Rejected(Reason.CONFLICTING_DUPLICATE, _conflict(touch, held), describe(held))
        return [displaced, *self._refold(clock)]

    def _refold(self, clock: int) -> list[Decision]:
        head = self.head
        before = head.history[: head.published]
        standing, history = self.refolded()
        fall_silent(self.plan, standing, clock, history, inclusive=True)
        head.standing, head.history = standing, history
        head.published = self.publisher.settled(history, clock)
        retracted, entered = difference(before, history[: head.published])
        if not retracted and not entered:
            return []
        return self.publisher.corrections(self.id, self.timeline, clock, retracted, entered)

    def _keep_within_bounds(self) -> None:
        head = self.head
        if head.held > self.limits.touchpoints_max:
            if not head.overflow:
                self.publisher.counters.overflows += 1
            head.overflow = True
        while head.parts and head.held > self.limits.touchpoints_max:
            self._fold_oldest()

    def _fold_expired(self, clock: int) -> None:
        self.changed = True
        while clock >= self.head.folds_at:
            self._fold_oldest()

    def _fold_oldest(self) -> None:
        head = self.head
        checkpoint = self.timeline.checkpoint()
        final: list[Change] = []
        touches = self.timeline.pop_oldest_part()
        for touch in touches:
            step(self.plan, checkpoint, touch, final)
        self.timeline.set_checkpoint(checkpoint, touches[-1])
        del head.history[: len(final)]
        head.published = max(0, head.published - len(final))


def _conflict(kept: Touch, lost: Touch) -> str:
    return (
        f"event_id {kept.id!r} stands for two touchpoints: kept {kept.channel}/{kept.type} at {kept.at} ms, "
        f"dropped {lost.channel}/{lost.type} at {lost.at} ms; give every touchpoint an id of its own"
    )
