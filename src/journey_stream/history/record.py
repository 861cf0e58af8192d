"""What history is made of: touchpoints as bytes, with the instant that orders them and the place they came from."""

from collections.abc import Callable
from typing import NamedTuple


class HistoryRecord(NamedTuple):
    """One touchpoint of the past.

    `occurred_at` is in ms since the epoch; a record that cannot be read borrows it from the record before it, so that
    it keeps its place. `value` is what a source topic would carry. `position` counts lines or rows of `origin` from 1.
    """

    occurred_at: int
    value: bytes
    origin: str
    position: int


class Problem(NamedTuple):
    """A record that will end as a dead letter: where it stands, which field is wrong and what was expected."""

    origin: str
    position: int
    reason: str
    detail: str

    def __str__(self) -> str:
        return f"{self.origin}:{self.position}: {self.reason}: {self.detail}"


ReportProblem = Callable[[Problem], None]


class HistoryError(Exception):
    """A file or a data set that cannot be read at all; the message says which one, why, and what to do."""
