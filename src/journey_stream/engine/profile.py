"""One customer: a timeline, the standing folded from it, and what was published about it."""

from collections.abc import Iterator, Sequence

from journey_stream.engine.difference import difference
from journey_stream.engine.fold import fall_silent, react, step
from journey_stream.engine.head import Head, decode_row
from journey_stream.engine.limits import Limits
from journey_stream.engine.links import Ranking
from journey_stream.engine.packing import describe, encode, pack, pack_touch, unpack_changes, winner_key
from journey_stream.engine.plan import Plan, Reaction
from journey_stream.engine.publication import Publisher
from journey_stream.engine.risk_publication import RiskPublisher
from journey_stream.engine.risk_track import RiskTrack
from journey_stream.engine.standing import Standing
from journey_stream.engine.timeline import Timeline, mark_of
from journey_stream.engine.touches import LONG_AGO, NEVER, Change, Facts, Touch
from journey_stream.events.decisions import CurrentRisk, Decision, ProfileChanged, Rejected, RfmScores
from journey_stream.events.reasons import Reason
from journey_stream.events.times import HOUR_MS

HISTORY_BYTES_MAX = 128 * 1024
"""The head holds the changes that may still be corrected, and no state record may outgrow the broker's limit."""


class Context:
    """What all profiles of a partition share.

    `generation` is the head's for the churn parameters in use, `on_since` the one with which churn risk was last
    switched on. Of touchpoints that happened no later than `other_facts_until` (ms) other fields may have been kept
    than those parameters read. `rivalry_ms` is how far apart two touchpoints under one event_id may have happened that
    both arrived within the lateness bound of the earlier one. What happened no longer than `surely_held_ms` before the
    arrival of a message is held when the message is read, unless the task lags further than it is allowed to.
    """

    __slots__ = (
        "generation",
        "holding_ms",
        "lateness_ms",
        "on_since",
        "other_facts_until",
        "plan",
        "publisher",
        "ranking",
        "risks",
        "rivalry_ms",
        "surely_held_ms",
        "touchpoints_max",
    )

    def __init__(self, plan: Plan, limits: Limits) -> None:
        self.plan = plan
        self.lateness_ms = limits.lateness_ms
        # The later one may have come from a clock that runs ahead.
        self.rivalry_ms = limits.lateness_ms + limits.skew_ms
        self.touchpoints_max = limits.touchpoints_max
        self.ranking: Ranking | None = None
        self.surely_held_ms = limits.lateness_ms
        allowance_ms = limits.allowance_ms
        identity = plan.model.identity
        if identity is not None:
            self.ranking = Ranking(identity, limits.lateness_ms)
            # A link may move a touchpoint that happened a look-back before it, and a message that another one causes
            # may come later than that one by an allowance for each step between two identifiers. A link counts from
            # the start of its hour. Whatever a source sends in time is compared with all its rivals.
            longest = max(identity.look_back_ms, limits.lateness_ms) + HOUR_MS
            self.surely_held_ms += max(longest, self.rivalry_ms)
            allowance_ms *= len(identity.ranks)
        self.holding_ms = self.surely_held_ms + allowance_ms
        self.publisher = Publisher(plan)
        self.risks = None if plan.scorer is None else RiskPublisher(plan.scorer, self.publisher)
        self.generation = 0
        self.on_since = 0
        self.other_facts_until = LONG_AGO


Packed = bytes | tuple[bytes, tuple[bytes, ...], bytes | None, str | None, bytes | None, bytes | None]
"""How a profile lies in memory: its packed head; or head, parts, checkpoint, index, risk, links."""


