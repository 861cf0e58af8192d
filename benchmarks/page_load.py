"""How long the page of the journey map takes to load with a million customers behind it.

    python -m benchmarks.page_load [--customers 1000000 --changes 10 --touchpoints 3 --repeats 11] [--title ...]

The rows are those of `benchmarks.map_queries`, the service is the real one, without a broker. Each load is that of a
new visitor, with an empty cache, in the system's Chromium on the same machine. Two instants count from the start of the
navigation: when all that can be seen without scrolling is there, totals and map, and when nothing on the page is still
being read. What is asked for once at a version is kept: before each load with *nothing kept* the service starts anew.
"""

import argparse
import contextlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import httpx
import uvicorn
from playwright.sync_api import Browser, sync_playwright

from benchmarks import report
from benchmarks.map_queries import add_rows, fill, rows_of
from journey_stream.journey.load import preset
from journey_stream.serve.api.app import create_app
from journey_stream.serve.run import listening
from journey_stream.serve.store.duckdb_store import DuckDBStore
from journey_stream.serve.store.meta import Origin
from tests.support.map_page import FLAGS, system_browser
from tests.support.waiting import until

READY_SECONDS_MAX = 300.0
WAIT_MS_MAX = 60_000

MAP_IS_THERE = "() => document.querySelector('#stations .station') !== null && performance.now()"
ALL_IS_THERE = """() => document.querySelector('#stations .station') !== null
  && ![...document.querySelectorAll('[aria-busy]')].some((one) => one.checkVisibility()) && performance.now()"""


@contextlib.contextmanager
def served(store: DuckDBStore) -> Iterator[str]:
    """The address of a service over this store that has read it."""
    with listening("127.0.0.1", 0) as listener:
        app = create_app(store, preset("six-stages"))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=2))
        running = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        running.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            # It listens already, so that a question waits until the service takes it.
            until(lambda: httpx.get(f"{url}/readyz").is_success, READY_SECONDS_MAX)
            yield url
        finally:
            app.state.live.end_streams()
            server.should_exit = True
            running.join()


def load(browser: Browser, url: str) -> tuple[float, float]:
    """Milliseconds until the map is there, and until all is."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        page = context.new_page()
        page.set_default_timeout(WAIT_MS_MAX)
        page.goto(url, wait_until="commit")
        seen = page.wait_for_function(MAP_IS_THERE, polling="raf").json_value()
        whole = page.wait_for_function(ALL_IS_THERE, polling="raf").json_value()
        return float(seen), float(whole)
    finally:
        context.close()


def main() -> None:
    options = _options()
    path = system_browser()
    with tempfile.TemporaryDirectory(prefix="journey-stream-page-", dir=options.directory) as scratch:
        store = DuckDBStore(Path(scratch) / "journey.duckdb", Origin("page-load", "journey."))
        connection = store.connect()
        fill(connection, options.customers, options.changes, options.touchpoints)
        connection.execute("UPDATE meta SET value = '1' WHERE key = 'version'")
        print("filled", flush=True)
        rows = []
        with sync_playwright() as playwright, contextlib.closing(store):
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            first = []
            for _ in range(options.starts):
                with served(store) as url:
                    first.append(load(browser, url))
                    later = [load(browser, url) for _ in range(options.repeats)]
            browser.close()
        for name, found in (("nothing kept", first), ("kept answers", later)):
            for what, place in (("the map is there", 0), ("all is there", 1)):
                times = [one[place] for one in found]
                rows.append((name, what, str(len(times)), f"{median(times):,.0f}", f"{max(times):,.0f}"))
    body = (
        f"{rows_of(options)}; browser and service share the machine.\n\n"
        f"{report.table(('service', 'until', 'loads', 'median ms', 'max ms'), rows)}"
    )
    report.publish(options.title, body)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page_load")
    add_rows(parser)
    parser.add_argument("--starts", type=int, default=3, help="of the service, with nothing kept")
    parser.add_argument("--repeats", type=int, default=11, help="loads after the first of the last start")
    parser.add_argument("--title", help="adds the result to RESULTS.md under this title")
    return parser.parse_args()


if __name__ == "__main__":
    main()
