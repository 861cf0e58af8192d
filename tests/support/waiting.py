"""Waiting on a condition, with a deadline."""

import time
from collections.abc import Callable

PAUSE_SECONDS = 0.03
"""A service that is asked lets one address ask it fifty times a second."""


def until(condition: Callable[[], bool], seconds_max: float = 20.0) -> None:
    """Return once the condition holds; fail if it does not in this time."""
    deadline = time.monotonic() + seconds_max
    while not condition():
        assert time.monotonic() < deadline, f"it did not come about in {seconds_max:.0f} s"
        time.sleep(PAUSE_SECONDS)
