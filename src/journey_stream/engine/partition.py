"""The state machine of one partition of journey.log.

Input: its records, in order. Output: decisions. Time is the running maximum of the records' arrival times; nothing else
tells it. Profiles lie packed in memory and are unpacked for as long as a batch works on them: packed bytes cost less to
keep than live objects, and nothing to the garbage collector.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from heapq import heapify, heappop, heappush
from typing import Final
from zlib import crc32

import msgspec
from msgspec.structs import replace

from journey_stream.churn.score import Scorer
from journey_stream.engine.actor import Actor
from journey_stream.engine.fold import step
from journey_stream.engine.head import CHECKPOINT, LINKS, RISK, decode_row, scheduled
from journey_stream.engine.limits import Limits
from journey_stream.engine.meta import STATE_FORMAT, Meta, decode_meta, format_of
from journey_stream.engine.packing import encode
from journey_stream.engine.plan import Plan
from journey_stream.engine.predicates import facts_of
from journey_stream.engine.profile import Context, Packed, Profile, at_rest, bytes_of, head_of
from journey_stream.engine.publication import Counters
from journey_stream.engine.touches import LONG_AGO, NEVER, Change
from journey_stream.events.decisions import Decision, Erased, Forward, Rejected
from journey_stream.events.erasures import UNKEYED, ErasureKey, Erasures, Spans, common, covers, is_whole, united, whole
from journey_stream.events.reasons import Reason
from journey_stream.events.records import (
    AsOf,
    Attach,
    Block,
    Content,
    Deliver,
    Erase,
    Link,
    Message,
    Record,
    Retract,
    Tick,
    TouchpointRecord,
    Unlink,
)
from journey_stream.events.times import DAY_MS, HOUR_MS, rfc3339
from journey_stream.journey.model import Model

_META_KEY = b"m"
_STALE_TIMERS = 1_000
RESCORING_MS = HOUR_MS
"""Over so much time on the clock profiles are scored anew when the parameters of churn risk have changed."""
RESCORED_BY_TIME = 500
"""So many at the most with one record that only tells the time: where the clock has jumped, all are due at once, and
what one record brings has to fit into a transaction."""
RESCORED_BY_TOUCHPOINT = 10
"""So many at the most with one touchpoint: a batch holds thousands of them."""


class StateMismatch(Exception):
    """The stored state was written by another release or for another journey model."""


class Partition:
    """State machine of one log partition: `apply` records, then `drain_state` what has to be stored.

    State is key-value records of bytes, so that a compacted topic can hold it. A head is stored as b"h" + profile id,
    a part of a timeline as b"p" + number (4 bytes, big endian) + profile id, the partition's own state as b"m", what is
    erased of an identifier as b"e" + its name by `erasure_key`. Churn risk is scored if there is a `scorer`.
    """

    def __init__(
        self,
        model: Model,
        limits: Limits | None = None,
        scorer: Scorer | None = None,
        erasure_key: ErasureKey = UNKEYED,
    ) -> None:
        self.limits = limits or Limits()
        longest = max((stage.settle_ms for stage in model.stages), default=0)
        if longest > self.limits.lateness_ms:
            raise ValueError("a stage may not settle for longer than the lateness bound: its history would be final")
        self.plan = Plan(model, scorer)
        self.clock = LONG_AGO
        self.state_bytes = 0
        self._context = Context(self.plan, self.limits)
        self._counters = self._context.publisher.counters
        self._lateness_ms = self.limits.lateness_ms
        self._skew_ms = self.limits.skew_ms
        self._profiles: dict[str, Profile | Packed] = {}
        self._at_work: list[Profile] = []
        self._timers: list[tuple[int, str]] = []
        self._to_rescore: list[tuple[int, str]] = []
        self._rescored_from = LONG_AGO
        self._next_timer = NEVER
        # Where churn risk was switched off, segments that depended on it have to be found anew.
        segmenter = self.plan.segmenter
        self._rescores = scorer is not None or (segmenter is not None and segmenter.reads_risk)
        self._stored_clock = LONG_AGO
        # After a restore: with which parameters churn risk was scored before, if they were others.
        self.parameters_before: str | None = None
        # Only while a restore lasts: parts by number, until the heads say in which order they come.
        self._loose_parts: dict[str, dict[int, bytes]] = {}
        self._erasures = Erasures(erasure_key)
        # What the next drain has to store of erasures, and to delete of profiles that were stored before theirs.
        self._new_erasures: dict[bytes, Spans] = {}
        self._gone: list[tuple[str, Packed]] = []
        self._stored_erasure_key = ""

    @property
    def counters(self) -> Counters:
        """What happened since this object was made."""
        return self._counters

    @property
    def profiles(self) -> int:
        """How many profiles are held."""
        return len(self._profiles)

    def apply(self, record: Record) -> list[Decision]:
        """Decide what one record of the log changes. The decisions are to be published in this order."""
        if isinstance(record, TouchpointRecord):
            return list(self.touchpoint(record.profile_id, record.arrived_at, record.occurred_at, record))
        if isinstance(record, Erase):
            return self._erase(record)
        if not isinstance(record, (Tick, AsOf)):
            return self._hear(record)
        decisions = self.time(record.at)
        if isinstance(record, AsOf):
            while self._next_timer <= self.clock:
                decisions += self.time(record.at)
        return decisions

    def touchpoint(self, profile_id: str, arrived_at: int, occurred_at: int, content: Content) -> Sequence[Decision]:
        """`apply` for a touchpoint as it comes from the log; instants in ms."""
        clock = self.clock
        # Before the clock moves on, so that what the touchpoint changes is not laid at the parameters' door.
        rescored = self._rescore(profile_id, clock) if self._to_rescore else None
        if arrived_at > clock:
            clock = self.clock = arrived_at
        lateness = arrived_at - occurred_at
        decisions: Sequence[Decision]
        if lateness > self._lateness_ms:
            decisions = [Rejected(Reason.TOO_LATE, _too_late(occurred_at, arrived_at, self._lateness_ms))]
        elif -lateness > self._skew_ms:
            decisions = [Rejected(Reason.FROM_THE_FUTURE, _from_the_future(occurred_at, arrived_at))]
        elif occurred_at <= self._erasures.latest and covers(self._erasures.of(profile_id), occurred_at):
            self._counters.erased += 1
            decisions = ()
        else:
            decisions = self._add(profile_id, arrived_at, occurred_at, content)
        if rescored:
            decisions = [*rescored, *decisions]
        return decisions if clock < self._next_timer else [*decisions, *self._ring_timers(RESCORED_BY_TOUCHPOINT)]

    def _hear(self, message: Message) -> list[Decision]:
        """`apply` for what is said of an identifier."""
        profile_id = message.profile_id
        decisions: list[Decision] = []
        if self._to_rescore:
            decisions += self._rescore(profile_id, self.clock)
        clock = self.clock = max(self.clock, message.arrived_at)
        ranking = self._context.ranking
        if ranking is None:
            return [*decisions, Rejected(Reason.UNREADABLE_LOG_RECORD, "a message about identity, which is off")]
        rejected = self._refused(message) if isinstance(message, (Link, Unlink, Block)) else None
        if rejected is not None:
            return [*decisions, rejected]
        sifted: Message | None = message
        first = message.touchpoints[0].at if isinstance(message, (Deliver, Retract)) else _hour_before(message.at)
        if first <= self._erasures.latest:
            sifted, replies = self._sift(message)
            decisions += replies
        if sifted is not None:
            actor = self._profile(profile_id)
            assert isinstance(actor, Actor)
            decisions += actor.hear(sifted, clock)
            self._set_timer(actor)
        return decisions if clock < self._next_timer else [*decisions, *self._ring_timers(RESCORED_BY_TOUCHPOINT)]

    def _erase(self, message: Erase) -> list[Decision]:
        """Forget an identifier, or what of it was a higher one's that is erased. A repeat finds nothing to do."""
        clock = self.clock = max(self.clock, message.arrived_at)
        decisions = self._forgotten(message, clock)
        return decisions if clock < self._next_timer else [*decisions, *self._ring_timers(RESCORED_BY_TOUCHPOINT)]

    def _forgotten(self, message: Erase, clock: int) -> list[Decision]:
        until, parent = message.at, message.parent
        if until - message.arrived_at > self._skew_ms and parent is None:
            return [Rejected(Reason.FROM_THE_FUTURE, _from_the_future(until, message.arrived_at))]
        spans = whole(until) if message.spans is None else united(message.spans)
        profile = self._profile(message.profile_id)
        lost = spans
        if parent is not None:
            if not isinstance(profile, Actor):
                return []
            lost = profile.share_of(parent, spans)
        known = self._erasures.of(message.profile_id)
        publisher = self._context.publisher
        publisher.cause = "erasure"
        try:
            if is_whole(lost):
                if common(known, lost) == lost:
                    # It was erased before its parent, which has not heard of what came after.
                    return profile.attach_anew(parent) if isinstance(profile, Actor) else []
                erased = self._remember(message.profile_id, lost)
                successor = self._replace(profile)
                decisions = [erased, *successor.succeed(profile, until, parent, clock)]
                self._set_timer(successor)
                return decisions
            if parent is None or not isinstance(profile, Actor) or (not lost and not is_whole(spans)):
                return []
            told = profile.lose(parent, lost, until if is_whole(spans) else None, clock)
            self._set_timer(profile)
            return told if common(known, lost) == lost else [self._remember(message.profile_id, lost), *told]
        finally:
            publisher.cause = "touchpoint"

    def _remember(self, profile_id: str, spans: Spans) -> Erased:
        name = self._erasures.key.name_of(profile_id)
        all_spans = self._new_erasures[name] = self._erasures.add(name, spans)
        return Erased(profile_id, name, self._erasures.key.fingerprint, all_spans, is_whole(spans))

    def _replace(self, profile: Profile) -> Profile:
        """A new profile under the same id; the next drain deletes what is stored of this one."""
        if profile.packed is not None:
            self._gone.append((profile.id, profile.packed))
            self.state_bytes -= bytes_of(profile.packed)
        successor = self._make(profile.id, None)
        self._profiles[profile.id] = successor
        self._at_work[self._at_work.index(profile)] = successor
        return successor

    def _sift(self, message: Message) -> tuple[Message | None, list[Decision]]:
        """What of a message is not erased. Who sends what is erased has not heard of it: he is told."""
        spans = self._erasures.of(message.profile_id)
        if not spans:
            return message, []
        if isinstance(message, (Deliver, Retract)):
            kept = [one for one in message.touchpoints if not covers(spans, one.at)]
            if len(kept) == len(message.touchpoints):
                return message, []
            sifted = replace(message, at=kept[-1].at, touchpoints=kept) if kept else None
            if isinstance(message, Retract):
                return sifted, []
            self._counters.erased += len(message.touchpoints) - len(kept)
            return sifted, [self._also(message.via, message.profile_id, spans)]
        if isinstance(message, Attach) and message.gone is message.former and covers(spans, _hour_before(message.at)):
            return (None if is_whole(spans) else message), [self._also(message.child, message.profile_id, spans)]
        if isinstance(message, (Link, Unlink, Block)) and is_whole(spans):
            # A link counts from the start of its hour, so whether it came before its erasure or after makes no odds.
            at = _hour_before(message.at) if isinstance(message, Link) else message.at
            if at <= spans[0][1]:
                self._counters.erased += 1
                return None, []
        return message, []

    def _also(self, child: str, parent: str, spans: Spans) -> Forward:
        if is_whole(spans):
            return Forward(Erase(profile_id=child, at=spans[0][1], parent=parent))
        return Forward(Erase(profile_id=child, at=spans[-1][1], parent=parent, spans=list(spans)))

    def _refused(self, message: Link | Unlink | Block) -> Rejected | None:
        """Links are admitted like the touchpoints that show them."""
        at = message.at
        if isinstance(message, Link) and message.decided_at is not None:
            at = message.decided_at
        if message.arrived_at - at > self._lateness_ms:
            return Rejected(Reason.TOO_LATE, _too_late(at, message.arrived_at, self._lateness_ms))
        if at - message.arrived_at > self._skew_ms:
            return Rejected(Reason.FROM_THE_FUTURE, _from_the_future(at, message.arrived_at))
        return None

    def time(self, at: int) -> list[Decision]:
        """`apply` for a record that only says how late it is (ms). What it leaves undone is still due afterwards."""
        self.clock = max(self.clock, at)
        return self._ring_timers(RESCORED_BY_TIME)

    def next_timer(self) -> int | None:
        """The clock time (ms) by which a tick is needed if the log stays quiet; it may prove to be too early."""
        return None if self._next_timer == NEVER else self._next_timer

    @property
    def to_rescore(self) -> int:
        """How many profiles wait, at the most, for their first score with new parameters of churn risk."""
        return len(self._to_rescore)

    def drain_state(self) -> list[tuple[bytes, bytes | None]]:
        """The state records that changed since the last call; None deletes a key."""
        records: list[tuple[bytes, bytes | None]] = []
        if self._new_erasures or self._gone:
            self._drain_erasures(records)
        for profile in self._at_work:
            if profile.changed:
                self._profiles[profile.id] = self._pack(profile, records)
            elif profile.packed is not None:
                self._profiles[profile.id] = profile.packed
            else:
                del self._profiles[profile.id]
        self._at_work.clear()
        self._drop_stale_timers()
        if self._stored_clock != self.clock:
            self._stored_clock = self.clock
            records.append((_META_KEY, self._meta()))
        return records

    def _drain_erasures(self, records: list[tuple[bytes, bytes | None]]) -> None:
        for profile_id, packed in self._gone:
            key = profile_id.encode()
            records.append((b"h" + key, None))
            records += [(_part_key(key, number), None) for number in _parts_of(packed)]
        self._gone.clear()
        records += [(b"e" + name, encode(spans)) for name, spans in sorted(self._new_erasures.items())]
        self._new_erasures.clear()
        self._stored_clock = LONG_AGO  # so that the key is stored with them, although time may not have moved

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take over one state record; of several for one key the last counts. Raises StateMismatch."""
        kind = key[:1]
        if kind == b"h":
            profile_id = key[1:].decode()
            self._profiles.pop(profile_id, None)
            if value is not None:
                self._profiles[profile_id] = value
        elif kind == b"p":
            profile_id, number = key[5:].decode(), int.from_bytes(key[1:5], "big")
            parts = self._loose_parts.setdefault(profile_id, {})
            parts.pop(number, None)
            if value is not None:
                parts[number] = value
        elif kind == b"e" and value is not None:
            self._erasures.add(key[1:], _decode_spans(value))
        elif key == _META_KEY and value is not None:
            self._restore_meta(value)

    def restored(self) -> None:
        """End a restore: put the profiles together and set the timers. Raises StateMismatch if something is missing."""
        self.state_bytes = 0
        for profile_id, held in self._profiles.items():
            packed = self._put_together(profile_id, head_of(at_rest(held)))
            self.state_bytes += bytes_of(packed)
            self._profiles[profile_id] = packed
        self._loose_parts.clear()
        if self._erasures and self._stored_erasure_key != self._erasures.key.fingerprint:
            raise StateMismatch(
                "the state remembers erasures by another key than the one given, so it would let erased people in "
                "again; give it the key that it had (erasure_key_file, JOURNEY_ERASURE_KEY; without either, the "
                "application_id is the key)"
            )
        self._set_timers()

    def snapshot(self) -> Iterator[tuple[bytes, bytes]]:
        """All state records, as `restore` takes them. Nothing may wait in `drain_state`."""
        for profile_id, held in self._profiles.items():
            packed = at_rest(held)
            key, head = profile_id.encode(), head_of(packed)
            yield b"h" + key, head
            if isinstance(packed, tuple):
                _, parts, checkpoint, _, risk, links = packed
                for number, one in ((CHECKPOINT, checkpoint), (RISK, risk), (LINKS, links)):
                    if one is not None:
                        yield _part_key(key, number), one
                for number, part in zip(decode_row(head)[-1], parts, strict=True):
                    yield _part_key(key, number), part
        for name, spans in self._erasures.items():
            yield b"e" + name, encode(spans)
        yield _META_KEY, self._meta()

    def canonical(self) -> Iterator[tuple[str, bytes]]:
        """Each profile and its state in a form that depends only on the touchpoints and the clock.

        How a timeline is cut into parts, and how much of it happens to be folded, is evened out: everything older than
        the holding time is folded. Nothing may wait in `drain_state`.
        """
        horizon = self.clock - self._context.holding_ms
        for profile_id, packed in sorted(self._profiles.items()):
            profile = self._make(profile_id, at_rest(packed))
            checkpoint = profile.checkpoint()
            final: list[Change] = []
            touches = list(profile.touches())
            folding = profile.own_of([touch for touch in touches if touch.at < horizon])
            held = [encode(touch) for touch in touches if touch.at >= horizon]
            for touch in folding:
                step(self.plan, checkpoint, touch, final)
            links = profile.canonical_links(self.clock) if isinstance(profile, Actor) else None
            head = profile.head
            standings = [[s.stage, s.peak, s.entered_at, sorted(s.memory.items())] for s in (checkpoint, head.standing)]
            track = profile.risk_track()
            risk = None if track is None else track.canonical(folding)
            if not held and links is None and head.standing.entered_at == LONG_AGO and not head.standing.memory:
                continue  # everything that it had has gone elsewhere
            segment = [head.segment, profile.current_segment(self.clock), head.segment_until]
            state = [standings, held, profile.history()[len(final) :], risk, segment]
            yield profile_id, encode(state if links is None else [*state, links])

    def state_hash(self) -> str:
        """SHA-256 over `canonical`, in hex."""
        digest = sha256()
        for profile_id, state in self.canonical():
            digest.update(encode([profile_id, state]))
        return digest.hexdigest()

    def _add(self, profile_id: str, arrived_at: int, occurred_at: int, content: Content) -> Sequence[Decision]:
        self._counters.touchpoints += 1
        event_id, channel, type_ = content.event_id, content.channel, content.type
        reaction = self.plan.reaction(
            channel if isinstance(channel, str) else str(channel), type_ if isinstance(type_, str) else str(type_)
        )
        profile = self._profile(profile_id)
        decisions = profile.add(
            reaction,
            occurred_at,
            event_id if isinstance(event_id, str) else str(event_id),
            facts_of(content, reaction.fields) if reaction.fields else None,
            arrived_at,
            self.clock,
        )
        head = profile.head
        due = profile.next_due() if self.plan.settles else head.standing.quiet_until
        if head.risk_quiet_until < due and self.plan.scorer is not None:
            due = head.risk_quiet_until
        if head.segment_until is not None and head.segment_until < due:
            due = head.segment_until
        if due < head.armed:
            head.armed = due
            self._arm(due, profile_id)
        return decisions

    def _set_timer(self, profile: Profile) -> None:
        due = profile.next_due()
        if due < profile.head.armed:
            profile.head.armed = due
            self._arm(due, profile.id)

    def _ring_timers(self, rescored_most: int) -> list[Decision]:
        decisions: list[Decision] = []
        timers, to_rescore, counters = self._timers, self._to_rescore, self._counters
        # Counted are those that are scored, not those that have been already: after a restart these do not wait here.
        most = counters.rescored + rescored_most
        while timers and timers[0][0] <= self.clock and counters.rescored < most:
            at, profile_id = heappop(timers)
            decisions += self._ring(at, profile_id)
        while to_rescore and to_rescore[0][0] <= self.clock and counters.rescored < most:
            at, profile_id = heappop(to_rescore)
            decisions += self._rescore(profile_id, at)
        self._set_next_timer()
        return decisions

    def _rescore(self, profile_id: str, at: int) -> list[Decision]:
        """Go on with the new parameters of churn risk from `at` on, unless the profile does so already.

        Who waited for longer than planned goes on from when it was planned: how many are scored with one record decides
        nothing but when it is told.
        """
        if profile_id not in self._profiles:
            return []
        profile = self._profile(profile_id)
        if profile.head.generation == self._context.generation:
            return []
        planned = min(self._rescored_from + _spread(profile_id), profile.head.armed)
        decisions = list(profile.rescore(max(self._rescored_from, min(at, planned)), self.clock))
        due = profile.next_due()
        if due < profile.head.armed:
            profile.head.armed = due
            self._arm(due, profile_id)
        return decisions

    def _ring(self, at: int, profile_id: str) -> list[Decision]:
        profile = self._profile(profile_id)
        if profile.head.armed != at:
            return []  # an earlier timer of this profile has rung and set it anew
        self._counters.timers += 1
        decisions = self._rescore(profile_id, at) if self._to_rescore else []
        decisions += profile.ring(self.clock)
        profile.head.armed = profile.next_due()
        if profile.head.armed != NEVER:
            self._arm(profile.head.armed, profile_id)
        return decisions

    def _arm(self, at: int, profile_id: str) -> None:
        heappush(self._timers, (at, profile_id))
        self._next_timer = min(self._next_timer, at)

    def _set_timers(self) -> None:
        self._timers, self._to_rescore = [], []
        for profile_id, held in self._profiles.items():
            armed, generation = scheduled(head_of(at_rest(held)))
            if armed != NEVER:
                self._timers.append((armed, profile_id))
            if generation != self._context.generation and self._rescores:
                self._to_rescore.append((self._rescored_from + _spread(profile_id), profile_id))
        heapify(self._timers)
        heapify(self._to_rescore)
        self._set_next_timer()

    def _set_next_timer(self) -> None:
        self._next_timer = NEVER
        if self._timers:
            self._next_timer = self._timers[0][0]
        if self._to_rescore:
            self._next_timer = min(self._next_timer, self._to_rescore[0][0])

    def _drop_stale_timers(self) -> None:
        """A timer that was set anew for earlier leaves its old entry behind, which is dropped when many have come."""
        if len(self._timers) > 2 * len(self._profiles) + _STALE_TIMERS:
            self._set_timers()

    def _profile(self, profile_id: str) -> Profile:
        """The profile, unpacked for work until the state is drained."""
        found = self._profiles.get(profile_id)
        if isinstance(found, Profile):
            return found
        profile = self._profiles[profile_id] = self._make(profile_id, found)
        self._at_work.append(profile)
        return profile

    def _make(self, profile_id: str, packed: Packed | None) -> Profile:
        context = self._context
        return Profile(profile_id, packed, context) if context.ranking is None else Actor(profile_id, packed, context)

    def _pack(self, profile: Profile, records: list[tuple[bytes, bytes | None]]) -> Packed:
        packed = profile.pack()
        head = head_of(packed)
        self.state_bytes += len(head) + profile.grown
        if profile.packed is not None:
            self.state_bytes -= len(head_of(profile.packed))
        key = profile.id.encode()
        records.append((b"h" + key, head))
        if profile.touched is not None:
            records += [(_part_key(key, number), profile.part(number)) for number in sorted(profile.touched)]
        return packed

    def _put_together(self, profile_id: str, head: bytes) -> Packed:
        """The profile that was restored: the head says which parts it has."""
        loose = self._loose_parts.pop(profile_id, {})
        numbers = decode_row(head)[-1]
        missing = [number for number in numbers if number not in loose]
        if missing:
            raise StateMismatch(
                f"the state of profile {profile_id!r} lacks its parts {missing}: the state was not read in full, or "
                "records of it were deleted; start anew under an application id of its own",
            )
        if not loose:
            return head
        parts = tuple([loose[number] for number in numbers])
        return head, parts, loose.get(CHECKPOINT), None, loose.get(RISK), loose.get(LINKS)

    def _meta(self) -> bytes:
        model = self.plan.model
        meta = Meta(STATE_FORMAT, model.fingerprint, model.name, model.version, self.clock)
        scorer = self.plan.scorer
        if scorer is not None:
            meta.churn = scorer.parameters.fingerprint
            meta.churn_name, meta.churn_version = scorer.parameters.name, scorer.parameters.version
        meta.generation, meta.rescored_from = self._context.generation, self._rescored_from
        meta.on_since = self._context.on_since
        meta.erasure_key = self._erasures.key.fingerprint if self._erasures else ""
        return encode(meta)

    def _restore_meta(self, value: bytes) -> None:
        found = format_of(value)
        if found != STATE_FORMAT:
            raise StateMismatch(_other_format(found, STATE_FORMAT))
        meta, model = decode_meta(value), self.plan.model
        if meta.fingerprint != model.fingerprint:
            raise StateMismatch(
                f"the state belongs to the journey model {meta.model} version {meta.version}, and the rules of "
                f"{model.name} version {model.version} differ from it; run the new model under an application id of "
                "its own, or go back to the old one",
            )
        self.clock = self._stored_clock = meta.clock
        self.parameters_before = None
        self._stored_erasure_key = meta.erasure_key
        self._context.generation, self._rescored_from = meta.generation, meta.rescored_from
        self._context.on_since = meta.on_since
        scorer = self.plan.scorer
        if meta.churn != ("" if scorer is None else scorer.parameters.fingerprint):
            self.parameters_before = f"{meta.churn_name} version {meta.churn_version}" if meta.churn else "none"
            self._context.generation += 1
            if not meta.churn:
                self._context.on_since = self._context.generation
            self._rescored_from = meta.clock
            self._stored_clock = LONG_AGO  # to be stored, although time has not moved
        self._context.other_facts_until = self._rescored_from + self._skew_ms


def _other_format(found: int, read: int) -> str:
    """What to do about state that this release does not read."""
    if found > read:
        return (
            f"the state has format {found}, written by a newer release, and this one reads format {read}: run the "
            "newer release again, or rebuild the state from the sources (docs/recovering.md). No state was changed"
        )
    return (
        f"the state has format {found}, written by an older release, and this one reads format {read}: rebuild the "
        "state from the sources (docs/recovering.md), or run the older release until then. No state was changed"
    )


def _part_key(key: bytes, number: int) -> bytes:
    return b"p" + number.to_bytes(4, "big") + key


def _parts_of(packed: Packed) -> list[int]:
    """The numbers of all parts that are stored of a profile, besides its head."""
    if isinstance(packed, bytes):
        return []
    head, _, checkpoint, _, risk, links = packed
    special = ((CHECKPOINT, checkpoint), (RISK, risk), (LINKS, links))
    return [*decode_row(head)[-1], *[number for number, one in special if one is not None]]


_decode_spans: Final = msgspec.msgpack.Decoder(list[tuple[int, int]]).decode


def _hour_before(at: int) -> int:
    return at - at % HOUR_MS


def _spread(profile_id: str) -> int:
    return crc32(profile_id.encode()) % RESCORING_MS


def _too_late(occurred_at: int, arrived_at: int, lateness_ms: int) -> str:
    late = (arrived_at - occurred_at) / DAY_MS
    return (
        f"occurred {_when(occurred_at)}, arrived {_when(arrived_at)}: {late:.1f} days later; "
        f"the lateness bound is {lateness_ms / DAY_MS:g} days"
    )


def _from_the_future(occurred_at: int, arrived_at: int) -> str:
    return f"occurred {_when(occurred_at)}, but arrived {_when(arrived_at)}: check the producer's clock"


def _when(ms: int) -> str:
    try:
        return rfc3339(ms)
    except OverflowError:
        return f"{ms} ms"
