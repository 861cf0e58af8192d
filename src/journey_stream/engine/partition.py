"""The state machine of one partition of journey.log.

Input: its records, in order. Output: decisions. Time is the running maximum of the records' arrival times; nothing else
tells it. Profiles lie packed in memory and are unpacked for as long as a batch works on them: packed bytes cost less to
keep than live objects, and nothing to the garbage collector.
"""

from collections.abc import Iterator
from hashlib import sha256
from heapq import heapify, heappop, heappush
from zlib import crc32

from journey_stream.churn.score import Scorer
from journey_stream.engine.fold import step
from journey_stream.engine.head import Head, decode_head
from journey_stream.engine.limits import Limits
from journey_stream.engine.meta import STATE_FORMAT, Meta, decode_meta, format_of
from journey_stream.engine.plan import Plan
from journey_stream.engine.profile import Context, Profile
from journey_stream.engine.publication import Counters
from journey_stream.engine.risk import RiskChange, RiskState
from journey_stream.engine.risk_fold import react_to_risk
from journey_stream.engine.timeline import INDEX
from journey_stream.engine.touches import LONG_AGO, NEVER, Change, encode
from journey_stream.events.decisions import Decision, Rejected
from journey_stream.events.log import Record, TouchpointRecord
from journey_stream.events.reasons import Reason
from journey_stream.events.times import DAY_MS, HOUR_MS, rfc3339
from journey_stream.journey.model import Model

_META_KEY = b"m"
_STALE_TIMERS = 1_000
RESCORING_MS = HOUR_MS
"""Over so much time on the clock profiles are scored anew when the parameters of churn risk have changed."""


class StateMismatch(Exception):
    """The stored state was written by another release or for another journey model."""


