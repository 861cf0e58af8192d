"""When a task commits: one transaction at a time, and how long a batch may grow before the next.

All that comes while a transaction is under way goes into the next: it costs the same for few records as for many, and
none of them could be committed any sooner. For the same reason transactions do not begin right after one another: a
single record is committed at once, a stream of them some thirty times a second. A task that catches up lets its batches
grow beyond that, for a share of how late the records are already, so that it also writes each profile less often.
"""

import asyncio
import time
from collections.abc import Coroutine

from journey_stream.worker.lives import settle

LINGER_SECONDS_MIN = 0.03
LINGER_SHARE = 0.1
LINGER_SECONDS_MAX = 1.0
LINGER_RECORDS_MIN = 200
"""Fewer records are not worth any more waiting, however late they are."""


class Commits:
    """The commits of one life of a task."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None
        self._began_at = 0.0

    @property
    def under_way(self) -> bool:
        return self._task is not None and not self._task.done()

    def may_grow(self, count: int, late_seconds: float) -> bool:
        """Whether a batch of `count` records, the last of which is so late, is not to be committed yet."""
        if self.under_way:
            return True
        linger_seconds = LINGER_SECONDS_MIN
        if count >= LINGER_RECORDS_MIN:
            linger_seconds = max(linger_seconds, min(LINGER_SECONDS_MAX, LINGER_SHARE * late_seconds))
        return time.monotonic() < self._began_at + linger_seconds

    def begin(self, commit: Coroutine[None, None, None]) -> None:
        """Start the next one; the one before has to be at its end."""
        self._task = asyncio.create_task(commit)
        self._began_at = time.monotonic()

    async def end(self) -> None:
        """Wait for the one that is under way; raises what it raises."""
        if self._task is not None:
            await self._task
            self._task = None

    async def settle(self) -> None:
        """Give up the one that is under way; its outcome no longer matters."""
        if self._task is not None:
            await settle(self._task)
