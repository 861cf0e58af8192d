from __future__ import annotations

import re
import socket
import urllib.request

import pytest

from journey_stream.events.decisions import IdentityChanged
from journey_stream.events.log import Attach
from journey_stream.journey.load import preset
from journey_stream.worker.batch import Batch, CausedIdentity, Forwarded
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.metrics import Metrics, serve_metrics
from journey_stream.worker.outbox import Outbox
from journey_stream.worker.task_report import TaskReport
from tests.support.risks import nervous_scorer
from tests.unit.worker.records import T0, logged, touchpoint

# Prometheus: base units, and a counter ends in _total (which the client adds).
UNITS = ("seconds", "bytes", "records", "profiles", "tasks", "partition")


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


def test_the_endpoint_answers_a_scrape() -> None:
    metrics = Metrics()
    metrics.corrections.inc(3)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    endpoint = serve_metrics(metrics, "127.0.0.1", port)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    finally:
        endpoint.shutdown()
        endpoint.server_close()

    assert "journey_corrections_total 3.0" in text
    assert "python_info" in text


def test_a_port_that_is_taken_is_a_matter_for_a_person() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(WorkerError, match=f"127.0.0.1:{port}: it is taken. Set metrics_port"):
            serve_metrics(Metrics(), "127.0.0.1", port)


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
