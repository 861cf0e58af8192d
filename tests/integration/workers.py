"""Worker processes for tests: started as anybody would start them, and made to suffer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError

from journey_stream.worker.config import Settings
from journey_stream.worker.config_file import load_settings

STOP_SECONDS_MAX = 40.0


def write_config(directory: Path, bootstrap: str, prefix: str, **values: Any) -> Path:
    """A journey.yaml whose names nobody else uses."""
    path = directory / "journey.yaml"
    configured = {
        "bootstrap_servers": bootstrap,
        "application_id": f"{prefix}app",
        "topic_prefix": prefix,
        "sources": [f"{prefix}touchpoints.{channel}" for channel in ("web", "email", "store", "crm")],
        "partitions": 4,
        "metrics_port": 0,
        **values,
    }
    path.write_text(json.dumps(configured, indent=2))  # JSON is YAML
    return path


def change_config(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def read_config(path: Path) -> Settings:
    return load_settings(path, environ={})


async def create(bootstrap: str, topics: Sequence[NewTopic], seconds_max: float = 30.0) -> None:
    """Create topics; a broker that has just started refuses for a moment."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        deadline, wanted, errors = until(seconds_max), list(topics), [(topics[0].name, -1, "")]
        while errors:
            assert time.monotonic() < deadline, errors
            answer = await admin.create_topics(wanted)
            errors = [error for error in answer.topic_errors if error[1] not in {0, TopicAlreadyExistsError.errno}]
            wanted = [topic for topic in wanted if topic.name in {name for name, _, _ in errors}]
    finally:
        await admin.close()


class Worker:
    """One worker process; its log is `<directory>/<name>.log`."""

    def __init__(
        self,
        config: Path,
        name: str,
        role: str = "all",
        *,
        slow_restore: bool = False,
        debug: bool = False,
        module: Sequence[str] = (),
        command: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`module` is one of tests.integration to run in place of the worker, with what follows its CONFIG.

        `command` is a module and its arguments, to run in place of all that.
        """
        self.log = config.with_name(f"{name}.log")
        command = list(command) or ["journey_stream.cli.main", "worker", "--config", str(config), "--role", role]
        if debug:
            command.insert(1, "--debug")
        if slow_restore:
            command = ["tests.integration.slow_worker", str(config), role]
        if module:
            command = [module[0], str(config), *module[1:]]
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("JOURNEY_")}
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**inherited, **(environ or {})},
                cwd=Path(__file__).parents[2],
            )

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def wait_started(self, seconds_max: float = 30.0) -> None:
        """Return when it handles signals; before that, SIGTERM ends any process at once."""
        deadline = until(seconds_max)
        while "started" not in self.log.read_text(errors="replace"):
            assert self.running, self.tail()
            assert time.monotonic() < deadline, f"no start within {seconds_max:.0f} s:\n{self.tail()}"
            time.sleep(0.1)

    def terminate(self) -> int:
        """SIGTERM once it handles it, and the exit code."""
        self.wait_started()
        self._process.terminate()
        return self.wait()

    def wait(self, seconds_max: float = STOP_SECONDS_MAX) -> int:
        try:
            return self._process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the worker did not end within {seconds_max:.0f} s:\n{self.tail()}") from None

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.running:
            self.thaw()
            self.kill()


def until(deadline_seconds: float) -> float:
    """The end of a wait on the monotonic clock."""
    return time.monotonic() + deadline_seconds
