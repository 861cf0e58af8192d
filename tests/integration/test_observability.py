"""What is shipped for people on call, against a real worker, a real broker and a real Prometheus."""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from aiokafka.admin import NewTopic

from journey_stream.worker.config import Settings
from journey_stream.worker.topics import create_topics
from tests.integration.journeys import WITH_IDENTITY, Sent
from tests.integration.running import read, send
from tests.integration.workers import Worker, create, read_config, write_config
from tests.support.kafka import Broker, KafkaBroker, free_port
from tests.support.prometheus import Prometheus, promtool

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "alerts.yaml"
DASHBOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))
MINUTE_MS = 60_000

# What lies an hour back, or is computed from that.
NOT_YET = re.compile(r"offset 1h|(?:increase|ratio)1d")


class Observed(NamedTuple):
    """A worker that has had all kinds of input, and the Prometheus that scrapes it."""

    port: int
    worker: Worker
    prometheus: Prometheus


async def new_worker(bootstrap: str, prefix: str, directory: Path) -> tuple[Settings, Path]:
    """Settings and their file for a worker of two tasks with a metrics port, and its topics."""
    (directory / "model.yaml").write_text(WITH_IDENTITY)
    port, model = free_port(), str(directory / "model.yaml")
    path = write_config(directory, bootstrap, prefix, partitions=2, metrics_port=port, model=model, log_format="json")
    settings = read_config(path)
    await create(bootstrap, [NewTopic(source, 1, 1) for source in settings.sources])
    await create_topics(settings)
    return settings, path


