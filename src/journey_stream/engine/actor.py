"""One identifier: a profile whose touchpoints may belong to a higher identifier, and that may get them from lower ones.

Whom a touchpoint belongs to follows from the links that are known. When these change, touchpoints that are held move:
they are taken back from where they were and delivered to where they belong, and histories are corrected.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Final, Literal

from journey_stream.engine.links import Links, Ranking, hour_of, unpack_links
from journey_stream.engine.packing import describe, pack_touches, winner_key
from journey_stream.engine.plan import Reaction
from journey_stream.engine.profile import Context, Packed, Profile, conflict
from journey_stream.engine.timeline import mark_of
from journey_stream.engine.touches import LONG_AGO, NEVER, Facts, Touch
from journey_stream.events.decisions import Decision, Forward, IdentityChanged, ProfileChanged, ProfileGone, Rejected
from journey_stream.events.erasures import Spans, common, covers, is_whole
from journey_stream.events.reasons import Reason
from journey_stream.events.records import Attach, Block, Deliver, Erase, Link, Message, Passed, Retract, Unlink
from journey_stream.events.times import HOUR_MS

NOBODY: Final = ""
"""Where a touchpoint of a shared identifier belongs."""

RUN_MAX: Final = 200
"""So many touchpoints at most move with one message."""

DISPLACED_MAX: Final = 200
"""So many touchpoints at most wait for the one that has taken their event_id to be taken back."""

Reasoned = Literal["observed", "manual", "too_many_customers", "too_many_parents"]


class Actor(Profile):
    """A profile that knows of other identifiers. See `Profile` for what it does with its own touchpoints."""

    __slots__ = (
        "_deliveries",
        "_is_risk_stale",
        "_is_stale",
        "_links",
        "_links_changed",
        "_ranking",
        "_retractions",
    )

    def __init__(self, profile_id: str, packed: Packed | None, context: Context) -> None:
        super().__init__(profile_id, packed, context)
        assert context.ranking is not None
        self._ranking: Ranking = context.ranking
        self._links: Links | None = None
        self._links_changed = False
        # What one message brings about is told in one go: see `_settle`.
        self._retractions: list[tuple[Touch, str]] = []
        self._deliveries: list[tuple[Touch, str]] = []
        self._is_stale = False
        self._is_risk_stale = False

    # --- what a profile asks

    def pack(self) -> Packed:
        """How it lies in memory from now on."""
        if self._links_changed and self._links is not None:
            self.keep_links(self._links.pack())
            self._links_changed = False
        return super().pack()

    def own(self) -> Iterator[Touch]:
        """The touchpoints that this profile's history is made of, in order."""
        return iter(self.own_of(list(self.touches()))) if self.head.routes else self.touches()

    def own_of(self, touches: list[Touch]) -> list[Touch]:
        """Those of these touchpoints that are part of its history."""
        if not self.head.routes:
            return touches
        return [touch for touch in touches if self._owner(touch.at) is None]

    def last_at(self) -> int:
        """When the last touchpoint of its own happened (ms)."""
        if not self.head.routes:
            return self.head.last_at
        last = LONG_AGO
        for touch in self.own():
            last = touch.at
        return last if last != LONG_AGO else self.links().owned_until

    def note_folded(self, touches: list[Touch]) -> None:
        """Remember what is asked of touchpoints of its own once they are folded."""
        if self.head.routes and touches:
            self.links().owned_until = touches[-1].at
            self._links_changed = True

    def children(self) -> tuple[str, ...]:
        """The lower identifiers that are linked to this one."""
        return () if self._links is None and self.packed_links is None else tuple(self.links().children)

    def links(self) -> Links:
        """What is known of other identifiers."""
        links = self._links
        if links is None:
            packed = self.packed_links
            links = Links(None, self._ranking) if packed is None else unpack_links(packed, self._ranking)
            self._links = links
        return links

    def knows_links(self) -> bool:
        """Whether anything is known of other identifiers."""
        return self._links is not None or self.packed_links is not None

    def is_nobody(self) -> bool:
        """Whether nothing of its own is left."""
        if self.head.published:
            return False
        # What was its own may be folded and have entered no stage; how much is folded must not decide.
        checkpoint = self.checkpoint()
        if checkpoint.stage >= 0 or checkpoint.memory:
            return False
        for _ in self.own():
            return False
        return True

    def has_view(self) -> bool:
        """Whether journey.profiles has something to show of it."""
        if self.head.published or self.checkpoint().stage >= 0:
            return True
        return (self.head.segment >= 0 or self.current_risk() is not None) and not self.is_nobody()

    def fold_expired(self, clock: int) -> list[Decision]:
        """Fold what nothing admissible can touch any more."""
        told = super().fold_expired(clock)
        if self.knows_links() and self._forget(clock):
            self._keep_links()
        return told

    def hear(self, message: Message, clock: int) -> Sequence[Decision]:
        """Take in what is said of this identifier."""
        publisher = self.context.publisher
        publisher.cause = "identity"
        try:
            if isinstance(message, Deliver):
                if not message.moved:
                    publisher.cause = "touchpoint"
                return self.deliver(message, clock)
            if isinstance(message, Retract):
                return self.retract(message, clock)
            if isinstance(message, Link):
                return self.observe(message, clock)
            if isinstance(message, Unlink):
                return self.undo(message, clock)
            if isinstance(message, Block):
                return self.block(message, clock)
            assert isinstance(message, Attach)
            return self.attach(message, clock)
        finally:
            publisher.cause = "touchpoint"

    # --- touchpoints

    def add(
        self, reaction: Reaction, at: int, event_id: str, facts: Facts | None, arrived_at: int, clock: int
    ) -> Sequence[Decision]:
        """Put a touchpoint that a source sent to where it belongs."""
        if clock >= self.head.folds_at:
            return [*self.fold_expired(clock), *self.add(reaction, at, event_id, facts, arrived_at, clock)]
        return self._receive(reaction, at, event_id, facts, None, arrived_at, clock)

    def deliver(self, message: Deliver, clock: int) -> Sequence[Decision]:
        """Lower identifiers pass touchpoints on."""
        told = self.fold_expired(clock) if clock >= self.head.folds_at else []
        plan, via, arrived_at = self.context.plan, message.via, message.arrived_at
        if len(message.touchpoints) == 1 and not message.moved:
            one = message.touchpoints[0]
            reaction = plan.reaction(one.channel, one.type)
            return [*told, *self._receive(reaction, one.at, one.event_id, one.facts, via, arrived_at, clock)]
        new: dict[str, tuple[Touch, str | None]] = {}
        folded = 0
        for one in message.touchpoints:
            touch = Touch(one.at, one.event_id, one.channel, one.type, one.facts, (via,))
            if touch.id in new:
                self._put_in(list(new.values()))  # where the next line looks for others of its event_id
                new = {}
            owner = self._owner(touch.at) if self.head.routes else None
            if owner == NOBODY:
                self.context.publisher.counters.shared += 1
            elif (held := self._conflicting(touch.at, touch.id, self._mark_of(touch.id), arrived_at)) is not None:
                told += self._meet(held, touch, via)
            elif (touch.at, touch.id) <= (self.head.folded_at, self.head.folded_id):
                folded += 1
            else:
                new[touch.id] = touch, owner
        self._put_in(list(new.values()))
        if folded:
            told += self.final(folded)
        return [*told, *self._settle(clock, moved=message.moved)]

    def retract(self, message: Retract, clock: int) -> Sequence[Decision]:
        """A lower identifier takes touchpoints back."""
        told = self.fold_expired(clock) if clock >= self.head.folds_at else []
        folded = 0
        for one in message.touchpoints:
            touch = Touch(one.at, one.event_id, one.channel, one.type, one.facts)
            if not self._lose(touch, message.via):
                is_folded = (touch.at, touch.id) <= (self.head.folded_at, self.head.folded_id)
                folded += is_folded and self._owner(touch.at) != NOBODY
        if folded:
            told += self.final(folded)
        return [*told, *self._settle(clock, moved=True)]

    def _receive(
        self,
        reaction: Reaction,
        at: int,
        event_id: str,
        facts: Facts | None,
        sender: str | None,
        arrived_at: int,
        clock: int,
    ) -> Sequence[Decision]:
        """One touchpoint, from a lower identifier or from a source (None)."""
        head = self.head
        owner = self._owner(at) if head.routes else None
        if owner == NOBODY:
            self.context.publisher.counters.shared += 1
            return ()
        mark = self._mark_of(event_id)
        via = None if sender is None else (sender,)
        held = self._conflicting(at, event_id, mark, arrived_at) if head.held else None
        if held is not None:
            touch = Touch(at, event_id, reaction.channel, reaction.type, facts, via)
            if sender is None and held.via is None and owner is None and self._owner(held.at) is None:
                return self.meet_again(held, touch, clock)
            return [*self._meet(held, touch, sender), *self._settle(clock, moved=True)]
        if owner is None:
            return self.take(reaction, at, event_id, mark, facts, via, clock)
        if (at, event_id) <= (head.folded_at, head.folded_id):
            return self.final()
        touch = Touch(at, event_id, reaction.channel, reaction.type, facts, via)
        if (at, event_id) <= (head.last_at, head.last_id):
            self._put_in([(touch, owner)])
            return self._settle(clock, moved=False)
        self.changed = True
        self.append(at, event_id, mark, pack_touches([touch]))
        passed = Passed(at, event_id, reaction.channel, reaction.type, facts)
        forward = Forward(Deliver(profile_id=owner, at=at, via=self.id, touchpoints=[passed]))
        if head.held > self.context.touchpoints_max:
            return [forward, *self.keep_within_bounds(clock)]
        return (forward,)

    def _owner(self, at: int) -> str | None:
        """Whom a touchpoint at `at` (ms) belongs to: a higher identifier, NOBODY, or this one (None)."""
        links = self.links()
        return NOBODY if at >= links.shared_at else links.route(at)

    def _mark_of(self, event_id: str) -> str:
        """The mark that `find` and `append` ask for; there is none while there is no index."""
        return mark_of(event_id) if self.parts else ""

    def _conflicting(self, at: int, event_id: str, mark: str, arrived_at: int) -> Touch | None:
        """What is held under the same event_id. Whatever the way they came, the same touchpoints conflict.

        What happened too long ago may be folded, or not: to be asked about it would make chance decide.
        """
        context = self.context
        since = max(at - context.rivalry_ms, arrived_at - context.surely_held_ms)
        return self.find(event_id, mark, since, at + context.rivalry_ms)

    def _meet(self, held: Touch, touch: Touch, sender: str | None) -> list[Decision]:
        """Decide about a touchpoint whose event_id is held already, where one of them may be taken back."""
        kept, found = winner_key(held), winner_key(touch)  # packed, because to Python True and 1 are equal
        if kept == found or self.may_be_equal(held, touch):
            via = _with(held.via, sender)
            if len(touch.facts or ()) > len(held.facts or ()):
                self._take_out(held)
                self._put_in([(_with_via(touch, via), self._owner(touch.at))])
                if via is None:
                    self._forget_losers(touch)
            elif via == held.via:
                self.context.publisher.counters.duplicates += sender is None
            else:
                self._replace(held, _with_via(held, via))
            return []
        loser = self._displaced(touch, found)
        if loser is not None:
            self._forget_displaced(loser)
            self._keep_displaced(_with_via(loser, _with(loser.via, sender)))
            return []
        if (touch.at, touch.id) <= (self.head.folded_at, self.head.folded_id):
            return self.final()
        if kept < found:
            if held.via is not None:
                self._keep_displaced(touch)
            return [Rejected(Reason.CONFLICTING_DUPLICATE, conflict(held, touch))]
        if sender is None:
            self._forget_losers(touch)
        else:
            self._keep_displaced(held)
        self._take_out(held)
        self._put_in([(touch, self._owner(touch.at))])
        return [Rejected(Reason.CONFLICTING_DUPLICATE, conflict(touch, held), describe(held))]

    def _lose(self, touch: Touch, sender: str) -> bool:
        """Forget that `sender` passed a touchpoint on. Tell whether it is known."""
        content = winner_key(touch)
        held = self.find_at(touch.id, touch.at)
        if held is None or (winner_key(held) != content and not self.may_be_equal(held, touch)):
            loser = self._displaced(touch, content)
            if loser is None:
                return False
            self._forget_displaced(loser)
            rest = _without(loser.via, sender)
            if rest != ():
                self._keep_displaced(_with_via(loser, rest))
            return True
        rest = _without(held.via, sender)
        if rest == held.via:
            return True
        if rest != ():
            self._replace(held, _with_via(held, rest))
            return True
        self._take_out(held)
        self._let_inherit(held)
        return True

    def _let_inherit(self, gone: Touch) -> None:
        """Of those who lost against a touchpoint that is held no longer, one takes its place."""
        heirs = self._losers(gone)
        if heirs:
            heir = min(heirs, key=winner_key)
            self._forget_displaced(heir)
            self._put_in([(heir, self._owner(heir.at))])

    def _replace(self, held: Touch, touch: Touch) -> None:
        """The same touchpoint, from other senders."""
        self.changed = True
        self.remove(held)
        self.insert([touch])
        if touch.via is None:
            self._forget_losers(touch)

    def _put_in(self, owned: list[tuple[Touch, str | None]]) -> None:
        """Hold touchpoints, each with whom it belongs to; `_settle` does the rest."""
        if not owned:
            return
        self.changed = True
        self.insert([touch for touch, _ in owned])
        for touch, owner in owned:
            if owner is None:
                self._make_stale(touch)
            else:
                self._deliveries.append((touch, owner))

    def _make_stale(self, touch: Touch) -> None:
        """A touchpoint of its own has come or gone."""
        self._is_stale = True
        self._is_risk_stale = self._is_risk_stale or self.concerns_risk(touch)

    def _take_out(self, touch: Touch) -> None:
        """The opposite of `_put_in`."""
        self.changed = True
        owner = self._owner(touch.at)
        self.remove(touch)
        if owner is None:
            self._make_stale(touch)
        else:
            self._retractions.append((touch, owner))

    def _settle(self, clock: int, *, moved: bool) -> Sequence[Decision]:
        """Tell others of what has moved, and correct the history once for all of it."""
        decisions: list[Decision] = []
        if self._retractions or self._deliveries:
            me = self.id
            back = [
                Retract(profile_id=to, at=run[-1].at, via=me, touchpoints=run) for to, run in _runs(self._retractions)
            ]
            on = [
                Deliver(profile_id=to, at=run[-1].at, via=me, touchpoints=run, moved=moved)
                for to, run in _runs(self._deliveries)
            ]
            decisions = [*map(Forward, back), *map(Forward, on)]
            self._retractions, self._deliveries = [], []
        if self._is_stale:
            risk, self._is_stale, self._is_risk_stale = self._is_risk_stale, False, False
            told = self.refold(clock, risk=risk)
            if told and not self.has_view():
                told = [one for one in told if not isinstance(one, ProfileChanged)]
                told.append(ProfileGone(self.id, self.head.revision))
            decisions += told
        return [*decisions, *self.keep_within_bounds(clock)]

    def _are_rivals(self, one: Touch, other: Touch) -> bool:
        """Whether no more than one of the two may be held."""
        return one.id == other.id and abs(one.at - other.at) <= self.context.rivalry_ms

    def _losers(self, touch: Touch) -> list[Touch]:
        """The contents that lost their place to this touchpoint, or with it."""
        if not self.knows_links():
            return []
        return [other for other in self.links().displaced if self._are_rivals(other, touch)]

    def _displaced(self, touch: Touch, content: tuple[int, bytes]) -> Touch | None:
        """The one of them with this content (see `winner_key`)."""
        for other in self._losers(touch):
            if winner_key(other) == content:
                return other
        return None

    def _keep_displaced(self, touch: Touch) -> None:
        links, head = self.links(), self.head
        links.displaced.append(touch)
        if len(links.displaced) > DISPLACED_MAX:
            # A producer counts its events per device: such ids are no ids, and no record may grow with them.
            links.displaced.remove(min(links.displaced, key=winner_key))
            if not head.overflow:
                head.overflow = True
                self.context.publisher.counters.overflows += 1
        stays = [winner_key(other) for other in self._losers(touch) if other.via is None]
        if stays:
            # What loses against one that a source sent has lost for good.
            least = min(stays)
            links.displaced = [
                other for other in links.displaced if not self._are_rivals(other, touch) or winner_key(other) <= least
            ]
        self._keep_links()

    def _forget_displaced(self, touch: Touch) -> None:
        self.links().displaced.remove(touch)
        self._keep_links()

    def _forget_losers(self, touch: Touch) -> None:
        """A source sent what is held: no identifier can take it back, so whoever lost has lost for good.

        Not even an erasure of what is held brings them back: a record may not grow by all that ever lost.
        """
        if self._losers(touch):
            links = self.links()
            links.displaced = [other for other in links.displaced if not self._are_rivals(other, touch)]
            self._keep_links()

    # --- links

    def observe(self, message: Link, clock: int) -> Sequence[Decision]:
        """It was seen together with a higher identifier."""
        parent, hour = message.parent, hour_of(message.at)
        if self._ranking.of(parent) <= self._ranking.of(self.id):
            return [Rejected(Reason.UNREADABLE_LOG_RECORD, f"a link from {self.id} to {parent}, which is no higher")]
        links = self.links()
        if message.manual:
            # Nothing is linked further back than a touchpoint could have been.
            hour = max(hour, hour_of(message.arrived_at - self.context.lateness_ms))
        first, shared_at = links.first.get(parent, NEVER), links.shared_at
        if not links.would_change(parent, hour):
            if links.observe(parent, hour):
                self._keep_links()
            return ()
        before, stood = self._owners(), links.standing()
        if not links.observe(parent, hour):
            return ()
        decisions = self._relinked(before, stood, message.at, clock)
        # One that people have undone already tells nothing; the first one after that tells it anew.
        if parent in links.attached() and (links.first.get(parent, NEVER) < first or not stood.get(parent)):
            reason: Reasoned = "manual" if message.manual else "observed"
            text = f"{self.id} was seen together with {parent}" + _by(message.by, message.why)
            if message.manual:
                text = f"{self.id} was linked to {parent} by hand" + _by(message.by, message.why)
            decisions.append(self._identity("linked", parent, hour * HOUR_MS, reason, text, (message.event_id,)))
        if links.shared_at < shared_at:
            crowd: Reasoned = "too_many_parents"
            text = f"{self.id} is shared: it is linked to more than {self._ranking.parents_max} identifiers"
            if links.crowded_by_customers:
                crowd = "too_many_customers"
                text = f"{self.id} is shared: it is linked to more than {self._ranking.customers_max} customers"
            decisions.append(self._identity("shared", None, links.shared_at, crowd, text, (message.event_id,)))
        return decisions

    def undo(self, message: Unlink, clock: int) -> Sequence[Decision]:
        """People say that it was not, or is no longer, a certain higher identifier."""
        links = self.links()
        before, stood = self._owners(), links.standing()
        since = LONG_AGO if message.since is None else message.since
        floor = message.arrived_at - self._ranking.reach_ms
        if not links.undo(message.parent, since, message.at, floor):
            return ()
        decisions = self._relinked(before, stood, message.at, clock)
        text = f"{self.id} was unlinked from {message.parent} by hand" + _by(message.by, message.why)
        decisions.append(self._identity("unlinked", message.parent, message.at, "manual", text, (message.event_id,)))
        return decisions

    def block(self, message: Block, clock: int) -> Sequence[Decision]:
        """People say that it identifies nobody."""
        links = self.links()
        before, stood = self._owners(), links.standing()
        if not links.block(message.arrived_at - self._ranking.reach_ms):
            return ()
        decisions = self._relinked(before, stood, message.at, clock)
        text = f"{self.id} was blocked by hand: it identifies nobody" + _by(message.by, message.why)
        decisions.append(self._identity("blocked", None, links.shared_at, "manual", text, (message.event_id,)))
        return decisions

    def attach(self, message: Attach, clock: int) -> Sequence[Decision]:
        """A lower identifier is linked to this one, or no longer."""
        links = self.links()
        is_noted = links.note_former(message.child, is_former=message.former)
        is_news = links.release(message.child) if message.gone else links.adopt(message.child)
        if is_noted or is_news:
            self._keep_links()
        if not is_news:
            return ()
        return [self.context.publisher.view(self, clock)] if self.has_view() else ()

    # --- erasure

    def share_of(self, parent: str, spans: Spans) -> Spans:
        """What goes of this identifier when `parent` is erased in `spans`: all if it never was anybody else's."""
        links = self.links()
        if parent not in links.observations:
            return ()
        if is_whole(spans) and links.is_only({parent}):
            return spans
        return common(links.spans_of(parent), spans)

    def lose(self, parent: str, lost: Spans, until: int | None, clock: int) -> list[Decision]:
        """Forget what was passed on to `parent` in `lost`; with `until` (ms) also the links up to then.

        `parent` need not be told: it knows.
        """
        if not self.knows_links() or not self.links().names(parent):
            return []
        links, context = self.links(), self.context
        stood, kept, gone = links.standing(), list[tuple[Touch, str | None]](), list[Touch]()
        for touch, owner in self._owners():
            if owner == parent and covers(lost, touch.at):
                self.remove(touch)
                context.publisher.counters.erased += 1
                gone.append(touch)
            else:
                kept.append((touch, owner))
        links.displaced = [touch for touch in links.displaced if not covers(lost, touch.at)]
        if until is not None:
            links.lose(parent, until)
        for touch in gone:
            self._let_inherit(touch)
        decisions = self._relinked(kept, stood, clock, clock)
        if until is not None:
            decisions += self.attach_anew(parent)
        # Nothing may have been the parent's: another identifier was seen in the same hour, and counts for more.
        lower = links.lower() if lost else ()
        passed_on = [Erase(profile_id=child, at=lost[-1][1], parent=self.id, spans=list(lost)) for child in lower]
        return [*decisions, *map(Forward, passed_on)]

    def succeed(self, former: Profile, until: int, sender: str | None, clock: int) -> list[Decision]:
        """Go on with what has come about after `until` (ms); `sender` is the parent that is erased, too."""
        assert isinstance(former, Actor)
        if not former.knows_links():
            return super().succeed(former, until, sender, clock)
        known = former.links()
        owners, lower, stood = former._owners(), known.lower(), known.standing()  # noqa: SLF001
        links = known.successor(until)
        if not links.is_empty:
            self._links = links
            self._keep_links()
        for touch, old in owners:
            if touch.at > until:
                self._take_over(touch, old)
                continue
            self.context.publisher.counters.erased += 1
            if old is not None and old != sender:
                self._retractions.append((touch, old))
            self._let_inherit(touch)
        decisions = list(self._settle(clock, moved=True))
        decisions += self._attachments(stood, links.standing(), clock)
        decisions += self.attach_anew(sender)
        decisions += [Forward(Erase(profile_id=child, at=until, parent=self.id)) for child in lower]
        return decisions

    def _take_over(self, touch: Touch, old: str | None) -> None:
        """Go on holding a touchpoint that belonged to `old`."""
        new = self._owner(touch.at) if self.head.routes else None
        if old is not None and new != old:
            self._retractions.append((touch, old))
        if new == NOBODY:
            return
        if new is None:
            self._make_stale(touch)
        elif new != old:
            self._deliveries.append((touch, new))
        self.changed = True
        self.insert([touch])

    def attach_anew(self, parent: str | None) -> list[Decision]:
        """Tell a parent that was erased, and has forgotten all who were linked to it, if later observations name it."""
        links = self.links()
        if parent is None or parent not in links.observations:
            return []
        gone = not links.standing()[parent]
        at = links.observations[parent][-1] * HOUR_MS
        return [Forward(Attach(profile_id=parent, at=at, child=self.id, gone=gone, former=gone))]

    def _attachments(self, stood: dict[str, bool], now: dict[str, bool], at: int) -> list[Decision]:
        """Tell higher identifiers how it stands with them where that has changed since it `stood` otherwise."""
        return [
            Forward(
                Attach(profile_id=one, at=at, child=self.id, gone=not now.get(one), former=now.get(one) is False),
            )
            for one in sorted({*stood, *now})
            if now.get(one) is not stood.get(one)
        ]

    def canonical_links(self, clock: int) -> list[object] | None:
        """What depends on nothing but the records of the log and the clock; nothing can be asked of the links then."""
        if not self.knows_links():
            return None
        links = self.links()
        links.forget(clock - self.holding_ms)
        return None if links.is_empty else links.canonical()

    def _owners(self) -> list[tuple[Touch, str | None]]:
        return [(touch, self._owner(touch.at)) for touch in self.touches()]

    def _relinked(
        self, before: list[tuple[Touch, str | None]], stood: dict[str, bool], at: int, clock: int
    ) -> list[Decision]:
        """Move what belongs elsewhere now."""
        links = self.links()
        self._forget(clock)
        # What is nobody's now is not held, and so it is with what lost its place.
        links.displaced = [touch for touch in links.displaced if touch.at < links.shared_at]
        self._keep_links()
        for touch, old in before:
            new = self._owner(touch.at)
            if new == old:
                continue
            if old is None or new is None:
                self._make_stale(touch)
            if old is not None:
                self._retractions.append((touch, old))
            if new == NOBODY:
                self.remove(touch)
                self.context.publisher.counters.shared += 1
            elif new is not None:
                self._deliveries.append((touch, new))
        decisions = list(self._settle(clock, moved=True))
        return [*decisions, *self._attachments(stood, links.standing(), at)]

    def _forget(self, clock: int) -> bool:
        """Drop what nothing needs any more: what is held is still asked for its owner. Tell whether there was any."""
        oldest = next((touch.at for touch in self.touches()), NEVER)
        return self.links().forget(min(clock - self.holding_ms, oldest))

    def _keep_links(self) -> None:
        self.changed = True
        self._links_changed = True
        links = self.links()
        if links.routes and not self.head.routes:
            links.owned_until = self.head.folded_at  # so far all that it had was its own
        self.head.routes = links.routes

    def _identity(
        self,
        kind: Literal["linked", "unlinked", "shared", "blocked"],
        parent: str | None,
        at: int,
        reason: Reasoned,
        text: str,
        evidence: tuple[str, ...],
    ) -> IdentityChanged:
        links = self.links()
        links.revision += 1
        name = f"{kind} {len(self.id)}:{self.id} {parent}"
        merged_into = links.parent_now() if kind == "linked" and self.is_nobody() else None
        identity_id = blake2b(name.encode(), digest_size=16).hexdigest()
        return IdentityChanged(
            identity_id, kind, self.id, links.revision, parent, at, reason, text, evidence, merged_into
        )


