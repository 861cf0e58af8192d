"""Keeps the replay close to the worker, and knows from the worker's metrics how far it has come."""

import asyncio
import time
import urllib.request
from collections.abc import Callable
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from journey_stream.demo.meter import Meter
from journey_stream.worker.config import Settings

READ_SECONDS = 0.1
ANSWER_SECONDS_MAX = 5.0
AHEAD_RECORDS_MAX = 4_000
"""How many touchpoints may be under way: enough to keep the worker busy, few enough to show what is, not what was."""


class Handled(NamedTuple):
    """What the worker has committed: touchpoints, those of them that it refused at the door, and ends of history."""

    touchpoints: int = 0
    refused: int = 0
    ends: int = 0


class Pace:
    """Readings of the worker's metrics, and what follows from them. `sent` counts what went to the sources."""

    def __init__(self, settings: Settings) -> None:
        self.touchpoints = Meter()
        self.handled = Handled()
        self.sent = 0
        self._settings = settings
        self._news = asyncio.Event()
        self._began: float | None = None
        self._ended = 0.0

    @property
    def seconds(self) -> float:
        """From the first touchpoint that was handled to the last."""
        return self._ended - self._began if self._began is not None else 0.0

    async def watch(self) -> None:
        """Reads for ever; a worker that does not answer yet, or that is busy, has handled nothing more."""
        url = f"http://{self._settings.metrics_host}:{self._settings.metrics_port}/metrics"
        while True:
            try:
                text = await asyncio.to_thread(_get, url)
            except OSError:
                text = ""
            self.read(time.monotonic(), handled_in(text, self._settings.topics.log) if text else self.handled)
            await asyncio.sleep(READ_SECONDS)

    def read(self, now: float, handled: Handled) -> None:
        """Take one reading at `now` (seconds of a clock that only runs forward)."""
        if handled.touchpoints > self.handled.touchpoints:
            self._began = self._began if self._began is not None else now
            self._ended = now
        self.handled = handled
        self.touchpoints.read(now, self.sent, handled.touchpoints + handled.refused)
        self._news.set()
        self._news = asyncio.Event()

    async def hold(self, sent: int) -> None:
        """Waits while too much is under way."""
        self.sent = sent
        await self._until(lambda: sent - self.handled.touchpoints - self.handled.refused <= AHEAD_RECORDS_MAX)

    async def through(self) -> None:
        """Waits until every task has come to the end of history."""
        await self._until(lambda: self.handled.ends >= self._settings.partitions)

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true():
            await self._news.wait()


def handled_in(text: str, log: str) -> Handled:
    """What a worker's metrics, in Prometheus' text format, say about the log topic named `log`."""
    found = {"touchpoint": 0, "as_of": 0}
    refused = 0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "journey_records_in_total" and sample.labels["topic"] == log:
                found[sample.labels["kind"]] = int(sample.value)
            elif sample.name == "journey_dead_letters_total" and sample.labels["stage"] == "router":
                refused += int(sample.value)
    return Handled(found["touchpoint"], refused, found["as_of"])


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=ANSWER_SECONDS_MAX) as answer:  # noqa: S310 - our own child's endpoint
        text: str = answer.read().decode()
        return text