def get(port: int, path: str) -> tuple[int, str]:
    """Status and body; 0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


async def until(true: Callable[[], object], what: Callable[[], object], seconds_max: float = 60.0) -> None:
    deadline = time.monotonic() + seconds_max
    while not await asyncio.to_thread(true):
        assert time.monotonic() < deadline, what()
        await asyncio.sleep(0.2)


def touchpoint(settings: Settings, event_id: str, minutes_ago: int, channel: str, kind: str, **fields: Any) -> Sent:
    now_ms = time.time_ns() // 1_000_000
    happened = {"event_id": event_id, "occurred_at": now_ms - minutes_ago * MINUTE_MS, "channel": channel, "type": kind}
    [topic] = [source for source in settings.sources if source.endswith(f".{channel}")]
    return Sent(topic, 0, now_ms, None, json.dumps(happened | fields).encode())


def all_kinds_of_input(settings: Settings) -> list[list[Sent]]:
    """In turns: a link and decisions; a purchase before them that corrects; what is refused by router and task."""
    known = {"identifiers": {"customer_id": "c1", "device_id": "d1"}}
    return [
        [
            touchpoint(settings, "e1", 10, "web", "add_to_cart", **known),
            touchpoint(settings, "e2", 9, "web", "view", identifiers={"device_id": "d1"}),
            touchpoint(settings, "e3", 9, "email", "opened", customer_id="c2"),
            touchpoint(settings, "e4", 8, "crm", "quote", customer_id="c3"),
        ],
        [touchpoint(settings, "e5", 20, "store", "purchase", value=30, **known)],
        [
            touchpoint(settings, "e6", 1, "web", "view"),
            touchpoint(settings, "e7", 60 * 24 * 90, "web", "view", customer_id="c4"),
        ],
    ]


@pytest.fixture
async def observed(broker: Broker, prefix: str, tmp_path: Path) -> AsyncIterator[Observed]:
    settings, path = await new_worker(broker.bootstrap, prefix, tmp_path)
    port = settings.metrics_port
    with (
        Prometheus(tmp_path / "prometheus", f"127.0.0.1:{port}", RULES) as prometheus,
        Worker(path, "worker") as worker,
    ):
        await until(lambda: get(port, "/readyz")[0] == 200, lambda: (get(port, "/readyz"), worker.tail()))
        # What a counter has had before the first look at it is no increase.
        routed = 'journey_records_in_total{kind="admitted"}'
        await until(lambda: len(prometheus.query(routed)) == len(settings.sources), prometheus.tail)
        for turn, records in enumerate(all_kinds_of_input(settings)):
            await send(settings, records)
            await read(settings, settings.topics.stage_changes, (2, 4)[min(turn, 1)])
        await read(settings, settings.topics.dead_letters, 2)
        yield Observed(port, worker, prometheus)


def queries_of(dashboard: Path) -> Iterator[tuple[str, str]]:
    """(panel, expression) with Grafana's variables filled in."""
    for panel in json.loads(dashboard.read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$__rate_interval", "1m").replace("$job", ".+")


def selectors_of(expression: str) -> list[str]:
    """What an expression looks up, without the windows."""
    return re.findall(r"(?<![\w:])(?:up|journey_[a-z_]+|job_to_stage:[\w:]+)(?:\{[^}]*\})?(?!\w*\()", expression)


async def test_every_query_of_dashboards_and_alerts_finds_what_it_asks_for(observed: Observed) -> None:
    prometheus = observed.prometheus
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    asked = {(file.name, *query) for file in DASHBOARDS for query in queries_of(file)}
    asked |= {
        ("alerts", rule["alert"], found) for rule in rules if "alert" in rule for found in selectors_of(rule["expr"])
    }
    asked |= {("alerts", rule["record"], rule["expr"]) for rule in rules if "record" in rule}
    missing = asked = {query for query in asked if not NOT_YET.search(query[2])}

    def nothing_is_missing() -> bool:
        nonlocal missing
        missing = {query for query in missing if not prometheus.query(query[2])}
        return not missing

    assert len(asked) > 60
    await until(nothing_is_missing, lambda: (sorted(missing), observed.worker.tail()), 90)


async def test_of_a_healthy_worker_the_alerts_tell_no_more_than_what_it_has_refused(observed: Observed) -> None:
    """Two of its seven records were refused, and nothing else is amiss.

    Alerts that wait for their `for:` count, too: none would fire within the seconds that this takes.
    """
    found: list[dict[str, Any]] = []

    def only_the_refused_ones_are_told_of() -> bool:
        found[:] = observed.prometheus.rules()
        told = {alert["labels"]["alertname"] for rule in found for alert in rule.get("alerts", ())}
        return all(rule["health"] == "ok" for rule in found) and told == {"JourneyDeadLetters"}

    await until(only_the_refused_ones_are_told_of, lambda: [rule for rule in found if rule.get("alerts")])


async def test_a_worker_that_is_gone_is_seen_by_its_alert(observed: Observed) -> None:
    observed.worker.kill()

    prometheus = observed.prometheus

    await until(lambda: tells_of(prometheus, "JourneyWorkerDown"), prometheus.rules)


async def test_tasks_without_a_router_are_seen_by_its_alert(broker: Broker, prefix: str, tmp_path: Path) -> None:
    settings, path = await new_worker(broker.bootstrap, prefix, tmp_path)
    target = f"127.0.0.1:{settings.metrics_port}"

    with Prometheus(tmp_path / "prometheus", target, RULES) as prometheus, Worker(path, "worker", "tasks"):
        await until(
            lambda: tells_of(prometheus, "JourneyRoutersMissing") and not tells_of(prometheus, "JourneyTasksMissing"),
            prometheus.rules,
        )


def tells_of(prometheus: Prometheus, alert: str) -> bool:
    """Whether an alert fires, or will if it stays so."""
    return any(rule["name"] == alert and rule["alerts"] for rule in prometheus.rules())


async def test_the_page_of_a_worker_keeps_to_the_conventions(observed: Observed) -> None:
    code, said = promtool("check", "metrics", text=get(observed.port, "/metrics")[1])

    assert (0, "") == (code, said)


async def test_a_worker_writes_lines_of_json_that_say_which_part_speaks(observed: Observed) -> None:
    lines = [json.loads(line) for line in observed.worker.log.read_text().splitlines()]

    spoken = {(line.get("role"), line.get("partition")) for line in lines if "restored in" in line["message"]}

    assert {("task", 0), ("task", 1)} == spoken


async def test_readiness_goes_and_comes_with_the_broker_and_life_stays(prefix: str, tmp_path: Path) -> None:
    with KafkaBroker(tmp_path / "kafka") as broker:
        settings, path = await new_worker(broker.bootstrap, prefix, tmp_path)
        port = settings.metrics_port
        with Worker(path, "worker") as worker:
            await until(lambda: get(port, "/readyz")[0] == 200, lambda: (get(port, "/readyz"), worker.tail()))
            await asyncio.to_thread(broker.kill)
            await until(lambda: parts_unready(port) == {"router", "task 0", "task 1"}, lambda: get(port, "/readyz"))
            unready, alive, page = get(port, "/readyz")[0], get(port, "/healthz")[0], get(port, "/metrics")[1]
            await asyncio.to_thread(broker.restart)
            await until(lambda: get(port, "/readyz")[0] == 200, lambda: (get(port, "/readyz"), worker.tail()), 120)

    assert (503, 200) == (unready, alive)
    assert "journey_ready 0.0" in page


def parts_unready(port: int) -> set[str]:
    """Which router and tasks have something to say against being ready."""
    return {reason.split(":")[0] for reason in json.loads(get(port, "/readyz")[1])["reasons"]} - {"tasks"}
