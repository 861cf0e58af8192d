"""Prometheus and its promtool for tests: Debian's package `prometheus` brings both."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.support import programs
from tests.support.kafka import free_port

START_SECONDS_MAX = 30.0


def find(program: str) -> str:
    """The path of `prometheus` or `promtool`."""
    return programs.find(program, "Debian and Ubuntu have it in the package prometheus")


def promtool(*arguments: str | Path, text: str | None = None) -> tuple[int, str]:
    """Run it: the exit code and all that it says."""
    command = [find("promtool"), *map(str, arguments)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


class Prometheus:
    """A server on a free port of 127.0.0.1 that scrapes `target` every second under the job of the shipped files."""

    def __init__(self, directory: Path, target: str, rules: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._directory = directory
        configured = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": [{"job_name": "journey-stream", "static_configs": [{"targets": [target]}]}],
        }
        directory.mkdir(parents=True)
        (directory / "prometheus.yml").write_text(json.dumps(configured))

    def __enter__(self) -> Self:
        with (self._directory / "prometheus.log").open("wb") as out:
            self._process = subprocess.Popen(
                [
                    find("prometheus"),
                    f"--config.file={self._directory / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._directory / 'data'}",
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                ],
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._is_ready():
            assert self._process.poll() is None, self.tail()
            assert time.monotonic() < deadline, self.tail()
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression has now; fails with Prometheus' own words if it is not one."""
        found: list[dict[str, Any]] = self._get("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))[
            "result"
        ]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """All rules with their health and state."""
        return [rule for group in self._get("/api/v1/rules")["groups"] for rule in group["rules"]]

    def tail(self) -> str:
        return "\n".join((self._directory / "prometheus.log").read_text(errors="replace").splitlines()[-20:])

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _get(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=20) as answer:
                found: dict[str, Any] = json.load(answer)["data"]
                return found
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path}: {error.read().decode()}") from error
