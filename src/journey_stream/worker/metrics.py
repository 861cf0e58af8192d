"""The metrics of a worker: the one place that knows Prometheus. No label ever holds a customer's id."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from journey_stream.churn.bands import BANDS
from journey_stream.churn.score import Scorer
from journey_stream.events.reasons import Reason
from journey_stream.journey.model import Model

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_RESTORE_SECONDS = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_RECORDS = (1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000)


class Metrics:
    """All that a worker reports, in a registry of its own.

    What may happen and has not yet is there with 0: a rate over a series that begins with its first count misses it.
    """

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.records_in = Counter(
            "journey_records_in", "Records read, by topic and kind.", ["topic", "kind"], registry=registry
        )
        self.records_out = Counter(
            "journey_records_out", "Records written and committed.", ["topic", "kind"], registry=registry
        )
        self.lost = Counter(
            "journey_records_lost",
            "Source records that were deleted before they were routed.",
            ["topic"],
            registry=registry,
        )
        self.dead_letters = Counter(
            "journey_dead_letters", "Records that could not be used.", ["stage", "reason"], registry=registry
        )
        self.corrections = Counter(
            "journey_corrections", "Published stage changes that were retracted.", registry=registry
        )
        self.stage_changes = Counter(
            "journey_stage_changes", "Stage changes published, by the stage entered.", ["to_stage", "kind"],
            registry=registry,
        )  # fmt: skip
        self.batch_records = Histogram(
            "journey_batch_records", "Records per batch.", ["role"], buckets=_RECORDS, registry=registry
        )
        self.batch_seconds = Histogram(
            "journey_batch_seconds", "Time to compute a batch.", ["role"], buckets=_SECONDS, registry=registry
        )
        self.commits = Counter("journey_transaction_commits", "Transactions committed.", registry=registry)
        self.aborts = Counter(
            "journey_transaction_aborts",
            "Transactions given up: fenced by a new owner, or of uncertain outcome.",
            ["cause"],
            registry=registry,
        )
        self.transaction_seconds = Histogram(
            "journey_transaction_seconds", "Time from begin to commit.", buckets=_SECONDS, registry=registry
        )
        self.restore_seconds = Histogram(
            "journey_restore_seconds", "Time to restore a task.", buckets=_RESTORE_SECONDS, registry=registry
        )
        self.restored_records = Counter("journey_restored_records", "State records read back.", registry=registry)
        self.restarts = Counter("journey_restarts", "Tasks and routers begun anew after a failure.", ["role"],
                                registry=registry)  # fmt: skip
        self.log_partitions = Gauge(
            "journey_log_partitions",
            "Partitions of the log, and so how many tasks there have to be.",
            registry=registry,
        )
        self.tasks = Gauge("journey_tasks", "Tasks of this worker by state.", ["state"], registry=registry)
        by_partition = ["topic", "partition"]
        self.lag_records = Gauge(
            "journey_consumer_lag_records", "Records not yet processed.", by_partition, registry=registry
        )
        self.lag_seconds = Gauge(
            "journey_consumer_lag_seconds", "Age of the last record processed; 0 without lag.", by_partition,
            registry=registry,
        )  # fmt: skip
        self.clock = Gauge(
            "journey_clock_timestamp_seconds", "The task's clock: the newest arrival.", ["partition"], registry=registry
        )
        self.next_timer = Gauge(
            "journey_next_timer_timestamp_seconds",
            "When the task's clock has to move on even without input: its next timer. +Inf without any.",
            ["partition"],
            registry=registry,
        )
        self.oldest_event = Gauge(
            "journey_oldest_event_timestamp_seconds",
            "When the oldest touchpoint of the last batch happened.",
            ["partition"],
            registry=registry,
        )
        self.profiles = Gauge("journey_profiles", "Profiles held.", ["partition"], registry=registry)
        self.model = Info("journey_model", "The journey model in use.", registry=registry)
        self.churn_model = Info("journey_churn_model", "The parameters of churn risk in use.", registry=registry)
        self.risk_changes = Counter(
            "journey_risk_changes", "Changes of churn risk, by the band entered.", ["band", "kind"], registry=registry
        )
        self.shared = Counter(
            "journey_shared_touchpoints",
            "Touchpoints left out because their identifier is shared by too many customers.",
            registry=registry,
        )
        self.erased_identifiers = Counter(
            "journey_erased_identifiers", "Identifiers whose state and outputs were erased.", registry=registry
        )
        self.erased_touchpoints = Counter(
            "journey_erased_touchpoints",
            "Touchpoints forgotten, or not taken in, because their identifier is erased.",
            ["stage"],
            registry=registry,
        )
        self.to_rescore = Gauge(
            "journey_rescoring_profiles",
            "Profiles that wait for their first score with new parameters of churn risk.",
            ["partition"],
            registry=registry,
        )
        self.state_bytes = Gauge("journey_state_bytes", "Packed state held.", ["partition"], registry=registry)
        self.ready = Gauge("journey_ready", "Whether the worker is ready, as /readyz says: 1 or 0.", registry=registry)
        for stage in ("router", "task"):
            self.restarts.labels(stage)
            self.erased_touchpoints.labels(stage)
            for reason in Reason:
                self.dead_letters.labels(stage, reason.value)
        for cause in ("fenced", "uncertain"):
            self.aborts.labels(cause)

    def expect(self, sources: Iterable[str]) -> None:
        """Report the sources from the start, so that one from which nothing comes is seen."""
        for topic in sources:
            self.records_in.labels(topic, "admitted")
            self.lost.labels(topic)

    def uses(self, model: Model, scorer: Scorer | None) -> None:
        """Name the journey model and the parameters of churn risk; `none` where it is not scored."""
        self.model.info({"name": model.name, "version": str(model.version)})
        for stage in model.stages:
            self.stage_changes.labels(stage.id, "entered")
        for band in () if scorer is None else BANDS:
            self.risk_changes.labels(band, "entered")
        parameters = None if scorer is None else scorer.parameters
        self.churn_model.info(
            {
                "name": "none" if parameters is None else parameters.name,
                "version": "" if parameters is None else str(parameters.version),
            }
        )

    def count_in(self, topic: str, records_by_kind: Mapping[str, int]) -> None:
        for kind, count in records_by_kind.items():
            if count:
                self.records_in.labels(topic, kind).inc(count)

    def count_out(self, topic: str, records_by_kind: Mapping[str, int]) -> None:
        for kind, count in records_by_kind.items():
            if count:
                self.records_out.labels(topic, kind).inc(count)

    def lag(self, topic: str, partition: int, records: int, seconds: float) -> None:
        """How far behind the end of a partition the reader is."""
        self.lag_records.labels(topic, str(partition)).set(records)
        self.lag_seconds.labels(topic, str(partition)).set(max(0.0, seconds))

    def forget_lag(self, topic: str, partition: int) -> None:
        """The partition is read elsewhere now."""
        for gauge in (self.lag_records, self.lag_seconds):
            gauge.remove(topic, str(partition))

    def forget_task(self, topic: str, partition: int) -> None:
        """The task of the log partition is run elsewhere now."""
        self.forget_lag(topic, partition)
        for gauge in (self.clock, self.next_timer, self.oldest_event, self.profiles, self.state_bytes, self.to_rescore):
            gauge.remove(str(partition))
