from __future__ import annotations

import re
import socket
import urllib.request

import pytest

from journey_stream.journey.load import preset
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.metrics import Metrics, serve_metrics
from tests.support.risks import nervous_scorer

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

    assert 1.0 == metrics.registry.get_sample_value("journey_model_info", {"name": "six-stages", "version": "1"})
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
