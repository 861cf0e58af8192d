"""Every command on the pages runs: as it stands there, in a shell, with a broker, workers and a map of its own.

One test follows the pages one after the other, as somebody would who tries everything. A command that is new on a page
runs here without more ado. What cannot run is in NOT_HERE with the reason.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from journey_stream.worker.config import Settings
from tests.integration.journeys import Sent
from tests.integration.reading import read_all, views
from tests.integration.running import send
from tests.support.kafka import KafkaBroker
from tests.support.pages import PAGES, ROOT, blocks, commands
from tests.support.postgres import Postgres, why_not
from tests.support.shop import RUNS_ON, Shop
from tests.support.waiting import until

NOT_HERE = {
    "make demo": "tests/e2e/test_demo.py runs it",
    "make test": "runs this",
    "pip install": "asks a registry; continuous integration installs with `make setup`",
    "pytest examples/testing_a_model": "tests/unit/testing/test_example.py runs it",
    "docker ": "needs Docker; tests/contract/test_image.py and test_compose.py ask other tools about the files",
    "echo '{": "for a container, as above",
    "kubectl ": "needs a cluster",
    "helm install": "needs a cluster; tests/contract/test_chart.py renders the chart with the values of the page",
    "JOURNEY_TRACING=otlp ": "needs a collector; tests/integration/test_tracing.py has one in its place",
    "curl -X PUT ": "needs a schema registry; tests/integration/test_schema_registry.py has one in its place",
    "prometheus ": "takes a port of its own; tests/integration/test_observability.py runs it, with the rules",
}
"""How commands begin that do not run in this test, and why; with the test that has them instead, if there is one."""

FIRST = ROOT / "README.md"
LAST = [ROOT / "docs" / name for name in ("erasure.md", "attribution.md", "recovering.md")]
"""Erasure takes away the customer of all the others. The last two want README's worker and map to have ended."""
BY_THEMSELVES = {
    "docs/index.md": "tests/contract/test_site.py runs its commands, without a broker",
    "docs/churn.md": "its commands fit parameters to a year of purchases, for a minute; the long test below",
}

PATIENT = ("journey-stream explain", "curl http://localhost:8600/api/customers/")
"""How commands begin that may have to be given again: a worker and a map take a moment for what was sent."""
PATIENT_SECONDS_MAX = 30.0

MAP = "localhost:8600"
"""Where the pages look for a map: the one that the page has started, else the first one."""

ENDS_WITH_1 = {
    # There is something to mend, as the page says.
    "journey-stream topics check --history --config journey-2.yaml",
}


