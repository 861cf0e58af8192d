"""The engine over history, without a broker: what the running system would publish for the same touchpoints.

A value goes the whole way that it would go through Kafka: it is read as the router reads it, written to and read from
the log's wire format, and decided by the same state machine. Time is virtual: it is what the records say.
"""

import contextlib
import gc
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from journey_stream.churn.score import Scorer
from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition
from journey_stream.engine.touches import LONG_AGO
from journey_stream.events.admission import Refused, read_touchpoint
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
from journey_stream.events.identifiers import Policy
from journey_stream.events.log import (
    AsOf,
    Source,
    Unreadable,
    decode,
    encode_as_of,
    encode_message,
    encode_touchpoint,
    links_of,
)
from journey_stream.events.operations import Operation
from journey_stream.events.reasons import Reason
from journey_stream.events.times import MS_MAX
from journey_stream.history.files import read_files
from journey_stream.history.order import in_time_order
from journey_stream.history.outputs import OutputFiles
from journey_stream.history.record import HistoryError, HistoryRecord, ReportProblem
from journey_stream.journey.model import Model

Order = Literal["time", "file"]
Logged = Callable[[bytes | None, int, bytes], None]
"""Gets key, time (ms) and value of a record of the log."""

PACK_EVERY_RECORDS = 5_000
"""How often the engine packs the profiles at work, as the commit of a batch does in the running system."""

COLLECTOR_THRESHOLDS = (50_000, 50, 100)


@dataclass
class Simulated:
    """What came of a simulation; `clock` in ms since the epoch, None when no record told the time."""

    records: int = 0
    stage_changes: int = 0
    corrections: int = 0
    risk_changes: int = 0
    risk_corrections: int = 0
    identity_changes: int = 0
    profiles: int = 0
    clock: int | None = None
    dead_letters: Counter[str] = field(default_factory=Counter)
    customers: Counter[str | None] = field(default_factory=Counter)
    """How many profiles ended in each stage."""
    bands: Counter[str] = field(default_factory=Counter)
    """How many of those that have a churn score ended in each band."""
    segments: Counter[str | None] = field(default_factory=Counter)
    """How many profiles ended in each segment; empty if the model has none."""


def simulate(
    paths: Iterable[Path],
    model: Model,
    out_dir: Path,
    *,
    scorer: Scorer | None = None,
    limits: Limits | None = None,
    order: Order = "time",
    as_of: int | None = None,
    latest_arrival: int = MS_MAX,
    report: ReportProblem = lambda _: None,
) -> Simulated:
    """Run files through the engine; see `simulate_records`. Raises HistoryError."""
    return simulate_records(
        read_files(paths, report, model.policy()),
        model,
        out_dir,
        scorer=scorer,
        limits=limits,
        order=order,
        as_of=as_of,
        latest_arrival=latest_arrival,
    )


def simulate_records(
    records: Iterable[HistoryRecord],
    model: Model,
    out_dir: Path,
    *,
    scorer: Scorer | None = None,
    limits: Limits | None = None,
    order: Order = "time",
    as_of: int | None = None,
    latest_arrival: int = MS_MAX,
    logged: Logged = lambda *_: None,
) -> Simulated:
    """Write into `out_dir` what the topics would carry: stage-changes.jsonl, churn-risk.jsonl, identity-changes.jsonl,
    profiles.jsonl and dead-letters.jsonl.

    Without a `scorer` churn risk is not scored.

    `order` "time": each touchpoint arrives when it happens. "file": the records arrive in the order in which they
    come, each at the latest instant that has occurred so far, so that late ones are late. Nothing arrives after
    `latest_arrival`, as nothing arrives in the running system after now: a touchpoint from further ahead is refused.
    At the end everything due until `as_of` is decided (default: the last arrival). Instants in ms since the epoch.
    `logged` is told each record of the log before it is applied.
    Raises HistoryError.
    """
    if order == "time":
        records = in_time_order(records)
    with _rare_collections(), OutputFiles(out_dir) as files:
        run = _Run(Partition(model, limits, scorer), model.policy(), files, latest_arrival, logged)
        for record in records:
            run.feed(record)
        return run.finish(as_of)