def _runs(moves: list[tuple[Touch, str]]) -> list[tuple[str, list[Passed]]]:
    """The touchpoints for each owner, in runs that fit into a record."""
    by_owner: dict[str, list[Passed]] = {}
    for touch, owner in sorted(moves, key=_when):
        passed = Passed(touch.at, touch.id, touch.channel, touch.type, touch.facts)
        by_owner.setdefault(owner, []).append(passed)
    return [
        (owner, run[first : first + RUN_MAX])
        for owner, run in sorted(by_owner.items())
        for first in range(0, len(run), RUN_MAX)
    ]


def _when(move: tuple[Touch, str]) -> tuple[int, str]:
    return move[0].at, move[0].id


def _by(who: str, why: str) -> str:
    return (f", by {who}" if who else "") + (f": {why}" if why else "")


def _with(via: tuple[str, ...] | None, sender: str | None) -> tuple[str, ...] | None:
    """The senders with one more; a source (None) outweighs them all."""
    if via is None or sender is None:
        return None
    return via if sender in via else tuple(sorted([*via, sender]))


def _without(via: tuple[str, ...] | None, sender: str) -> tuple[str, ...] | None:
    return None if via is None else tuple([one for one in via if one != sender])


def _with_via(touch: Touch, via: tuple[str, ...] | None) -> Touch:
    return Touch(touch.at, touch.id, touch.channel, touch.type, touch.facts, via)
