"""A directory in which somebody follows the pages: a shell runs the commands, and what runs on is waited for.

Commands run as they stand on the page, but for `stand_ins`: what is on the pages, and what there is here in its place.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.support.kafka import free_port
from tests.support.kafka_commands import write_kafka_commands
from tests.support.pages import ROOT
from tests.support.waiting import until

COMMAND_SECONDS_MAX = 120.0
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 60.0

FROM_THE_REPOSITORY = ("deploy", "journey.example.yaml")
"""What commands read that stand beside the pages; they write nothing there."""

RUNS_ON = re.compile(r"journey-stream (worker|serve)\b|faust ")
"""What does not end by itself."""


class Shop:
    """`stand_ins` may be added to at any time; `environ` is over that of the test."""

    def __init__(self, directory: Path, bootstrap: str, environ: Mapping[str, str]) -> None:
        self.directory = directory
        self.stand_ins = {"BROKER:9092": bootstrap}
        self._running: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}
        programs = directory / ".bin"
        programs.mkdir()
        write_kafka_commands(programs)
        # An answer that says no is a failure.
        (directory / ".curlrc").write_text("fail\n")
        for name in FROM_THE_REPOSITORY:
            (directory / name).symlink_to(ROOT / name)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("JOURNEY_")}
        self._environ = inherited | {
            "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "CURL_HOME": str(directory),
            "JOURNEY_BOOTSTRAP_SERVERS": bootstrap,
            **environ,
        }

    def run(self, command: str, *, expected: int = 0) -> str | None:
        """What went wrong with a command, or with what it shows; None if it ends as expected."""
        try:
            done = subprocess.run(
                _shell(self._standing_in(command)),
                cwd=self.directory,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=COMMAND_SECONDS_MAX,
            )
        except subprocess.TimeoutExpired as error:
            return str(error)
        if expected == done.returncode:
            return None
        return f"ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"

    def start(self, command: str) -> int:
        """Start what runs on, and return the port on which it answers, once it is ready. Fails with its log."""
        port = free_port()
        log = self.directory / f".{port}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                _shell(f"exec {self._standing_in(command)}"),
                cwd=self.directory,
                env={**self._environ, "JOURNEY_METRICS_PORT": str(port), "JOURNEY_SERVE_PORT": str(port)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self._running[command] = process, log

        def is_ready() -> bool:
            assert process.poll() is None, f"it ended with {process.poll()}\n{log.read_text()[-4000:]}"
            if command.startswith("faust"):
                return "Ready" in log.read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                    return True
            except OSError:
                return False

        try:
            until(is_ready, START_SECONDS_MAX)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{log.read_text()[-4000:]}") from None
        return port

    def running(self) -> list[str]:
        """The commands that run on, the first one first."""
        return list(self._running)

    def stop(self, command: str) -> str | None:
        """Ask one that runs on to end; what went wrong."""
        process, log = self._running.pop(command)
        process.terminate()
        try:
            code = process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        return None if code == 0 else f"ended with {code} when it was asked to end\n{log.read_text()[-4000:]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process, _log in self._running.values():
            process.kill()
            process.wait()

    def _standing_in(self, command: str) -> str:
        for written, here in self.stand_ins.items():
            command = command.replace(written, here)
        return command


def _shell(command: str) -> list[str]:
    return ["bash", "-euo", "pipefail", "-c", command]
