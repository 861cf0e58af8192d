"""Ticks: time as a record of the log, for when nothing else happens."""

import time

from journey_stream.worker.batch import Processor

POLL_MS = 200
"""How long an idle task waits for records before it looks at the timers and whether to stop."""

POLL_MS_MIN = 10
TICK_SECONDS_MIN = 0.1


def now_ms() -> int:
    """The time of day, in ms since the epoch."""
    return time.time_ns() // 1_000_000


class Ticking:
    """When to append a tick: a timer is due, the log is quiet, and the last tick has come back."""

    def __init__(self, on: bool) -> None:
        self._on = on
        self._awaited = -1
        self._sent_at = 0.0

    def due(self, processor: Processor) -> bool:
        if not self._on or processor.next_offset <= self._awaited:
            return False
        timer = processor.engine.next_timer()
        return timer is not None and timer <= now_ms() and time.monotonic() - self._sent_at >= TICK_SECONDS_MIN

    def sent(self, offset: int) -> None:
        self._awaited = offset
        self._sent_at = time.monotonic()

    def poll_ms(self, processor: Processor) -> int:
        timer = processor.engine.next_timer() if self._on else None
        return POLL_MS if timer is None else min(POLL_MS, max(POLL_MS_MIN, timer - now_ms()))
