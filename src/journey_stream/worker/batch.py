"""A batch of log records through the engine: what is to be written, and the state and position that go with it.

Pure: the live task and the simulation run the same code, one around a broker and the other around files.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from journey_stream.engine.partition import Partition
from journey_stream.events.decisions import Decision, ProfileChanged, Rejected, RiskChanged, StageChanged
from journey_stream.events.log import AsOf, Source, Tick, Unreadable, decode, decode_touchpoint, original_of
from journey_stream.events.reasons import Reason
from journey_stream.worker.dead_letters import DeadLetter, Header


class LogRecord(Protocol):
    """A record of journey.log as a consumer hands it over; `timestamp` is `arrived_at` in ms."""

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


class Batch(NamedTuple):
    """What a run of log records brought about.

    `views` holds the last view per profile. `changelog` holds the state records to store, None to delete a key.
    `next_offset` is the position after the batch and `clock` (ms) the time there. `oldest_at` is when the oldest
    touchpoint of the batch happened (ms); None without any.
    """

    changes: list[Caused]
    risks: list[CausedRisk]
    views: dict[str, ProfileChanged]
    dead_letters: list[DeadLetter]
    changelog: list[tuple[bytes, bytes | None]]
    next_offset: int
    clock: int
    oldest_at: int | None
    records_by_kind: dict[str, int]


class _Open:
    """A batch in the making."""

    __slots__ = ("changes", "dead_letters", "kinds", "oldest_at", "risks", "views")

    def __init__(self) -> None:
        self.changes: list[Caused] = []
        self.risks: list[CausedRisk] = []
        self.views: dict[str, ProfileChanged] = {}
        self.dead_letters: list[DeadLetter] = []
        self.kinds = {"touchpoint": 0, "tick": 0, "as_of": 0, "unreadable": 0}
        self.oldest_at: int | None = None


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
            elif isinstance(decision, Rejected):
                batch.dead_letters.append(self._rejected(record, decision))

    def finish(self) -> Batch:
        """What all that was applied since the last batch brought about."""
        done, self._open = self._open, _Open()
        return Batch(
            done.changes,
            done.risks,
            done.views,
            done.dead_letters,
            self.engine.drain_state(),
            self.next_offset,
            self.engine.clock,
            done.oldest_at,
            done.kinds,
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
        if decision.displaced is not None or original is None:
            # The displaced touchpoint came with an earlier record; what was kept of it is all there is.
            source, key, value = self._position_of(record), record.key, decision.displaced
        else:
            source, key, value = original
        key = record.key if key is None else key
        return DeadLetter(
            decision.reason, decision.detail, "task", source, record.timestamp, key, value, record.headers
        )

    def _position_of(self, record: LogRecord) -> Source:
        return Source(self._topic, self._partition, record.offset)


_KINDS: dict[type, str] = {Tick: "tick", AsOf: "as_of"}
