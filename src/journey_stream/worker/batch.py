"""A batch of log records through the engine: what is to be written, and the state and position that go with it.

Pure: the live task and the simulation run the same code, one around a broker and the other around files.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from journey_stream.engine.partition import Partition
from journey_stream.events.decisions import (
    Decision,
    Erased,
    Forward,
    IdentityChanged,
    ProfileChanged,
    ProfileGone,
    Rejected,
    RiskChanged,
    StageChanged,
)
from journey_stream.events.log import (
    AsOf,
    Attach,
    Block,
    Deliver,
    Erase,
    Link,
    Message,
    Retract,
    Source,
    Tick,
    Unlink,
    Unreadable,
    decode,
    decode_touchpoint,
    original_of,
)
from journey_stream.events.reasons import Reason
from journey_stream.worker.dead_letters import DeadLetter, Header


class LogRecord(Protocol):
    """A record as a consumer hands it over; `timestamp` in ms, in journey.log that of `arrived_at`."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def headers(self) -> Sequence[Header]: ...


class Caused(NamedTuple):
    """A stage change, and the log record that was applied when it came about."""

    change: StageChanged
    record: LogRecord


class CausedRisk(NamedTuple):
    """The same for a change of churn risk."""

    change: RiskChanged
    record: LogRecord


class CausedIdentity(NamedTuple):
    """The same for a change of identity."""

    change: IdentityChanged
    record: LogRecord


class Forgotten(NamedTuple):
    """An erasure, and how many changes, risks and identities of its batch come before it."""

    erased: Erased
    changes: int
    risks: int
    identities: int


class Forwarded(NamedTuple):
    """What a task says of another identifier, and the log record that was applied when it came about."""

    message: Message
    record: LogRecord


class Batch(NamedTuple):
    """What a run of log records brought about.

    `forwards` are to be appended to the log, in this order. `views` holds the last view per profile, None for one that
    is gone. `changelog` holds the state records to store, None to delete a key. `next_offset` is the position after the
    batch and `clock` (ms) the time there. `oldest_at` is when the oldest touchpoint of the batch happened (ms); None
    without any. `shared` counts the touchpoints that were left out because they lay on a shared identifier. `forgotten`
    are the erasures in their order, and `erased` counts the touchpoints that were dropped for one.
    """

    changes: list[Caused]
    risks: list[CausedRisk]
    identities: list[CausedIdentity]
    forwards: list[Forwarded]
    views: dict[str, ProfileChanged | None]
    dead_letters: list[DeadLetter]
    changelog: list[tuple[bytes, bytes | None]]
    next_offset: int
    clock: int
    oldest_at: int | None
    records_by_kind: dict[str, int]
    shared: int
    forgotten: Sequence[Forgotten] = ()
    erased: int = 0


def kind_of(message: Message) -> str:
    """What the metrics call such a record: its `kind` in the log."""
    return _KINDS[type(message)]


class _Open:
    """A batch in the making."""

    __slots__ = (
        *("changes", "dead_letters", "forgotten", "forwards", "identities", "kinds", "oldest_at", "risks", "views"),
    )

    def __init__(self) -> None:
        self.changes: list[Caused] = []
        self.risks: list[CausedRisk] = []
        self.identities: list[CausedIdentity] = []
        self.forwards: list[Forwarded] = []
        self.views: dict[str, ProfileChanged | None] = {}
        self.dead_letters: list[DeadLetter] = []
        self.forgotten: list[Forgotten] = []
        self.kinds = dict.fromkeys(("touchpoint", "unreadable", *_KINDS.values()), 0)
        self.oldest_at: int | None = None

    def forget(self, erased: Erased) -> None:
        """Note an erasure, and where among the messages it comes."""
        if erased.is_whole:
            self.views[erased.profile_id] = None
        self.forgotten.append(Forgotten(erased, len(self.changes), len(self.risks), len(self.identities)))