class Profile(Timeline):
    """A profile unpacked for work.

    All that it holds is its own here; `Actor` knows of touchpoints that belong elsewhere.

    `changed` says whether it has to be packed again; `packed` is what it was unpacked from, None for a new one.
    """

    __slots__ = ("_track", "changed", "context", "id", "packed")

    def __init__(self, profile_id: str, packed: Packed | None, context: Context) -> None:
        if packed is None:
            super().__init__(Head(), [], None, None, None, None, context.holding_ms)
            self.head.generation = context.generation
        elif isinstance(packed, bytes):
            super().__init__(Head(decode_row(packed)), [], None, None, None, None, context.holding_ms)
        else:
            head, parts, checkpoint, index, risk, links = packed
            super().__init__(Head(decode_row(head)), list(parts), checkpoint, index, risk, links, context.holding_ms)
        self.id = profile_id
        self.context = context
        self.packed = packed
        self.changed = False
        self._track: RiskTrack | None = None

    def own(self) -> Iterator[Touch]:
        """The touchpoints that this profile's history is made of, in order."""
        return self.touches()

    def own_of(self, touches: list[Touch]) -> list[Touch]:
        """Those of these touchpoints that are part of its history."""
        return touches

    def last_at(self) -> int:
        """When the last touchpoint of its own happened (ms)."""
        return self.head.last_at

    def note_folded(self, touches: list[Touch]) -> None:
        """These touchpoints of its own are folded now."""

    def children(self) -> tuple[str, ...]:
        """The lower identifiers that are linked to this one."""
        return ()

    def add(
        self, reaction: Reaction, at: int, event_id: str, facts: Facts | None, arrived_at: int, clock: int
    ) -> Sequence[Decision]:
        """Put a touchpoint into the history and decide what to publish about it."""
        head = self.head
        if clock >= head.folds_at:
            return [*self.fold_expired(clock), *self.add(reaction, at, event_id, facts, arrived_at, clock)]
        mark = mark_of(event_id) if self.parts else ""
        if head.held:
            # What happened longer ago may be folded, or not: to be asked about it would make chance decide.
            held = self.find(event_id, mark, arrived_at - self.context.surely_held_ms)
            if held is not None:
                return self.meet_again(held, Touch(at, event_id, reaction.channel, reaction.type, facts), clock)
        return self.take(reaction, at, event_id, mark, facts, None, clock)

    def take(
        self,
        reaction: Reaction,
        at: int,
        event_id: str,
        mark: str,
        facts: Facts | None,
        via: tuple[str, ...] | None,
        clock: int,
    ) -> Sequence[Decision]:
        """Put a touchpoint that is new here, and its own, into the history."""
        head = self.head
        standing = head.standing
        # A step does it when no touchpoint that was folded and no silence that was decided comes after.
        if at <= standing.silent_at or at < head.last_at or (at == head.last_at and event_id <= head.last_id):
            return self.place(Touch(at, event_id, reaction.channel, reaction.type, facts, via), clock)
        told: list[Decision] | None = None
        if reaction.concern is not None and (track := self.risk_track()) is not None:
            told = track.step(reaction.concern, at, event_id, facts)
            if told is None:
                return self.place(Touch(at, event_id, reaction.channel, reaction.type, facts, via), clock)
            head.risk_quiet_until, head.risk_band = track.quiet_until, track.band
        self.changed = True
        changes: list[Change] = []
        may_change_segment = reaction.may_change_segment(standing.memory, clock)
        react(self.context.plan, reaction, standing, at, event_id, facts, changes)
        if via is None:
            packed = pack_touch(at, event_id, reaction.channel, reaction.type, facts)
        else:
            packed = encode(Touch(at, event_id, reaction.channel, reaction.type, facts, via))
        self.append(at, event_id, mark, packed)
        decisions: Sequence[Decision] = self._tell(changes, clock) if changes else ()
        if told is not None:
            decisions = self._with_view(told, decisions, clock)
        if may_change_segment:
            decisions = self._with_segment(decisions, clock)
        if head.held > self.context.touchpoints_max or self._outgrown():
            return [*decisions, *self.keep_within_bounds(clock)]
        if told is not None:
            self._rest_track()
        return decisions

    def pack(self) -> Packed:
        """How it lies in memory from now on."""
        self._rest_track()
        head = encode(self.head.row())
        if self.packed_links is None and not self.parts and self.packed_checkpoint is None and self.packed_risk is None:
            return head
        before = self.packed
        parts = before[1] if self.touched is None and isinstance(before, tuple) else tuple(self.parts)
        return head, parts, self.packed_checkpoint, self.index, self.packed_risk, self.packed_links

    def _rest_track(self) -> None:
        """Pack churn risk, if it has changed, and go on without it unpacked.

        A batch works on thousands of profiles, more than the processor's caches hold. Packed while it is at hand, and
        not when the batch is drained, churn risk costs a fifth less; a profile that buys again and again within a batch
        pays for it with a fifth more.
        """
        track, self._track = self._track, None
        if track is not None and track.changed:
            self.keep_risk(track.pack())

    def ring(self, clock: int) -> list[Decision]:
        """The timer rang: decide what silence and settling have brought by `clock`."""
        head = self.head
        self.changed = True
        told = self.fold_expired(clock) if clock >= head.folds_at else []
        changes: list[Change] = []
        if clock >= head.standing.quiet_until:
            fall_silent(self.context.plan, head.standing, clock, changes, inclusive=True)
        risks: list[Decision] = []
        if clock >= head.risk_quiet_until and (track := self.risk_track()) is not None:
            risks = track.pass_time(clock)
            head.risk_quiet_until, head.risk_band = track.quiet_until, track.band
        return [*told, *self._with_segment(self._with_view(risks, self._tell(changes, clock), clock), clock)]

    def next_due(self) -> int:
        """No later than the next instant at which time alone changes something (ms)."""
        head, plan = self.head, self.context.plan
        due = head.standing.quiet_until
        if head.risk_quiet_until < due and plan.scorer is not None:
            due = head.risk_quiet_until
        if head.segment_until is not None and head.segment_until < due:
            due = head.segment_until
        if plan.settles and head.published < head.changes:
            waiting = self.history()[head.published]
            due = min(due, waiting.at + plan.settle_ms[waiting.after])
        return due

    def history(self) -> list[Change]:
        """The changes since the checkpoint."""
        return unpack_changes(self.head.changes, self.head.history)

    def risk_track(self) -> RiskTrack | None:
        """Churn risk, unpacked; None if it is not scored."""
        track, risks = self._track, self.context.risks
        if track is None and risks is not None:
            self._track = track = RiskTrack(self.id, self.packed_risk, self.context.plan, risks)
        return track

    def current_risk(self) -> CurrentRisk | None:
        """The band of churn risk that the customer is in."""
        if self._track is None and self.packed_risk is None:
            return None
        track = self.risk_track()
        return None if track is None else track.current()

    def rescore(self, at: int, clock: int) -> Sequence[Decision]:
        """Go on with other parameters of churn risk from `at` on; what was published up to there is final."""
        self.changed = True
        gap = self.head.generation < self.context.on_since
        self.head.generation = self.context.generation
        self.context.publisher.counters.rescored += 1
        track = self.risk_track()
        risks: list[Decision] = []
        if track is not None:
            risks = track.rescore(self.own(), at, clock, gap=gap)
            self.head.risk_quiet_until, self.head.risk_band = track.quiet_until, track.band
        return self._with_segment(self._with_view(risks, (), clock), clock)

    def current_segment(self, clock: int) -> str | None:
        """The id of the segment that the customer is in; None for none. It is noted, with when silence ends it."""
        head, segmenter = self.head, self.context.plan.segmenter
        if segmenter is None:
            return None
        summary = None
        if segmenter.reads_summary and (self._track is not None or self.packed_risk is not None):
            track = self.risk_track()
            summary = None if track is None else track.summary
        memory = head.standing.memory
        head.segment, until = segmenter.find(memory, self._stage_told(), head.risk_band, summary, clock)
        head.segment_until = None if until == NEVER else until
        return None if head.segment < 0 else segmenter.ids[head.segment]

    def current_rfm(self, clock: int) -> RfmScores | None:
        """The RFM scores; None before the first purchase, or without a reference."""
        if self._track is None and self.packed_risk is None:
            return None
        track = self.risk_track()
        return None if track is None else track.rfm(clock)

    def _stage_told(self) -> int:
        """The stage that the view shows: that of the last change that was published; -1 for none."""
        head = self.head
        if head.published == head.changes:
            return head.standing.stage
        return self.history()[head.published - 1].after if head.published else self.checkpoint().stage

    def _with_segment(self, decisions: Sequence[Decision], clock: int) -> Sequence[Decision]:
        """With a view at the end, if there is none and the segment is another than the one last shown."""
        if self.context.plan.segmenter is None or (decisions and isinstance(decisions[-1], ProfileChanged)):
            return decisions
        shown = self.head.segment
        self.current_segment(clock)
        return decisions if self.head.segment == shown else [*decisions, self.context.publisher.view(self, clock)]

    def _with_view(self, risks: list[Decision], stages: Sequence[Decision], clock: int) -> Sequence[Decision]:
        """Both in one go, with one view at the end."""
        track = self._track
        if not risks and (track is None or not track.restated):
            return stages
        if track is not None:
            track.restated = False
        if stages and isinstance(stages[-1], ProfileChanged):
            stages = stages[:-1]
        return [*stages, *risks, self.context.publisher.view(self, clock)]

    def _outgrown(self) -> bool:
        """Whether the changes that may still be corrected are too many for a state record."""
        track = self._track
        return len(self.head.history) > HISTORY_BYTES_MAX or (
            track is not None and track.history_bytes > HISTORY_BYTES_MAX
        )

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
        return publisher.news(self, fresh, clock)

    def place(self, touch: Touch, clock: int) -> list[Decision]:
        """Put a late touchpoint where it belongs and fold again."""
        if (touch.at, touch.id) <= (self.head.folded_at, self.head.folded_id):
            return self.final()
        self.changed = True
        self.insert([touch])
        return [*self._refold(clock, touch, None), *self.keep_within_bounds(clock)]

    def final(self, touchpoints: int = 1) -> list[Decision]:
        """What there is to say of touchpoints of one record whose places are folded already."""
        if self.head.overflow:
            why = "the profile is over its limit of touchpoints"
        else:
            why = "the task lagged too far"
            self.context.publisher.counters.beyond_allowance += touchpoints
        if touchpoints > 1:
            why += f" (so it is with {touchpoints} of the touchpoints that this record moves)"
        return [Rejected(Reason.TOO_LATE, f"its place in the customer's history is final: {why}")]

    def meet_again(self, held: Touch, touch: Touch, clock: int) -> Sequence[Decision]:
        """Decide about a touchpoint whose event_id is held already."""
        kept, found = winner_key(held), winner_key(touch)  # packed, because to Python True and 1 are equal
        if kept == found:
            self.context.publisher.counters.duplicates += 1
            return []
        if self.may_be_equal(held, touch):
            self.context.publisher.counters.duplicates += 1
            if len(touch.facts or ()) <= len(held.facts or ()):
                return []
            self.changed = True
            self.remove(held)
            self.insert([touch])
            return self._refold(clock, touch, held)
        if (touch.at, touch.id) <= (self.head.folded_at, self.head.folded_id):
            return self.final()
        if kept < found:
            return [Rejected(Reason.CONFLICTING_DUPLICATE, conflict(held, touch))]
        self.changed = True
        self.remove(held)
        self.insert([touch])
        displaced = Rejected(Reason.CONFLICTING_DUPLICATE, conflict(touch, held), describe(held))
        return [displaced, *self._refold(clock, touch, held)]

    def may_be_equal(self, held: Touch, touch: Touch) -> bool:
        """Whether they are one touchpoint of which, under other parameters of churn risk, other fields were kept."""
        return touch.at <= self.context.other_facts_until and _may_be_equal(held, touch)

    def succeed(self, former: "Profile", until: int, sender: str | None, clock: int) -> list[Decision]:
        """Go on with what has come about after `until` (ms), where everything before is erased."""
        del sender
        risk, counters = False, self.context.publisher.counters
        for touch in former.touches():
            if touch.at <= until:
                counters.erased += 1
                continue
            self.changed = True
            self.insert([touch])
            risk = risk or self.concerns_risk(touch)
        return list(self.refold(clock, risk=risk)) if self.changed else []

    def _refold(self, clock: int, came: Touch, went: Touch | None) -> Sequence[Decision]:
        return self.refold(clock, risk=self.concerns_risk(came) or (went is not None and self.concerns_risk(went)))

    def refold(self, clock: int, *, risk: bool) -> Sequence[Decision]:
        """Fold the whole timeline from the checkpoint on, and publish the difference to what was published.

        Churn risk is left alone if none of the touchpoints that came or went concerns it.
        """
        risks: list[Decision] = []
        track = self.risk_track() if risk else None
        if track is not None:
            risks = track.refold(self.own(), clock)
            self.head.risk_quiet_until, self.head.risk_band = track.quiet_until, track.band
        return self._with_segment(self._with_view(risks, self._refold_stages(clock), clock), clock)

    def concerns_risk(self, touch: Touch) -> bool:
        """Whether a score of churn risk depends on it."""
        return self.context.plan.reaction(touch.channel, touch.type).concern is not None

    def _refold_stages(self, clock: int) -> list[Decision]:
        head, publisher = self.head, self.context.publisher
        before = self.history()[: head.published]
        standing: Standing = self.checkpoint()
        history: list[Change] = []
        for touch in self.own():
            step(self.context.plan, standing, touch, history)
        fall_silent(self.context.plan, standing, clock, history, inclusive=True)
        head.standing, head.history, head.changes = standing, pack(history), len(history)
        head.published = publisher.settled(history, clock)
        after = history[: head.published]
        retracted, entered = difference(before, after)
        if not retracted and not entered:
            return []
        return publisher.corrections(self, after, retracted, entered, clock)

    def keep_within_bounds(self, clock: int) -> list[Decision]:
        """Fold before the time what is more than a profile may hold."""
        head, most = self.head, self.context.touchpoints_max
        told: list[Decision] = []
        while head.parts and (head.held > most or self._outgrown()):
            if not head.overflow:
                head.overflow = True
                self.context.publisher.counters.overflows += 1
            told += self._fold_oldest(clock)
        return told

    def fold_expired(self, clock: int) -> list[Decision]:
        """Fold what nothing admissible can touch any more."""
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
        popped = self.pop_oldest_part()
        touches = self.own_of(popped)
        for touch in touches:
            step(self.context.plan, checkpoint, touch, final)
        self.note_folded(touches)
        self.set_checkpoint(checkpoint, popped[-1])
        if any(self.concerns_risk(touch) for touch in touches) and (track := self.risk_track()) is not None:
            track.fold(touches)
        if not final:
            return []
        history = self.history()
        untold, rest = history[head.published : len(final)], history[len(final) :]
        head.history, head.changes = pack(rest), len(rest)
        head.published = max(0, head.published - len(final))
        return self.context.publisher.news(self, untold, clock) if untold else []


