"""How often one caller may ask: a bucket of tokens for each."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

CALLERS_MAX: Final = 10_000
"""Buckets that are kept; above it, those that were used longest ago go, and are full if their callers come back."""


class Rate:
    """`per_second` requests in the long run, and `burst` at once; 0 per second for no limit."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_seconds(self, caller: str) -> int:
        """0, and a request counted, if the caller may ask now; else after how many whole seconds it may."""
        if not self._per_second:
            return 0
        now = self._clock()
        left, at = self._buckets.pop(caller, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_second)
        may = left >= 1
        self._buckets[caller] = left - may, now
        if len(self._buckets) > CALLERS_MAX:
            self._buckets.popitem(last=False)
        return 0 if may else max(1, math.ceil((1 - left) / self._per_second))
