"""A browser that notes everything which a page must not do, and the processes that serve it."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from axe_core_python.base import AXE_SCRIPT
from playwright.async_api import Browser, Page, async_playwright

from tests.support.programs import not_here
from tests.support.waiting import until

START_SECONDS_MAX = 60.0
WAIT_MS_MAX = 20_000
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class ShopServer:
    """`tests.support.map_server` as a process; `port` stays the same over a restart."""

    def __init__(self, database: Path, customers: int, *options: str) -> None:
        self.database, self.port = database, 0
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self.start(customers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, customers: int = 0) -> None:
        command = [sys.executable, "-m", "tests.support.map_server", "--database", str(self.database)]
        command += ["--port", str(self.port), "--customers", str(customers), *self._options]
        root = Path(__file__).parents[2]
        path = os.pathsep.join([str(root), str(root / "src"), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            command,
            cwd=root,
            env=os.environ | {"PYTHONPATH": path},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._pass_on, args=(self._process, lines), daemon=True).start()
        word, _, port = lines.get(timeout=START_SECONDS_MAX).partition(" ")
        assert word == "listening", f"the server ended with {self._process.poll()}"
        self.port = int(port)
        until(lambda: httpx.get(f"{self.url}/readyz").is_success, START_SECONDS_MAX)

    def order(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def stop(self) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait(START_SECONDS_MAX)
            self._process = None

    @staticmethod
    def _pass_on(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")


def system_browser() -> str:
    """Where Chromium is; skips the test if it is nowhere, but not where all tests have to run."""
    named = os.environ.get("JOURNEY_TEST_BROWSER")
    found = named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        not_here("no Chromium: install it, or name it in JOURNEY_TEST_BROWSER")
    return found


@contextlib.asynccontextmanager
async def opened_browser() -> AsyncIterator[Browser]:
    path = system_browser()
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield opened
        finally:
            await opened.close()


class Visit:
    """A page, what it complained of on the console, and where it sent requests."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        page.set_default_timeout(WAIT_MS_MAX)
        page.on("console", lambda one: self.complaints.append(one.text) if one.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))


@contextlib.asynccontextmanager
async def new_visit(
    browser: Browser, *, width: int = 1280, height: int = 900, dark: bool = False
) -> AsyncIterator[Visit]:
    """A new visitor, who has not gone anywhere yet."""
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    try:
        yield Visit(await context.new_page())
    finally:
        await context.unroute_all(behavior="ignoreErrors")
        await context.close()


@contextlib.asynccontextmanager
async def visiting(
    browser: Browser, base: str, path: str = "/", *, state: str = "live", **options: Any
) -> AsyncIterator[Visit]:
    """A new visitor, who sees the page once it says that it is live, or in another state."""
    async with new_visit(browser, **options) as visit:
        await visit.page.goto(base + path)
        await is_live(visit.page, state)
        await is_drawn(visit.page)
        yield visit


async def is_live(page: Page, state: str = "live") -> None:
    await page.wait_for_selector(f"#live[data-state={state}]")


async def is_drawn(page: Page) -> None:
    """Nothing that can be seen is still being read."""
    await page.wait_for_function(
        "() => ![...document.querySelectorAll('[aria-busy]')].some((one) => one.checkVisibility())"
    )


async def text_of(page: Page, selector: str) -> str:
    return " ".join((await page.locator(selector).first.inner_text()).split())


async def violations(page: Page) -> list[str]:
    """What axe-core calls serious or critical. The debugger puts it in: the page's own policy lets no script in."""
    await page.evaluate(AXE_SCRIPT)
    found: dict[str, Any] = await page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:120]} {node.get('failureSummary', '')}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


async def shows_total(page: Page, customers: int) -> None:
    """The map counts so many customers."""
    await page.wait_for_function(
        "(expected) => document.querySelector('#totals dd')?.textContent === expected", arg=grouped(customers)
    )


def answer(base: str, path: str, **parameters: str) -> Any:
    """What the API says."""
    found = httpx.get(f"{base}{path}", params=parameters, timeout=30)
    found.raise_for_status()
    return found.json()


def grouped(number: int) -> str:
    return f"{number:,}"