def at_rest(held: Profile | Packed) -> Packed:
    """A profile that nobody works on. Raises TypeError for one at work."""
    if isinstance(held, Profile):
        raise TypeError(f"profile {held.id!r} is at work: drain the state first")
    return held


def head_of(packed: Packed) -> bytes:
    """The packed head."""
    return packed if isinstance(packed, bytes) else packed[0]


def bytes_of(packed: Packed) -> int:
    """The length of all state records of a profile together."""
    if isinstance(packed, bytes):
        return len(packed)
    head, parts, checkpoint, _, risk, links = packed
    return len(head) + sum(map(len, parts)) + len(checkpoint or b"") + len(risk or b"") + len(links or b"")


def _may_be_equal(one: Touch, other: Touch) -> bool:
    """Whether they are one touchpoint but for facts that only one of them has, and the other has none of its own."""
    if (one.at, one.id, one.channel, one.type) != (other.at, other.id, other.channel, other.type):
        return False
    fewer, more = one.facts or {}, other.facts or {}
    if len(fewer) > len(more):
        fewer, more = more, fewer
    # Packed, because to Python True and 1 are equal.
    return all(name in more and encode(fact) == encode(more[name]) for name, fact in fewer.items())


def conflict(kept: Touch, lost: Touch) -> str:
    """What to say about two contents of one event_id."""
    return (
        f"event_id {kept.id!r} stands for two touchpoints: kept {kept.channel}/{kept.type} at {kept.at} ms, "
        f"dropped {lost.channel}/{lost.type} at {lost.at} ms; give every touchpoint an id of its own"
    )
