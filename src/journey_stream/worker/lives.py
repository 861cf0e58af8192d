"""Lives: what goes wrong ends a life, and after a pause the next one begins."""

import asyncio
import time
from collections.abc import Callable, Coroutine

RETRY_SECONDS_MIN = 0.2
RETRY_SECONDS_MAX = 10.0
LONG_LIFE_SECONDS = 30.0


class Pauses:
    """How long to wait before each next life: ever longer, until one has lasted."""

    def __init__(self) -> None:
        self._pause = RETRY_SECONDS_MIN
        self._born = time.monotonic()

    def born(self) -> None:
        """A life begins."""
        self._born = time.monotonic()

    def died(self) -> float:
        """It has ended: the seconds to wait."""
        long_life = time.monotonic() - self._born > LONG_LIFE_SECONDS
        self._pause = RETRY_SECONDS_MIN if long_life else min(self._pause * 2, RETRY_SECONDS_MAX)
        return self._pause


async def live_until(
    stopping: asyncio.Event,
    live: Callable[[], Coroutine[None, None, None]],
    *,
    worth_finishing: Callable[[], bool],
    seconds_max: float,
) -> None:
    """Run `live` to its end. Once `stopping` is set it gets `seconds_max` to end by itself, if that is
    `worth_finishing`; then it is cancelled. Raises what it raised.
    """
    living = asyncio.create_task(live())
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({living, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not living.done() and worth_finishing():
            await asyncio.wait({living}, timeout=seconds_max)
    finally:
        stopped.cancel()
        if not living.done():
            living.cancel()
            await asyncio.wait({living})
    if not living.cancelled():
        living.result()


async def settle(task: asyncio.Task[None]) -> None:
    """End a task whose outcome no longer matters, because what is being raised already says enough."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()  # seen, so that the event loop does not report it
