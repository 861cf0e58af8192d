"""How long it took until work went on after a fault; one table of it ends the run."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from typing import NamedTuple, NoReturn, Self

from aiokafka import AIOKafkaConsumer

from journey_stream.worker.config import Settings
from tests.support.programs import not_here


class Recovery(NamedTuple):
    """Seconds from the end of a fault to the next committed output, and to no lag at all; None is not measured."""

    fault: str
    first_output_seconds: float | None
    no_lag_seconds: float | None
    note: str = ""


RECOVERIES: list[Recovery] = []


def not_run(fault: str, why: str) -> NoReturn:
    """End a test that this machine cannot run. The table says so; under CI=true it fails, or nobody would look."""
    RECOVERIES.append(Recovery(fault, None, None, f"not run: {why}"))
    not_here(f"{fault} was not tested: {why}")


def table() -> list[str]:
    """RECOVERIES as lines of text."""
    rows = [("fault", "first output, s", "lag 0, s", "")]
    rows += [(one.fault, _shown(one.first_output_seconds), _shown(one.no_lag_seconds), one.note) for one in RECOVERIES]
    width = max(len(row[0]) for row in rows)
    return [f"{fault:{width}}  {first:>15}  {lag:>8}  {note}".rstrip() for fault, first, lag, note in rows]


def _shown(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f}"


class Watch:
    """A subscriber of journey.profiles that notes when committed messages of which partition reach it."""

    def __init__(self, settings: Settings) -> None:
        self.seen: dict[int, list[float]] = defaultdict(list)
        """Instants on the monotonic clock, per partition."""
        self._consumer = AIOKafkaConsumer(
            settings.topics.profiles,
            bootstrap_servers=settings.bootstrap_servers[0],
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            retry_backoff_ms=20,
        )
        self._came = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def first_after(self, instant: float, seconds_max: float = 90.0) -> float:
        """Seconds from an instant on the monotonic clock to the next message."""
        async with asyncio.timeout(seconds_max):
            while not (found := [at for seen in self.seen.values() for at in seen[-1:] if at > instant]):
                self._came.clear()
                await self._came.wait()
        return min([at for seen in self.seen.values() for at in seen if at > instant], default=found[0]) - instant

    async def until_all_speak(self, partitions: int, seconds_max: float = 40.0) -> None:
        """Return when so many partitions have had a message since this was called."""
        since = time.monotonic()
        async with asyncio.timeout(seconds_max):
            while sum(1 for seen in self.seen.values() if seen[-1] > since) < partitions:
                self._came.clear()
                await self._came.wait()

    def pauses(self, start: float, end: float) -> list[float]:
        """The longest time without a message of each partition between two instants, in seconds, sorted."""
        longest = []
        for seen in self.seen.values():
            instants = [start, *[at for at in seen if start < at < end], end]
            longest.append(max(after - before for before, after in itertools.pairwise(instants)))
        return sorted(longest)

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._consumer.stop()

    async def _read(self) -> None:
        while True:
            found = await self._consumer.getmany(timeout_ms=200)
            now = time.monotonic()
            for place, records in found.items():
                self.seen[place.partition] += [now] * len(records)
            if found:
                self._came.set()
