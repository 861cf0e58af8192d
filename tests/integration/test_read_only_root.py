"""Worker and live map write nothing but what they are said to: the root may be read-only, the user without rights."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from journey_stream.worker.config import Settings
from journey_stream.worker.topics import create_topics
from tests.integration.confined import confined
from tests.integration.journeys import MODEL
from tests.integration.running import read, send
from tests.integration.test_worker import touchpoint
from tests.integration.workers import read_config, write_config
from tests.support.kafka import Broker, free_port

ROOT = Path(__file__).parents[2]
HEALTHCHECK = ROOT / "deploy" / "image" / "healthcheck.py"
START_SECONDS_MAX = 40.0


@pytest.fixture
async def settings(broker: Broker, prefix: str, tmp_path: Path) -> Settings:
    (tmp_path / "model.yaml").write_text(MODEL)
    config = write_config(
        tmp_path,
        broker.bootstrap,
        prefix,
        partitions=2,
        session_timeout="6s",
        model=str(tmp_path / "model.yaml"),
        metrics_port=free_port(),
        serve_port=free_port(),
    )
    found = read_config(config)
    await create_topics(found)
    return found


class Confined:
    """`journey-stream ARGUMENTS` on a root that cannot be written, in a working directory that can."""

    def __init__(self, home: Path, name: str, arguments: Sequence[str]) -> None:
        self.data, self.temporary = home / f"{name}-data", home / f"{name}-tmp"
        self.data.mkdir()
        self.temporary.mkdir()
        self._log = home / f"{name}.log"
        command = [sys.executable, "-m", "journey_stream.cli.main", *arguments]
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "src"),
            "JOURNEY_CONFIG": str(home / "journey.yaml"),
            "HOME": "/nonexistent",
            "TMPDIR": str(self.temporary),
        }
        with self._log.open("wb") as out:
            self.process = subprocess.Popen(
                confined(command, self.data, self.temporary), cwd=self.data, env=environ, stdout=out, stderr=out
            )

    def until_healthy(self, **ports: int) -> None:
        """Return when the image's health check is content."""
        environ = {f"JOURNEY_{name.upper()}_PORT": str(port) for name, port in ports.items()}
        deadline = time.monotonic() + START_SECONDS_MAX
        while subprocess.run([sys.executable, HEALTHCHECK], env=environ, capture_output=True, check=False).returncode:
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.2)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def written(self) -> set[str]:
        return {file.name for place in (self.data, self.temporary) for file in place.rglob("*")}


@contextlib.contextmanager
def running(home: Path, name: str, *arguments: str) -> Iterator[Confined]:
    one = Confined(home, name, arguments)
    try:
        yield one
        one.process.terminate()
        assert one.process.wait(40) == 0, one.log
    finally:
        one.process.kill()
        one.process.wait()


@pytest.mark.parametrize("place", ["/", "/tmp", "/var/tmp", str(ROOT)])
def test_who_is_confined_can_write_nowhere_else(place: str, tmp_path: Path) -> None:
    target = f"{place}/written-by-a-test-of-confinement"
    command = ["sh", "-c", f"echo yes >mine && echo no >{target}"]

    done = subprocess.run(confined(command, tmp_path), cwd=tmp_path, capture_output=True, text=True, check=False)

    assert "yes\n" == (tmp_path / "mine").read_text()
    assert done.returncode != 0
    assert "Read-only file system" in done.stderr


async def test_a_worker_writes_no_file_and_the_map_its_database_alone(settings: Settings, tmp_path: Path) -> None:
    nothing = free_port()
    with running(tmp_path, "worker", "worker") as worker, running(tmp_path, "map", "serve") as journey_map:
        worker.until_healthy(metrics=settings.metrics_port, serve=nothing)
        journey_map.until_healthy(metrics=nothing, serve=settings.serve_port)

        await send(settings, [touchpoint(settings, "e1", "add_to_cart")])
        (change,) = await read(settings, settings.topics.stage_changes, 1)

        assert "decision" == json.loads(change.value)["to_stage"]
        until_on_the_map(f"http://127.0.0.1:{settings.serve_port}/api/customers/c1", journey_map)
    assert set() == worker.written
    assert {"journey.duckdb"} == journey_map.written


def until_on_the_map(url: str, journey_map: Confined) -> None:
    """Return when the map knows a customer: then it has written its database."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
            if json.load(answer)["changes"]:
                return
        time.sleep(0.1)
    raise AssertionError(journey_map.log)