class Partition:
    """State machine of one log partition: `apply` records, then `drain_state` what has to be stored.

    State is key-value records of bytes, so that a compacted topic can hold it. A head is stored as b"h" + profile id,
    a part of a timeline as b"p" + number (4 bytes, big endian) + profile id, the partition's own state as b"m".
    Churn risk is scored if there is a `scorer`.
    """

    def __init__(self, model: Model, limits: Limits | None = None, scorer: Scorer | None = None) -> None:
        self.limits = limits or Limits()
        longest = max((stage.settle_ms for stage in model.stages), default=0)
        if longest > self.limits.lateness_ms:
            raise ValueError("a stage may not settle for longer than the lateness bound: its history would be final")
        self.plan = Plan(model, scorer)
        self.clock = LONG_AGO
        self.state_bytes = 0
        self._context = Context(self.plan, self.limits)
        self._counters = self._context.publisher.counters
        self._heads: dict[str, bytes] = {}
        self._parts: dict[str, dict[int, bytes]] = {}
        self._live: dict[str, Profile] = {}
        self._timers: list[tuple[int, str]] = []
        self._to_rescore: list[tuple[int, str]] = []
        self._rescored_from = LONG_AGO
        self._stored_clock = LONG_AGO
        self.parameters_before: str | None = None
        """After a restore: with which parameters churn risk was scored before, if they were others."""

    @property
    def counters(self) -> Counters:
        """What happened since this object was made."""
        return self._counters

    @property
    def profiles(self) -> int:
        """How many profiles are held."""
        return len(self._heads) + sum(1 for profile_id in self._live if profile_id not in self._heads)

    def apply(self, record: Record) -> list[Decision]:
        """Decide what one record of the log changes. The decisions are to be published in this order."""
        if isinstance(record, TouchpointRecord):
            # Before the clock moves on, so that what the touchpoint changes is not laid at the parameters' door.
            rescored = self._rescore(record.profile_id, self.clock) if self._to_rescore else None
            self.clock = max(self.clock, record.arrived_at)
            decisions = self._touchpoint(record)
            if rescored:
                decisions = rescored + decisions
        else:
            decisions = []
            self.clock = max(self.clock, record.at)
        while self._timers and self._timers[0][0] <= self.clock:
            decisions += self._ring(*heappop(self._timers))
        while self._to_rescore and self._to_rescore[0][0] <= self.clock:
            due, profile_id = heappop(self._to_rescore)
            decisions += self._rescore(profile_id, due)
        return decisions

    def _drop_stale_timers(self) -> None:
        """A timer that was set anew for earlier leaves its old entry behind, which is dropped when many have come."""
        if len(self._timers) > 2 * len(self._heads) + _STALE_TIMERS:
            self.restored()

    def next_timer(self) -> int | None:
        """The clock time (ms) by which a tick is needed if the log stays quiet; it may prove to be too early."""
        first = [timers[0][0] for timers in (self._timers, self._to_rescore) if timers]
        return min(first) if first else None

    @property
    def to_rescore(self) -> int:
        """How many profiles wait, at the most, for their first score with new parameters of churn risk."""
        return len(self._to_rescore)

    def drain_state(self) -> list[tuple[bytes, bytes | None]]:
        """The state records that changed since the last call; None deletes a key."""
        records: list[tuple[bytes, bytes | None]] = []
        for profile_id, profile in self._live.items():
            if profile.changed:
                self._pack(profile_id, profile, records)
        self._live.clear()
        self._drop_stale_timers()
        if self._stored_clock != self.clock:
            self._stored_clock = self.clock
            records.append((_META_KEY, self._meta()))
        return records

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take over one state record; of several for one key the last counts. Raises StateMismatch."""
        kind = key[:1]
        if kind == b"h":
            profile_id = key[1:].decode()
            self.state_bytes += len(value or b"") - len(self._heads.pop(profile_id, b""))
            if value is not None:
                self._heads[profile_id] = value
        elif kind == b"p":
            self._restore_part(key[5:].decode(), int.from_bytes(key[1:5], "big"), value)
        elif key == _META_KEY and value is not None:
            self._restore_meta(value)

    def restored(self) -> None:
        """End a restore: set the timers."""
        self._timers, self._to_rescore = [], []
        for profile_id, packed in self._heads.items():
            head = decode_head(packed)
            if head.armed != NEVER:
                self._timers.append((head.armed, profile_id))
            if head.generation != self._context.generation and self.plan.scorer is not None:
                self._to_rescore.append((self._rescored_from + _spread(profile_id), profile_id))
        heapify(self._timers)
        heapify(self._to_rescore)

    def snapshot(self) -> Iterator[tuple[bytes, bytes]]:
        """All state records, as `restore` takes them. Nothing may wait in `drain_state`."""
        for profile_id, head in self._heads.items():
            yield b"h" + profile_id.encode(), head
        for profile_id, parts in self._parts.items():
            for number, part in parts.items():
                if number != INDEX:
                    yield _part_key(profile_id, number), part
        yield _META_KEY, self._meta()

    def canonical(self) -> Iterator[tuple[str, bytes]]:
        """Each profile and its state in a form that depends only on the touchpoints and the clock.

        How a timeline is cut into parts, and how much of it happens to be folded, is evened out: everything older than
        the holding time is folded. Nothing may wait in `drain_state`.
        """
        horizon = self.clock - self.limits.holding_ms
        for profile_id in sorted(self._heads):
            profile = self._load(profile_id)
            checkpoint, risk, rest = profile.checkpoint(), profile.risk_checkpoint(), []
            final, final_risk = list[Change](), list[RiskChange]()
            for touch in profile.touches():
                if touch.at < horizon:
                    step(self.plan, checkpoint, touch, final)
                    concern = self.plan.reaction(touch.channel, touch.type).concern
                    if self.plan.scorer is not None and concern is not None:
                        react_to_risk(self.plan.scorer, concern, risk, touch, final_risk)
                else:
                    rest.append(touch)
            head = profile.head
            now = head.risk.unpacked() if head.risk is not None else RiskState()
            risks = [_canonical_risk(risk), _canonical_risk(now), profile.risk_history()[len(final_risk) :]]
            standings = [[s.stage, s.peak, s.entered_at, sorted(s.memory.items())] for s in (checkpoint, head.standing)]
            yield profile_id, encode([standings, rest, profile.history()[len(final) :], risks])

    def state_hash(self) -> str:
        """SHA-256 over `canonical`, in hex."""
        digest = sha256()
        for profile_id, state in self.canonical():
            digest.update(encode([profile_id, state]))
        return digest.hexdigest()

    def _touchpoint(self, record: TouchpointRecord) -> list[Decision]:
        lateness = record.arrived_at - record.occurred_at
        if lateness > self.limits.lateness_ms:
            return [Rejected(Reason.TOO_LATE, _too_late(record, self.limits.lateness_ms))]
        if -lateness > self.limits.skew_ms:
            return [Rejected(Reason.FROM_THE_FUTURE, _from_the_future(record))]
        self._counters.touchpoints += 1
        profile_id = record.profile_id
        profile = self._live.get(profile_id)
        if profile is None:
            profile = self._live[profile_id] = self._load(profile_id)
        reaction = self.plan.reaction(record.channel, record.type)
        decisions = profile.add(reaction.project(record), reaction, record.arrived_at, self.clock)
        self._arm(profile_id, profile)
        return decisions

    def _arm(self, profile_id: str, profile: Profile) -> None:
        head = profile.head
        due = head.standing.quiet_until if head.risk is None and not self.plan.settles else profile.next_due()
        if due < head.armed:
            head.armed = due
            heappush(self._timers, (due, profile_id))

    def _rescore(self, profile_id: str, at: int) -> list[Decision]:
        """Go on with the new parameters of churn risk from `at` on, unless the profile does so already."""
        profile = self._live.get(profile_id)
        if profile is None:
            profile = self._load(profile_id)
        if profile.head.generation == self._context.generation:
            return []
        self._live[profile_id] = profile
        decisions = profile.rescore(at, self.clock)
        self._arm(profile_id, profile)
        return decisions

    def _ring(self, at: int, profile_id: str) -> list[Decision]:
        profile = self._live.get(profile_id)
        if profile is None:
            profile = self._live[profile_id] = self._load(profile_id)
        if profile.head.armed != at:
            return []  # an earlier timer of this profile has rung and set it anew
        self._counters.timers += 1
        decisions = self._rescore(profile_id, at) if self._to_rescore else []
        decisions += profile.ring(self.clock)
        profile.head.armed = profile.next_due()
        if profile.head.armed != NEVER:
            heappush(self._timers, (profile.head.armed, profile_id))
        return decisions

    def _load(self, profile_id: str) -> Profile:
        packed = self._heads.get(profile_id)
        head = Head(generation=self._context.generation) if packed is None else decode_head(packed)
        return Profile(profile_id, head, self._parts.get(profile_id), self._context)

    def _pack(self, profile_id: str, profile: Profile, records: list[tuple[bytes, bytes | None]]) -> None:
        packed = encode(profile.head)
        self.state_bytes += len(packed) - len(self._heads.get(profile_id, b""))
        self._heads[profile_id] = packed
        key = profile_id.encode()
        records.append((b"h" + key, packed))
        self.state_bytes += profile.grown
        if profile.touched:
            parts = self._parts[profile_id] = profile.packed
            records += [(_part_key(profile_id, number), parts.get(number)) for number in sorted(profile.touched)]

    def _restore_part(self, profile_id: str, number: int, value: bytes | None) -> None:
        parts = self._parts.setdefault(profile_id, {})
        self.state_bytes += len(value or b"") - len(parts.get(number, b""))
        if value is None:
            parts.pop(number, None)
            if not parts:
                del self._parts[profile_id]
        else:
            parts[number] = value

    def _meta(self) -> bytes:
        model = self.plan.model
        meta = Meta(STATE_FORMAT, model.fingerprint, model.name, model.version, self.clock)
        if self.plan.scorer is not None:
            parameters = self.plan.scorer.parameters
            meta.churn, meta.churn_name, meta.churn_version = (
                parameters.fingerprint,
                parameters.name,
                parameters.version,
            )
        meta.generation, meta.rescored_from = self._context.generation, self._rescored_from
        return encode(meta)

    def _restore_meta(self, value: bytes) -> None:
        found = format_of(value)
        if found != STATE_FORMAT:
            raise StateMismatch(f"the state has format {found}; this release reads format {STATE_FORMAT}")
        meta, model = decode_meta(value), self.plan.model
        if meta.fingerprint != model.fingerprint:
            raise StateMismatch(
                f"the state belongs to the journey model {meta.model} version {meta.version}, and the rules of "
                f"{model.name} version {model.version} differ from it; run the new model under an application id of "
                "its own, or go back to the old one",
            )
        self.clock = self._stored_clock = meta.clock
        self.parameters_before = None
        self._context.generation, self._rescored_from = meta.generation, meta.rescored_from
        scorer = self.plan.scorer
        if meta.churn != ("" if scorer is None else scorer.parameters.fingerprint):
            self.parameters_before = f"{meta.churn_name} version {meta.churn_version}" if meta.churn else "none"
            self._context.generation += 1
            self._rescored_from = meta.clock
            self._stored_clock = LONG_AGO  # to be stored, although time has not moved


def _part_key(profile_id: str, number: int) -> bytes:
    return b"p" + number.to_bytes(4, "big") + profile_id.encode()


def _spread(profile_id: str) -> int:
    return crc32(profile_id.encode()) % RESCORING_MS


def _canonical_risk(state: RiskState) -> list[object]:
    evidence = [state.first_id, state.last_id, sorted((state.signal_ids or {}).items())]
    signals = sorted(((state.summary.signals if state.summary is not None else state.early) or {}).items())
    summary = state.summary
    counts = None if summary is None else [summary.first, summary.last, summary.repeats, summary.spent]
    return [state.band, state.since, state.probability, counts, signals, evidence]


def _too_late(record: TouchpointRecord, lateness_ms: int) -> str:
    late = (record.arrived_at - record.occurred_at) / DAY_MS
    return (
        f"occurred {_when(record.occurred_at)}, arrived {_when(record.arrived_at)}: {late:.1f} days later; "
        f"the lateness bound is {lateness_ms / DAY_MS:g} days"
    )


def _from_the_future(record: TouchpointRecord) -> str:
    return f"occurred {_when(record.occurred_at)}, but arrived {_when(record.arrived_at)}: check the producer's clock"


def _when(ms: int) -> str:
    try:
        return rfc3339(ms)
    except OverflowError:
        return f"{ms} ms"
