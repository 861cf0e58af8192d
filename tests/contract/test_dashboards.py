"""The dashboards are those that the code writes, and ask only for what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from journey_stream.worker.metrics_page import vocabulary
from scripts.dashboards.__main__ import DASHBOARDS, DIRECTORY, main

each_dashboard = pytest.mark.parametrize("name", DASHBOARDS)


def test_the_dashboards_are_the_generated_ones(tmp_path: Path) -> None:
    main([str(tmp_path)])

    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        file.name: file.read_text() for file in DIRECTORY.glob("*.json")
    }


@each_dashboard
def test_a_dashboard_asks_only_for_metrics_that_there_are(name: str) -> None:
    known = {metric.name for metric in vocabulary()}

    named = set(re.findall(r"\bjourney_[a-z_]+\b", (DIRECTORY / name).read_text()))

    assert set() == {re.sub(r"_bucket$", "", metric) for metric in named} - known


@each_dashboard
def test_panels_lie_side_by_side_and_each_says_what_to_make_of_it(name: str) -> None:
    panels = json.loads((DIRECTORY / name).read_text())["panels"]

    places = [(x, y) for p in panels for x in range(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"])
              for y in range(p["gridPos"]["y"], p["gridPos"]["y"] + p["gridPos"]["h"])]  # fmt: skip
    assert len(set(places)) == len(places)
    assert {24} == {max(x for x, at in places if at == y) + 1 for _, y in places}
    assert all(panel["description"] for panel in panels if panel["type"] == "timeseries")
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_every_metric_is_on_a_dashboard_but_those_that_only_name_something() -> None:
    shown = "".join((DIRECTORY / name).read_text() for name in DASHBOARDS)

    unseen = {metric.name for metric in vocabulary() if not re.search(rf"\b{metric.name}(_bucket)?\b", shown)}

    assert {"journey_model_info", "journey_churn_model_info", "journey_erased_identifiers_total"} == unseen
