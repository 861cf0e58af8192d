"""What one task tells the metrics."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from journey_stream.engine.partition import Partition
from journey_stream.worker.batch import Batch, kind_of
from journey_stream.worker.config import TopicNames
from journey_stream.worker.metrics import Metrics
from journey_stream.worker.outbox import Place, Row
from journey_stream.worker.ticking import now_ms


class TaskReport:
    """The metrics of the task of one log partition. Without `ticks` its timers wait for input, and none is due."""

    def __init__(self, metrics: Metrics, topics: TopicNames, partition: int, *, ticks: bool = True) -> None:
        self._metrics = metrics
        self._topics = topics
        self._partition = partition
        self._label = str(partition)
        self._ticks = ticks
        self._lag_seconds = 0.0
        self._lag_known_at_ms: int | None = None

    def restored(self, records: int, seconds: float) -> None:
        self._metrics.restore_seconds.observe(seconds)
        self._metrics.restored_records.inc(records)

    def computed(self, records: int, seconds: float) -> None:
        self._metrics.batch_seconds.labels("task").observe(seconds)
        self._metrics.batch_records.labels("task").observe(records)

    def committed(self, batch: Batch, messages: Mapping[Place, Sequence[Row]], seconds: float) -> None:
        """Only what was committed counts as read or written."""
        metrics, topics = self._metrics, self._topics
        metrics.transaction_seconds.observe(seconds)
        metrics.commits.inc()
        metrics.count_in(topics.log, batch.records_by_kind)
        stages = Counter((caused.change.to_stage, caused.change.kind) for caused in batch.changes)
        for (stage, kind), count in stages.items():
            metrics.stage_changes.labels(stage, kind).inc(count)
        retracted = sum(count for (_, kind), count in stages.items() if kind == "retracted")
        metrics.corrections.inc(retracted)
        metrics.count_out(topics.stage_changes, {"entered": len(batch.changes) - retracted, "retracted": retracted})
        self._risks(batch)
        if batch.forwards:
            metrics.count_out(topics.log, Counter(kind_of(forward.message) for forward in batch.forwards))
        if batch.identities:
            kinds: Counter[str] = Counter(caused.change.kind for caused in batch.identities)
            metrics.count_out(topics.identity_changes, kinds)
        metrics.shared.inc(batch.shared)
        if batch.forgotten:
            metrics.erased_identifiers.inc(sum(one.erased.is_whole for one in batch.forgotten))
            metrics.count_out(topics.erasures, {"erasure": len(batch.forgotten)})
        metrics.erased_touchpoints.labels("task").inc(batch.erased)
        metrics.count_out(topics.profiles, {"profile": len(batch.views)})
        metrics.count_out(topics.state, {"state": self._written(messages, topics.state)})
        metrics.count_out(topics.dead_letters, {"dead_letter": self._written(messages, topics.dead_letters)})
        for letter in batch.dead_letters:
            metrics.dead_letters.labels("task", letter.reason.value).inc()
        metrics.clock.labels(self._label).set(batch.clock / 1000)
        if batch.oldest_at is not None:
            metrics.oldest_event.labels(self._label).set(batch.oldest_at / 1000)

    def _written(self, messages: Mapping[Place, Sequence[Row]], topic: str) -> int:
        return len(messages.get((topic, self._partition), ()))

    def _risks(self, batch: Batch) -> None:
        changes = [caused.change for caused in batch.risks]
        retracted = sum(1 for change in changes if change.kind == "retracted")
        self._metrics.count_out(self._topics.churn_risk, {"entered": len(changes) - retracted, "retracted": retracted})
        for change in changes:
            self._metrics.risk_changes.labels(change.band, change.kind).inc()

    def aborted(self, cause: Literal["fenced", "uncertain"]) -> None:
        self._metrics.aborts.labels(cause).inc()

    def restarting(self) -> None:
        self._metrics.restarts.labels("task").inc()

    def progress(self, engine: Partition, behind: int, applied_at: int | None) -> None:
        """`behind` records are left; the last one applied just now arrived at `applied_at` (ms), None if none was.

        Where records wait and none can be applied, as behind a transaction that does not end, the lag grows with time.
        """
        now = now_ms()
        if not behind:
            self._lag_seconds, self._lag_known_at_ms = 0.0, now
        elif applied_at is not None or self._lag_known_at_ms is None:
            self._lag_seconds = 0.0 if applied_at is None else (now - applied_at) / 1000
            self._lag_known_at_ms = now
        waiting_seconds = (now - self._lag_known_at_ms) / 1000
        self._metrics.lag(self._topics.log, self._partition, behind, self._lag_seconds + waiting_seconds)
        timer = engine.next_timer() if self._ticks else None
        self._metrics.next_timer.labels(self._label).set(math.inf if timer is None else timer / 1000)
        if applied_at is not None:
            self.state(engine)

    def state(self, engine: Partition) -> None:
        self._metrics.profiles.labels(self._label).set(engine.profiles)
        self._metrics.state_bytes.labels(self._label).set(engine.state_bytes)
        self._metrics.to_rescore.labels(self._label).set(engine.to_rescore)
