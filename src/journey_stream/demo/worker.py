"""A real worker of this installation as a child process, configured by a file as anybody's would be."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from journey_stream.demo.broker import DemoError, free_port, last_words, spawn, stop_process
from journey_stream.worker.config import Settings
from journey_stream.worker.config_file import load_settings

PARTITIONS = 4
STOP_SECONDS_MAX = 20.0


class WorkerProcess:
    """`async with WorkerProcess(directory, bootstrap) as worker:` it runs until the block ends.

    `settings` may be used before the worker runs, to make the topics.
    """

    def __init__(self, directory: Path, bootstrap: str) -> None:
        self.config = directory / "journey.yaml"
        self._log = directory / "worker.log"
        self._process: subprocess.Popen[bytes] | None = None
        configured = {
            "bootstrap_servers": bootstrap,
            "application_id": "journey-demo",
            "partitions": PARTITIONS,
            # The year is long over: its own records tell the time, not the clock of today.
            "ticks": False,
            "metrics_port": free_port(),
        }
        self.config.write_text(json.dumps(configured, indent=2), encoding="utf-8")  # JSON is YAML
        self.settings: Settings = load_settings(self.config, environ={})

    async def __aenter__(self) -> Self:
        command = [sys.executable, "-m", "journey_stream.cli.main", "worker", "--config", str(self.config)]
        # The demo's worker is the file's alone: variables meant for a production worker must not reach it.
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
        """Waits for as long as the worker runs. Raises DemoError when it has ended."""
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)
        raise DemoError(f"the demo's worker ended; it said:\n{last_words(self._log)}")