class Processor:
    """Applies log records to the state machine of partition `partition` of the log `topic`.

    `apply` may be called several times before `finish` makes a batch of it all.
    """

    def __init__(self, engine: Partition, topic: str, partition: int, next_offset: int = 0) -> None:
        self.engine = engine
        self.next_offset = next_offset
        self._topic = topic
        self._partition = partition
        self._open = _Open()
        self._shared = engine.counters.shared
        self._erased = engine.counters.erased

    def process(self, records: Iterable[LogRecord]) -> Batch:
        """`apply` and `finish`."""
        self.apply(records)
        return self.finish()

    def apply(self, records: Iterable[LogRecord]) -> None:
        """Apply records in the order of the log. Those before `next_offset` were applied before and are left out."""
        batch = self._open
        engine = self.engine
        next_offset, touchpoints, oldest_at = self.next_offset, 0, batch.oldest_at
        offset = next_offset
        try:
            for record in records:
                offset = record.offset
                if offset < next_offset:
                    continue
                next_offset = offset + 1
                key, arrived_at, value = record.key, record.timestamp, record.value
                touchpoint = decode_touchpoint(key, value)
                if touchpoint is None:
                    self._apply_other(batch, record)
                    continue
                profile_id, occurred_at, body = touchpoint
                touchpoints += 1
                if oldest_at is None or occurred_at < oldest_at:
                    oldest_at = occurred_at
                decisions = engine.touchpoint(profile_id, arrived_at, occurred_at, body)
                if decisions:
                    self._note(batch, record, decisions)
        except Exception as error:
            error.add_note(f"while applying {self._topic}[{self._partition}] offset {offset}")
            raise
        batch.kinds["touchpoint"] += touchpoints
        batch.oldest_at = oldest_at
        self.next_offset = next_offset

    def passed(self, offset: int) -> None:
        """Go on at `offset`: what lies before it and was not applied is nothing that a consumer is shown.

        Such are the markers that transactions end with, and what was written in those that were aborted.
        """
        self.next_offset = max(self.next_offset, offset)

    def _apply_other(self, batch: _Open, record: LogRecord) -> None:
        """Apply a record that is no touchpoint."""
        decoded = decode(record.key, record.timestamp, record.value)
        if isinstance(decoded, Unreadable):
            batch.kinds["unreadable"] += 1
            batch.dead_letters.append(self._unreadable(record, decoded))
        else:
            batch.kinds[_KINDS[type(decoded)]] += 1
            self._note(batch, record, self.engine.apply(decoded))

    def _note(self, batch: _Open, record: LogRecord, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            if isinstance(decision, StageChanged):
                batch.changes.append(Caused(decision, record))
            elif isinstance(decision, ProfileChanged):
                batch.views[decision.profile_id] = decision
            elif isinstance(decision, RiskChanged):
                batch.risks.append(CausedRisk(decision, record))
            elif isinstance(decision, Forward):
                batch.forwards.append(Forwarded(decision.message, record))
            elif isinstance(decision, IdentityChanged):
                batch.identities.append(CausedIdentity(decision, record))
            elif isinstance(decision, ProfileGone):
                batch.views[decision.profile_id] = None
            elif isinstance(decision, Erased):
                batch.forget(decision)
            elif isinstance(decision, Rejected):
                batch.dead_letters.append(self._rejected(record, decision))

    def finish(self) -> Batch:
        """What all that was applied since the last batch brought about."""
        done, self._open = self._open, _Open()
        shared_before, self._shared = self._shared, self.engine.counters.shared
        erased_before, self._erased = self._erased, self.engine.counters.erased
        return Batch(
            done.changes,
            done.risks,
            done.identities,
            done.forwards,
            done.views,
            done.dead_letters,
            self.engine.drain_state(),
            self.next_offset,
            self.engine.clock,
            done.oldest_at,
            done.kinds,
            self._shared - shared_before,
            done.forgotten,
            self._erased - erased_before,
        )

    def _unreadable(self, record: LogRecord, found: Unreadable) -> DeadLetter:
        return DeadLetter(
            Reason.UNREADABLE_LOG_RECORD,
            found.detail,
            "task",
            self._position_of(record),
            record.timestamp,
            record.key,
            record.value,
            record.headers,
        )

    def _rejected(self, record: LogRecord, decision: Rejected) -> DeadLetter:
        original = original_of(record.value)
        value: bytes | None
        if decision.displaced is not None:
            # The displaced touchpoint came with an earlier record; what was kept of it is all there is.
            source, key, value = self._position_of(record), record.key, decision.displaced
        elif original is None:
            # What routers and tasks say of identifiers comes from no source: the log has the original.
            source, key, value = self._position_of(record), record.key, record.value
        else:
            source, key, value = original
        key = record.key if key is None else key
        return DeadLetter(
            decision.reason, decision.detail, "task", source, record.timestamp, key, value, record.headers
        )

    def _position_of(self, record: LogRecord) -> Source:
        return Source(self._topic, self._partition, record.offset)


_KINDS: dict[type, str] = {
    Tick: "tick",
    AsOf: "as_of",
    Link: "link",
    Unlink: "unlink",
    Block: "block",
    Deliver: "deliver",
    Retract: "retract",
    Attach: "attach",
    Erase: "erase",
}
