"""A history as arrays, and what it looked like at any instant: the data that fitting and judging work on."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from journey_stream.churn.summary import SPENT_MAX

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
NEVER = np.iinfo(np.int64).max


class Observation(NamedTuple):
    """One touchpoint of interest: the event itself or not, and the ids of the signals that it is. `at` in ms."""

    customer: str
    at: int
    is_event: bool
    value: float
    signals: tuple[str, ...]


class Times(NamedTuple):
    """Touchpoints sorted by customer and time: customers' indices and ms since the epoch."""

    customer: Ints
    at: Ints


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The customers who had bought before an instant; one row each. Times in the unit of the panel."""

    customer: Ints
    repeats: Floats
    t_x: Floats
    age: Floats
    spent: Floats
    signals: dict[str, Floats]
    """For each signal how long ago it was last seen; infinite if never."""

    def __len__(self) -> int:
        return len(self.customer)

    def in_silence(self, later: float) -> "Snapshot":
        """The same customers so much later, if nothing happens until then."""
        signals = {name: silence + later for name, silence in self.signals.items()}
        return replace(self, age=self.age + later, signals=signals)


class Panel:
    """All customers of a history with their events, in arrays of (events,) sorted by customer and time."""

    def __init__(self, observations: Iterable[Observation], *, unit_ms: int, occasion_ms: int) -> None:
        self.unit_ms = unit_ms
        ordered = sorted(observations, key=lambda one: (one.customer, one.at))
        names = list(dict.fromkeys(one.customer for one in ordered))
        index = {name: number for number, name in enumerate(names)}
        bought = [one for one in ordered if one.is_event]
        self.customers = len(names)
        self.events = _times([(index[one.customer], one.at) for one in bought])
        spent = np.array([min(max(one.value, 0.0), SPENT_MAX) for one in bought], dtype=np.float64)
        self._spent = np.concatenate(([0.0], np.cumsum(spent)))
        customer, at = self.events
        occasion = np.ones(len(at), dtype=np.int64)
        same = (customer[1:] == customer[:-1]) & (at[1:] // occasion_ms == at[:-1] // occasion_ms)
        occasion[1:][same] = 0
        self._occasions = np.concatenate(([0], np.cumsum(occasion)))
        self._start = np.searchsorted(customer, np.arange(self.customers + 1))
        self.signals = {
            signal: _times([(index[one.customer], one.at) for one in ordered if signal in one.signals])
            for signal in sorted({signal for one in ordered for signal in one.signals})
        }
        self.since = int(at.min()) if len(at) else 0
        self.last = max((one.at for one in ordered), default=0)

    def snapshot(self, at: int) -> Snapshot:
        """What was known at an instant (ms): everything that had happened before it."""
        end = self._end(self.events, at)
        start = self._start[:-1]
        who = np.flatnonzero(end > start)
        start, end = start[who], end[who]
        first, last = self.events.at[start], self.events.at[end - 1]
        return Snapshot(
            customer=who,
            repeats=(self._occasions[end] - self._occasions[start] - 1).astype(np.float64),
            t_x=(last - first) / self.unit_ms,
            age=(at - first) / self.unit_ms,
            spent=self._spent[end] - self._spent[start],
            signals={name: self._silence(times, at)[who] for name, times in self.signals.items()},
        )

    def stayed_away(self, snapshot: Snapshot, at: int, window_ms: int) -> npt.NDArray[np.bool_]:
        """Who of the snapshot at `at` had no event from `at` on for the length of the window."""
        end = self._end(self.events, at)[snapshot.customer]
        following = np.append(self.events.at, NEVER)[end]
        none_left = end >= self._start[1:][snapshot.customer]
        return none_left | (following >= at + window_ms)

    def _end(self, times: Times, at: int) -> Ints:
        """For each customer the position after their last touchpoint before `at`."""
        start = np.searchsorted(times.customer, np.arange(self.customers))
        earlier = np.bincount(times.customer[times.at < at], minlength=self.customers)
        return (start + earlier).astype(np.int64)

    def _silence(self, times: Times, at: int) -> Floats:
        end = self._end(times, at)
        start = np.searchsorted(times.customer, np.arange(self.customers))
        last = times.at[np.maximum(end - 1, 0)] if len(times.at) else np.zeros(self.customers, dtype=np.int64)
        return np.where(end > start, (at - last) / self.unit_ms, np.inf)


def _times(rows: list[tuple[int, int]]) -> Times:
    table = np.array(rows, dtype=np.int64).reshape(-1, 2)
    return Times(table[:, 0], table[:, 1])
