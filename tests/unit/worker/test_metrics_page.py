from __future__ import annotations

import json
from pathlib import Path

from journey_stream.worker.metrics_page import LABELS, metrics_page, vocabulary

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"


def test_the_page_about_metrics_is_up_to_date() -> None:
    assert metrics_page() == PAGE.read_text(encoding="utf-8")


def test_every_label_is_explained_and_none_is_explained_for_nothing() -> None:
    assert set(LABELS) == {label for metric in vocabulary() for label in metric.labels}


def test_no_label_is_named_like_something_of_a_customer() -> None:
    schema = json.loads((PAGE.parents[1] / "schemas" / "touchpoint.schema.json").read_text())
    personal = set(schema["properties"]) | {"profile_id", "customer_id", "email", "evidence", "rule", "key", "offset"}

    assert set() == personal & set(LABELS) - {"kind"}


def test_counters_end_in_total_and_histograms_in_a_unit() -> None:
    for metric in vocabulary():
        assert metric.name.endswith("_total") is (metric.type == "counter"), metric
        assert metric.type != "histogram" or metric.name.endswith(("_seconds", "_records", "_bytes")), metric
