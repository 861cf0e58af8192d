"""Keeps the replay close to the worker, and knows how far both have come."""

import asyncio
import time

from journey_stream.demo.meter import Meter
from journey_stream.worker.positions import Positions, Reading

READ_SECONDS = 0.1
AHEAD_RECORDS_MAX = 4_000
"""How many touchpoints may be under way. Ten days of the year: far less than the lateness bound, so that no part of
the system sees another part's time run away."""


class Pace:
    """Readings of the system's positions, and what follows from them."""

    def __init__(self) -> None:
        self.touchpoints = Meter()
        self.latest = Reading(0, 0, 0, 0)
        self._news = asyncio.Event()
        self._began: float | None = None
        self._ended = 0.0

    @property
    def seconds(self) -> float:
        """From the first touchpoint that was applied to the last."""
        return self._ended - self._began if self._began is not None else 0.0

    async def watch(self, positions: Positions) -> None:
        """Reads for ever."""
        while True:
            before, self.latest = self.latest, await positions.read()
            handled = max(0, self.latest.sent - self.latest.waiting)
            now = time.monotonic()
            self.touchpoints.read(now, self.latest.sent, handled)
            if self.latest.applied > before.applied:
                self._began = self._began if self._began is not None else now
                self._ended = now
            self._news.set()
            self._news = asyncio.Event()
            await asyncio.sleep(READ_SECONDS)

    async def hold(self, sent: int) -> None:
        """Waits while too much of what was sent is under way."""
        while sent - self.latest.sent + self.latest.waiting > AHEAD_RECORDS_MAX:
            await self._news.wait()

    async def through(self) -> None:
        """Waits until two readings in a row find nothing that waits."""
        for _ in range(2):
            await self._news.wait()
            while self.latest.waiting:
                await self._news.wait()
