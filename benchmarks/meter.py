"""Processor time and memory of a group of processes, and bytes on the broker's disk."""

import contextlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import psutil

SAMPLE_SECONDS = 0.25


class Meter:
    """Watches processes and what they start. Resident memory is the sum over them, so shared pages count twice."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._roots = [psutil.Process(pid) for pid in pids]
        self.rss_bytes_max = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def cpu_seconds(self) -> float:
        """User and system time so far, of those still running and of their ended children."""
        total = 0.0
        for process in self._family():
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _family(self) -> list[psutil.Process]:
        found = list(self._roots)
        for process in self._roots:
            with contextlib.suppress(psutil.Error):
                found += process.children(recursive=True)
        return found

    def _sample(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            resident = 0
            for process in self._family():
                with contextlib.suppress(psutil.Error):
                    resident += process.memory_info().rss
            self.rss_bytes_max = max(self.rss_bytes_max, resident)


def broker_pid() -> int:
    """The Kafka that this process started."""
    for child in psutil.Process().children(recursive=True):
        if "kafka.Kafka" in child.cmdline():
            return child.pid
    raise LookupError("no Kafka among the child processes")


def log_bytes(data_dir: Path) -> dict[str, int]:
    """Bytes of log segments by topic."""
    found: dict[str, int] = {}
    for directory in (data_dir / "logs").iterdir():
        topic, _, partition = directory.name.rpartition("-")
        if partition.isdigit():
            size = sum(entry.stat().st_size for entry in os.scandir(directory) if entry.name.endswith(".log"))
            found[topic] = found.get(topic, 0) + size
    return found