@contextlib.contextmanager
def _rare_collections() -> Iterator[None]:
    """State is packed bytes and the run makes no cycles: looking for garbage often costs a third of the time."""
    before = gc.get_threshold()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class _Run:
    def __init__(
        self, partition: Partition, policy: Policy, files: OutputFiles, latest_arrival: int, logged: Logged
    ) -> None:
        self._partition = partition
        self._policy = policy
        self._files = files
        self._latest_arrival = latest_arrival
        self._logged = logged
        self._now = LONG_AGO
        self._views: dict[str, ProfileChanged] = {}
        self._result = Simulated()

    def feed(self, record: HistoryRecord) -> None:
        self._result.records += 1
        source = Source(record.origin, 0, record.position)
        found = read_touchpoint(record.value, self._policy)
        if isinstance(found, Refused):
            self._dead_letter(source, record.value, found.reason, found.detail)
            return
        self._now = max(self._now, min(found.occurred_at, self._latest_arrival))
        if isinstance(found, Operation):
            self._apply(found.profile_id.encode(), encode_message(found.message), self._now, source, record.value)
        else:
            logged = encode_touchpoint(found, source, None)
            self._apply(found.profile_id.encode(), logged, self._now, source, record.value)
            for link in links_of(found):
                self._apply(link.profile_id.encode(), encode_message(link), self._now, source, record.value)
        if self._result.records % PACK_EVERY_RECORDS == 0:
            self._partition.drain_state()

    def _apply(self, key: bytes | None, logged: bytes, at: int, source: Source | None, value: bytes) -> None:
        """Apply a record of the log, written at `at` (ms), and all that tasks say to one another because of it."""
        waiting = deque([(key, logged)])
        while waiting:
            key, logged = waiting.popleft()
            self._logged(key, at, logged)
            record = decode(key, at, logged)
            if isinstance(record, Unreadable):
                if source is not None:
                    self._dead_letter(source, value, Reason.UNREADABLE_LOG_RECORD, record.detail)
                continue
            for decision in self._partition.apply(record):
                if isinstance(decision, Forward):
                    waiting.append((decision.message.profile_id.encode(), encode_message(decision.message)))
                else:
                    self._publish(decision, source, value)

    def finish(self, as_of: int | None) -> Simulated:
        until = self._now if as_of is None else as_of
        if until > LONG_AGO:
            end = encode_as_of(until)
            if not isinstance(decode(None, until, end), AsOf):
                raise HistoryError(f"as_of: {until} ms is not an instant between the years 1 and 9999")
            self._apply(None, end, until, None, b"")
        self._partition.drain_state()
        for view in self._views.values():
            self._files.profile(view)
            self._result.customers[view.stage] += 1
            if view.risk is not None:
                self._result.bands[view.risk.band] += 1
            if self._partition.plan.segmenter is not None:
                self._result.segments[view.segment] += 1
        self._result.profiles = len(self._views)
        self._result.clock = self._partition.clock if self._partition.clock > LONG_AGO else None
        return self._result

    def _publish(self, decision: Decision, source: Source | None, value: bytes) -> None:
        match decision:
            case StageChanged():
                self._result.stage_changes += 1
                self._result.corrections += decision.kind == "retracted"
                self._files.stage_change(decision)
            case RiskChanged():
                self._result.risk_changes += 1
                self._result.risk_corrections += decision.kind == "retracted"
                self._files.risk_change(decision)
            case IdentityChanged():
                self._result.identity_changes += 1
                self._files.identity_change(decision)
            case ProfileChanged():
                self._views[decision.profile_id] = decision
            case ProfileGone() | Erased(is_whole=True):
                self._views.pop(decision.profile_id, None)
            case Rejected() if source is not None:
                dead = value if decision.displaced is None else decision.displaced
                self._dead_letter(source, dead, decision.reason, decision.detail)

    def _dead_letter(self, source: Source, value: bytes, reason: Reason, detail: str) -> None:
        self._result.dead_letters[reason.value] += 1
        self._files.dead_letter(source, value, reason, detail)
