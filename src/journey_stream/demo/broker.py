"""A Kafka broker out of a Python package, for the demo only: nothing to install by hand, nothing left behind."""

import asyncio
import contextlib
import importlib.util
import os
import socket
import stat
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from journey_stream.worker.errors import WorkerError

START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 1.0
"""Saving its data takes it longer, and the data is about to be thrown away."""
_POLL_SECONDS = 0.05


class DemoError(WorkerError):
    """The demo cannot go on; the message says why and what to do."""


def free_port(wished: int = 0) -> int:
    """A TCP port of the loopback interface that nobody listens on: `wished`, if it is one."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wished))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class EmbeddedBroker:
    """`async with EmbeddedBroker(directory) as broker:` a broker listens on `broker.bootstrap` until the block ends.

    Data and the broker's own output are kept below `directory`. Raises DemoError when it does not start.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._log = directory / "broker.log"
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        command = [str(_executable()), "start", "--data-dir", str(self._directory / "broker"), "--only", "kafka"]
        command += ["--kafka-port", str(self._port)]
        self._process = spawn(command, self._log)
        try:
            await self._listening()
        except BaseException:
            await self._stop()
            raise
        _save_only_when_idle(self._process.pid)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()

    async def _listening(self) -> None:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                raise DemoError(f"the demo's broker ended at once; it said:\n{last_words(self._log)}")
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.close()
                return
            await asyncio.sleep(_POLL_SECONDS)
        raise DemoError(
            f"the demo's broker did not listen within {START_SECONDS_MAX:.0f} s; it said:\n{last_words(self._log)}"
        )

    async def _stop(self) -> None:
        if self._process is not None:
            await asyncio.to_thread(stop_process, self._process, STOP_SECONDS_MAX)
            self._process = None


def spawn(command: list[str], log: Path, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a process that writes to `log`.

    It gets a group of its own: Ctrl-C must reach the demo alone, which then stops the worker first, the broker last.
    """
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            process_group=0,
        )


def last_words(log: Path) -> str:
    """The end of what a process wrote."""
    return log.read_text(errors="replace")[-2000:].strip() or "nothing"


def stop_process(process: subprocess.Popen[bytes], seconds_max: float) -> None:
    """Ask the process to end, and end it when it has not after `seconds_max`."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(seconds_max)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _executable() -> Path:
    """The broker's own program: the package's Python wrapper would not hand a signal on to it."""
    spec = importlib.util.find_spec("noida_db")
    for directory in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(directory) / ("noida-db.exe" if os.name == "nt" else "noida-db")
        if path.is_file():
            if not os.access(path, os.X_OK):
                path.chmod(path.stat().st_mode | stat.S_IXUSR)
            return path
    raise DemoError("the demo's broker is not installed; install it with: pip install 'journey-stream[demo]'")


def _save_only_when_idle(pid: int) -> None:
    """Let the broker save its data only while nobody else needs the processor.

    It writes all that it holds anew each second, hundreds of megabytes at the end of the year, and the data is thrown
    away in the end. Where this is not possible (Linux alone lets one thread be told apart), the demo takes longer.
    """
    with contextlib.suppress(OSError, AttributeError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            if (thread / "comm").read_text() == "autosave\n":
                os.sched_setscheduler(int(thread.name), os.SCHED_IDLE, os.sched_param(0))
