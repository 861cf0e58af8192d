"""Which links of identifiers the router has written already, so that it need not write them again."""

from collections import OrderedDict
from typing import Final

from journey_stream.engine.limits import Limits
from journey_stream.events.times import HOUR_MS

REMEMBERED_MAX: Final = 100_000
"""About 40 MB when full."""


class WrittenLinks:
    """The links written last. A task keeps an observation by its hour: a second one within the hour says nothing new.

    Only what a task has surely accepted is remembered: what reached the log within the lateness bound of happening, and
    not from the future. It is for one life of a router: after a failed write nobody knows what the log has.
    """

    def __init__(self, limits: Limits) -> None:
        self._lateness_ms = limits.lateness_ms
        self._skew_ms = limits.skew_ms
        self._written: OrderedDict[tuple[str, str, int], None] = OrderedDict()

    def is_new(self, child: str, parent: str, at: int, arrived_at: int) -> bool:
        """Whether the link has to be written; if so, it counts as written from now on. Instants in ms."""
        key = child, parent, at // HOUR_MS
        written = self._written
        if key in written:
            written.move_to_end(key)
            return False
        if arrived_at - at <= self._lateness_ms and at - arrived_at <= self._skew_ms:
            written[key] = None
            if len(written) > REMEMBERED_MAX:
                written.popitem(last=False)
        return True
