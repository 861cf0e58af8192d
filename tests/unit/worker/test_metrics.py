from __future__ import annotations

import math
import re

import pytest

from journey_stream.engine.partition import Partition
from journey_stream.events.decisions import IdentityChanged
from journey_stream.events.log import Attach
from journey_stream.journey.load import preset
from journey_stream.worker import task_report
from journey_stream.worker.batch import Batch, CausedIdentity, Forwarded, Processor
from journey_stream.worker.config import Settings
from journey_stream.worker.metrics import Metrics
from journey_stream.worker.outbox import Outbox
from journey_stream.worker.task_report import TaskReport
from tests.integration.journeys import model
from tests.support.risks import nervous_scorer
from tests.unit.worker.records import T0, logged, touchpoint

# Prometheus: base units, and a counter ends in _total (which the client adds).
UNITS = ("seconds", "bytes", "records", "profiles", "tasks", "partition", "partitions", "ready")


def test_every_metric_has_our_prefix_a_help_text_and_base_units() -> None:
    families = list(Metrics().registry.collect())

    assert families
    for family in families:
        assert re.fullmatch(r"journey_[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        if family.type in {"gauge", "histogram"}:
            assert family.name.endswith(UNITS), family.name


def test_no_label_can_hold_a_customer() -> None:
    metrics = Metrics()
    metrics.count_in("touchpoints.web", {"admitted": 2, "refused": 0})
    metrics.dead_letters.labels("task", "too_late").inc()
    metrics.lag("log", 3, 10, 1.5)

    labels = {label for family in metrics.registry.collect() for sample in family.samples for label in sample.labels}

    assert labels <= {"topic", "kind", "stage", "reason", "role", "cause", "state", "partition", "le"}


def test_what_has_not_happened_yet_is_reported_as_0() -> None:
    metrics = Metrics()

    metrics.expect(["touchpoints.web"])
    metrics.uses(preset("six-stages"), None)

    value = metrics.registry.get_sample_value
    assert 0.0 == value("journey_records_in_total", {"topic": "touchpoints.web", "kind": "admitted"})
    assert 0.0 == value("journey_stage_changes_total", {"to_stage": "advocacy", "kind": "entered"})
    assert 0.0 == value("journey_dead_letters_total", {"stage": "task", "reason": "unreadable_log_record"})
    assert 0.0 == value("journey_transaction_aborts_total", {"cause": "uncertain"})


def test_the_models_in_use_are_named() -> None:
    metrics = Metrics()

    metrics.uses(preset("six-stages"), nervous_scorer(version=7))

    assert 1.0 == metrics.registry.get_sample_value("journey_model_info", {"name": "six-stages", "version": "2"})
    assert 1.0 == metrics.registry.get_sample_value("journey_churn_model_info", {"name": "nervous", "version": "7"})


def test_without_churn_risk_its_model_is_none() -> None:
    metrics = Metrics()

    metrics.uses(preset("six-stages"), None)

    assert 1.0 == metrics.registry.get_sample_value("journey_churn_model_info", {"name": "none", "version": ""})


def test_a_partition_that_has_moved_away_is_no_longer_reported() -> None:
    metrics = Metrics()
    metrics.lag("log", 3, 10, 1.5)
    metrics.profiles.labels("3").set(7)

    metrics.forget_task("log", 3)
    metrics.forget_task("log", 4)

    assert metrics.registry.get_sample_value("journey_profiles", {"partition": "3"}) is None
    assert metrics.registry.get_sample_value(
        "journey_consumer_lag_records", {"topic": "log", "partition": "3"}
    ) is None  # fmt: skip


def test_what_is_ahead_of_the_clock_has_no_negative_lag() -> None:
    metrics = Metrics()

    metrics.lag("log", 0, 0, -3.0)

    assert 0.0 == metrics.registry.get_sample_value(
        "journey_consumer_lag_seconds", {"topic": "log", "partition": "0"}
    )  # fmt: skip


def test_what_a_task_writes_about_identity_is_counted_by_kind() -> None:
    record = logged(touchpoint())
    said = [Attach(profile_id="c2", at=T0, child="c1"), Attach(profile_id="c3", at=T0, child="c1")]
    linked = IdentityChanged("id", "linked", "c1", 1, "c2", T0, "observed", "Seen with c2.", ("e1",), "c2")
    forwards = [Forwarded(one, record) for one in said]
    batch = Batch([], [], [CausedIdentity(linked, record)], forwards, {}, [], [], 1, T0, T0, {"link": 2}, 5)
    metrics, settings = Metrics(), Settings(partitions=4)

    TaskReport(metrics, settings.topics, 1).committed(batch, Outbox(settings, 1).messages(batch), 0.1)

    value = metrics.registry.get_sample_value
    assert 2 == value("journey_records_out_total", {"topic": "journey.log", "kind": "attach"})
    assert 1 == value("journey_records_out_total", {"topic": "journey.identity-changes", "kind": "linked"})
    assert 1 == value("journey_records_out_total", {"topic": "journey.state", "kind": "state"})
    assert 2 == value("journey_records_in_total", {"topic": "journey.log", "kind": "link"})
    assert 5 == value("journey_shared_touchpoints_total")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time of day in ms, moved by hand."""
    now = [T0]
    monkeypatch.setattr(task_report, "now_ms", lambda: now[0])
    return now


class Engine:
    """As much of a partition as a report of progress looks at; `timer` in ms."""

    profiles, state_bytes, to_rescore = 3, 700, 0

    def __init__(self, timer: int | None = None) -> None:
        self.timer = timer

    def next_timer(self) -> int | None:
        return self.timer


def lag(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value(
        "journey_consumer_lag_seconds", {"topic": "journey.log", "partition": "1"}
    )  # fmt: skip


def test_the_lag_grows_while_records_wait_and_none_can_be_applied(clock: list[int]) -> None:
    metrics = Metrics()
    report = TaskReport(metrics, Settings().topics, 1)

    report.progress(Engine(), 5, T0 - 2_000)  # type: ignore[arg-type]
    applied = lag(metrics)
    clock[0] += 30_000
    report.progress(Engine(), 5, None)  # type: ignore[arg-type]
    waiting = lag(metrics)
    report.progress(Engine(), 0, None)  # type: ignore[arg-type]

    assert (2.0, 32.0, 0.0) == (applied, waiting, lag(metrics))


def test_a_backlog_after_silence_is_as_old_as_the_silence_ago(clock: list[int]) -> None:
    metrics = Metrics()
    report = TaskReport(metrics, Settings().topics, 1)

    report.progress(Engine(), 0, None)  # type: ignore[arg-type]
    clock[0] += 4_000
    report.progress(Engine(), 7, None)  # type: ignore[arg-type]

    assert 4.0 == lag(metrics)


@pytest.mark.parametrize(
    ("timer", "ticks", "expected"), [(T0 + 500, True, (T0 + 500) / 1000), (None, True, math.inf), (T0, False, math.inf)]
)
def test_the_next_timer_is_told_where_ticks_keep_to_it(timer: int | None, ticks: bool, expected: float) -> None:
    metrics = Metrics()

    TaskReport(metrics, Settings().topics, 1, ticks=ticks).progress(Engine(timer), 0, None)  # type: ignore[arg-type]

    assert expected == metrics.registry.get_sample_value("journey_next_timer_timestamp_seconds", {"partition": "1"})


def test_stage_changes_are_counted_by_the_stage_entered() -> None:
    record = logged(touchpoint())
    settings, metrics = Settings(partitions=4), Metrics()
    batch = Processor(Partition(model()), settings.topics.log, 1).process([record])

    TaskReport(metrics, settings.topics, 1).committed(batch, Outbox(settings, 1).messages(batch), 0.1)

    [change] = batch.changes
    assert 1 == metrics.registry.get_sample_value(
        "journey_stage_changes_total", {"to_stage": change.change.to_stage, "kind": "entered"}
    )
