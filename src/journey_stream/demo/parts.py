"""The parts of a real system of this installation as child processes, configured by a file as anybody's would be."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from journey_stream.demo.broker import DemoError, free_port, last_words, spawn, stop_process
from journey_stream.worker.config import Settings
from journey_stream.worker.config_file import load_settings

PARTITIONS = 4
STOP_SECONDS_MAX = 20.0


class Configured(NamedTuple):
    """A configuration file, and what it says."""

    path: Path
    settings: Settings


def configure(directory: Path, bootstrap: str) -> Configured:
    """Write the configuration of the demo into `directory`. The map gets its usual port if that is free."""
    configured = {
        "bootstrap_servers": bootstrap,
        "application_id": "journey-demo",
        "partitions": PARTITIONS,
        # The year is long over: its own records tell the time, not the clock of today.
        "ticks": False,
        "metrics_port": free_port(),
        "serve_port": free_port(Settings().serve_port),
        "serve_database": str(directory / "map.duckdb"),
    }
    path = directory / "journey.yaml"
    path.write_text(json.dumps(configured, indent=2), encoding="utf-8")  # JSON is YAML
    return Configured(path, load_settings(path, environ={}))


class Part:
    """`async with Part("worker", config) as worker:` that command runs until the block ends.

    Its output is beside the configuration.
    """

    def __init__(self, command: str, config: Path) -> None:
        self._command = command
        self._config = config
        self._log = config.parent / f"{command}.log"
        self._process: subprocess.Popen[bytes] | None = None

    async def __aenter__(self) -> Self:
        command = [sys.executable, "-m", "journey_stream.cli.main", self._command, "--config", str(self._config)]
        # The demo's parts are the file's alone: variables meant for production must not reach them.
        env = {name: value for name, value in os.environ.items() if not name.startswith("JOURNEY_")}
        self._process = spawn(command, self._log, env)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            await asyncio.to_thread(stop_process, self._process, STOP_SECONDS_MAX)

    async def ended(self) -> None:
        """Waits for as long as the part runs. Raises DemoError when it has ended."""
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)
        raise DemoError(f"the demo's {self._command} ended; it said:\n{last_words(self._log)}")
