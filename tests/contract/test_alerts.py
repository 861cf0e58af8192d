"""The alert rules fire when they should, are quiet when they should, and lead to a page that helps."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from journey_stream.cli.main import app
from journey_stream.worker.metrics_page import vocabulary
from tests.support.prometheus import promtool

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "prometheus"
RULES = [rule for group in yaml.safe_load((SHIPPED / "alerts.yaml").read_text())["groups"] for rule in group["rules"]]
ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for rule in RULES if "alert" in rule}
STORIES = yaml.safe_load((SHIPPED / "alerts_test.yaml").read_text())["tests"]
SECTIONS = ["Meaning", "Impact", "How to look", "How to mend"]

each_alert = pytest.mark.parametrize("name", ALERTS)


def runbook(name: str) -> str:
    return (ROOT / "docs" / "runbooks" / f"{name}.md").read_text(encoding="utf-8")


def metrics_in(text: str) -> set[str]:
    """The names of our metrics, those of a histogram without what Prometheus adds to them."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"(?<![:\w])journey_[a-z_]+\b(?!:)", text)}


def test_the_rules_and_the_configuration_are_valid() -> None:
    assert {0} == {promtool("check", *what)[0] for what in [
        ("rules", SHIPPED / "alerts.yaml"), ("config", SHIPPED / "prometheus.yml")
    ]}  # fmt: skip


def test_every_story_of_an_alert_ends_as_it_should() -> None:
    code, said = promtool("test", "rules", SHIPPED / "alerts_test.yaml")

    assert 0 == code, said


@each_alert
def test_every_alert_has_a_story_in_which_it_fires_and_one_in_which_it_is_quiet(name: str) -> None:
    cases = [case for story in STORIES for case in story["alert_rule_test"] if case["alertname"] == name]

    assert {True, False} == {bool(case["exp_alerts"]) for case in cases}


@each_alert
def test_every_alert_says_how_urgent_it_is_what_happened_and_where_to_read_on(name: str) -> None:
    alert = ALERTS[name]

    assert {"summary", "description", "runbook_url"} == set(alert["annotations"])
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert f"docs/runbooks/{name}.md" == alert["annotations"]["runbook_url"]
    assert len(re.findall(r"\.(?= |$)", alert["annotations"]["description"])) >= 3


@each_alert
def test_every_runbook_has_its_four_sections(name: str) -> None:
    page = runbook(name)

    assert page.startswith(f"# {name}\n")
    assert SECTIONS == re.findall(r"^## (.*)$", page, re.MULTILINE)


def test_there_is_no_runbook_without_an_alert() -> None:
    assert set(ALERTS) == {page.stem for page in (ROOT / "docs" / "runbooks").glob("*.md")}


@each_alert
def test_rules_and_runbooks_name_only_metrics_that_there_are(name: str) -> None:
    known = {metric.name for metric in vocabulary()}

    named = metrics_in(ALERTS[name]["expr"]) | metrics_in(runbook(name))

    assert set() == named - known


@each_alert
def test_runbooks_name_only_commands_that_there_are(name: str) -> None:
    ours = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
    kafka = {"kafka-consumer-groups.sh", "kafka-topics.sh", "kafka-configs.sh", "kafka-console-consumer.sh",
             "kafka-get-offsets.sh", "kafka-transactions.sh"}  # fmt: skip
    page = runbook(name)

    assert set() == set(re.findall(r"^journey-stream ([a-z-]+)", page, re.MULTILINE)) - ours
    assert set() == set(re.findall(r"kafka-[a-z-]+\.sh", page)) - kafka


def test_every_query_in_the_runbooks_can_be_read_by_prometheus(tmp_path: Path) -> None:
    queries = [query for name in ALERTS for query in re.findall(r"```promql\n(.*?)```", runbook(name), re.DOTALL)]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "runbooks", "rules": rules}]}))

    code, said = promtool("check", "rules", file)

    assert queries
    assert 0 == code, said