def test_every_command_on_the_pages_runs(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    is_there = os.environ.get("CI") == "true" or why_not() is None
    postgres: Postgres | None = request.getfixturevalue("postgres") if is_there else None
    with KafkaBroker(tmp_path / "kafka") as broker, opened(tmp_path / "shop", broker) as shop:
        not_here = dict(NOT_HERE)
        if postgres is None:
            not_here |= dict.fromkeys(("createdb", "journey-stream serve --database postgresql:"), "no PostgreSQL here")
        else:
            shop.stand_ins["map@db.example.org"] = f"{postgres.user}@127.0.0.1:{postgres.port}"
            shop.stand_ins["createdb "] = f"createdb -h 127.0.0.1 -p {postgres.port} -U {postgres.user} "
        if os.environ.get("CI") != "true" and shutil.which("promtool") is None:
            not_here["promtool "] = "Prometheus is not installed here"
        story = Story(shop, not_here, Settings(bootstrap_servers=(broker.bootstrap,), partitions=2))

        others = [page for page in PAGES if page not in {FIRST, *LAST} and _name(page) not in BY_THEMSELVES]
        for page in [FIRST, *others, LAST[0]]:
            story.follow(page)
        customer_comes_back(story.settings)
        story.end_all()
        for page in LAST[1:]:
            story.follow(page)

    assert [] == story.complaints, "\n\n".join(story.complaints)


@pytest.mark.soak
def test_every_command_about_churn_runs(tmp_path: Path) -> None:
    page = ROOT / "docs" / "churn.md"
    with Shop(tmp_path, "127.0.0.1:9", {}) as shop:
        complaints = [f"{command}\n{complaint}" for command in commands(page) if (complaint := shop.run(command))]

    assert [] == complaints, "\n\n".join(complaints)


def test_whatever_is_said_not_to_run_is_on_a_page() -> None:
    on_pages = [command for page in PAGES for command in commands(page)]

    assert [] == [start for start in NOT_HERE if not any(command.startswith(start) for command in on_pages)]
    assert ENDS_WITH_1 <= set(on_pages)
    assert BY_THEMSELVES.keys() <= {_name(page) for page in PAGES if commands(page)}


class Story:
    """Follows pages in a shop. What the first one starts runs on until `end_all`, what others start until they end."""

    def __init__(self, shop: Shop, not_here: dict[str, str], settings: Settings) -> None:
        self.complaints: list[str] = []
        self._shop = shop
        self._not_here = tuple(not_here)
        self.settings = settings
        self._done: set[str] = set()

    def follow(self, page: Path) -> None:
        before = self._shop.running()
        map_before = self._shop.stand_ins.get(MAP)
        for block in blocks(page):
            if block.title:
                (self._shop.directory / block.title).write_text(block.text)
        for command in commands(page):
            # Runbooks repeat one another.
            if command.startswith(self._not_here) or (page.parent.name == "runbooks" and command in self._done):
                continue
            self._done.add(command)
            if " --delete " in command:
                # Nobody deletes topics under what works with them.
                self._end(page, set(self._shop.running()) - set(before))
            if RUNS_ON.match(command):
                self._start(page, command)
            else:
                self._note(page, command, self._ran(command))
        if page != FIRST:
            self._end(page, set(self._shop.running()) - set(before))
            if map_before is not None:
                self._shop.stand_ins[MAP] = map_before

    def end_all(self) -> None:
        self._end(FIRST, set(self._shop.running()))

    def _ran(self, command: str) -> str | None:
        deadline = time.monotonic() + PATIENT_SECONDS_MAX
        while (complaint := self._shop.run(command, expected=int(command in ENDS_WITH_1))) is not None:
            if not command.startswith(PATIENT) or time.monotonic() > deadline:
                return complaint
        return None

    def _end(self, page: Path, commands_: set[str]) -> None:
        for command in sorted(commands_):
            self._note(page, command, self._shop.stop(command))

    def _start(self, page: Path, command: str) -> None:
        if command in self._shop.running():
            self._end(page, {command})
        try:
            port = self._shop.start(command)
        except AssertionError as error:
            self._note(page, command, str(error))
            return
        stand_ins = self._shop.stand_ins
        if command.startswith("journey-stream worker") and "WORKER:9464" not in stand_ins:
            stand_ins |= dict.fromkeys(("WORKER:9464", "127.0.0.1:9464"), f"127.0.0.1:{port}")
            stand_ins["3:17"] = customers_come(self.settings)
        if command.startswith("journey-stream serve"):
            stand_ins[MAP] = f"127.0.0.1:{port}"

    def _note(self, page: Path, command: str, complaint: str | None) -> None:
        if complaint is not None:
            self.complaints.append(f"{_name(page)}: {command}\n{complaint}")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@contextmanager
def opened(directory: Path, broker: KafkaBroker) -> Iterator[Shop]:
    """A shop with the files that the pages speak of."""
    directory.mkdir()
    with Shop(directory, broker.bootstrap, {"JOURNEY_PARTITIONS": "2"}) as shop:
        # Nobody needs to wait for ten seconds for a message that is there.
        shop.stand_ins["--timeout-ms 10000"] = "--timeout-ms 2000"
        # A year of households takes a minute; tests/e2e/test_demo.py replays it.
        tomorrow = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86_400))
        shop.stand_ins["dataset:completejourney --as-of 2018-01-01"] = f"history.jsonl --as-of {tomorrow}"
        shutil.copy(ROOT / "examples" / "testing_a_model" / "shop.yaml", directory / "my-model.yaml")
        past = [content(f"past-{number}", number * 5.0, customer_id=f"c{number % 7}") for number in range(1, 40)]
        (directory / "history.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in past))
        flat = [one | one["identifiers"] for one in past]
        for one in flat:
            del one["identifiers"]
        pq.write_table(pa.Table.from_pylist(flat), directory / "history.parquet")
        for name, rows in (("january.csv", flat[::2]), ("february.csv", flat[1::2])):
            with (directory / name).open("w", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        yield shop


def customers_come(settings: Settings) -> str:
    """What the pages take for granted: customer c42 with her tablet and her address, and a touchpoint that is none.

    Returns the position of its dead letter, once all has arrived.
    """
    met = [
        content("v1", 5, device_id="d7"),
        content("v2", 4, customer_id="c42", device_id="d7", email="ann@x.org"),
        content("v3", 3, "store", "purchase", customer_id="c42"),
    ]
    values = [*(json.dumps(one).encode() for one in met), b'{"event_id": 7}']
    now = time.time_ns() // 1_000_000
    asyncio.run(send(settings, [Sent("touchpoints.web", 0, now, None, value) for value in values]))

    def known() -> bool:
        view = asyncio.run(views(settings)).get("c42")
        return view is not None and ["device_id:d7", "email:ann@x.org"] == view.get("identifiers")

    def refused() -> list[Any]:
        return asyncio.run(read_all(settings.bootstrap_servers[0], settings.topics.dead_letters))

    until(lambda: known() and bool(refused()), 60.0)
    (letter,) = refused()
    return f"{letter.partition}:{letter.offset}"


def customer_comes_back(settings: Settings) -> None:
    """She who was erased does something, after that."""
    value = json.dumps(content("v4", -1 / 60, customer_id="c42")).encode()
    asyncio.run(send(settings, [Sent("touchpoints.web", 0, time.time_ns() // 1_000_000, None, value)]))


def content(
    event_id: str, hours_ago: float, channel: str = "web", type_: str = "product_view", **identifiers: str
) -> dict[str, Any]:
    at = time.gmtime(time.time() - hours_ago * 3_600)
    return {
        "event_id": event_id,
        "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", at),
        "channel": channel,
        "type": type_,
        "identifiers": identifiers,
    }
