"""Rates and delays from counters that are read now and then."""

from bisect import bisect_left
from collections import deque

RATE_WINDOW_SECONDS = 3.0


class Meter:
    """Counts of something sent and handled, by the reader's own clock (seconds)."""

    def __init__(self) -> None:
        self._sent: deque[tuple[float, int]] = deque([(0.0, 0)])
        self._handled: deque[tuple[float, int]] = deque()

    def read(self, now: float, sent: int, handled: int) -> None:
        """Take one reading; both counts only grow."""
        self._sent.append((now, sent))
        self._handled.append((now, handled))
        while len(self._handled) > 2 and now - self._handled[1][0] > RATE_WINDOW_SECONDS:
            self._handled.popleft()
        while len(self._sent) > 2 and self._sent[1][1] <= handled:
            self._sent.popleft()

    @property
    def handled(self) -> int:
        return self._handled[-1][1] if self._handled else 0

    @property
    def behind(self) -> int:
        """Sent and not yet handled."""
        return max(0, self._sent[-1][1] - self.handled)

    @property
    def per_second(self) -> float:
        """Handled per second over the last few seconds."""
        if len(self._handled) < 2:
            return 0.0
        (began, first), (ended, last) = self._handled[0], self._handled[-1]
        return (last - first) / max(ended - began, 1e-6)

    @property
    def seconds_behind(self) -> float:
        """How long ago that was sent which is to be handled next; 0 when nothing waits. As fine as the readings."""
        if self.behind == 0:
            return 0.0
        counts = [sent for _, sent in self._sent]
        waiting = min(bisect_left(counts, self.handled + 1), len(counts) - 1)
        return self._sent[-1][0] - self._sent[waiting][0]
