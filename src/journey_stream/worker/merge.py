"""The sources in one order: the oldest buffered record first.

The log's clock is the newest arrival, so a source that runs ahead of another by days would push the other's
touchpoints behind the bounds of lateness. What has been fetched from a partition is therefore held back until no other
partition can still bring something older: up to the smallest of the times that the lagging partitions have reached.

The order is a preference, never a reason to stop: a partition that lags and brings nothing for `wait_seconds` no longer
counts until it does.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import chain, repeat
from operator import itemgetter
from typing import Generic, Protocol, TypeVar


class Timestamped(Protocol):
    """A record of a source; `timestamp` in ms, or -1 for none."""

    @property
    def timestamp(self) -> int: ...
    @property
    def value(self) -> bytes | None: ...


R = TypeVar("R", bound=Timestamped)
P = TypeVar("P")

_LONG_AGO = -(2**62)


class _Queue(Generic[R]):
    """The buffered records of one partition, and for each the time that orders it."""

    __slots__ = ("fetched_at", "lagging", "records", "size_bytes", "times", "until")

    def __init__(self, now: float) -> None:
        self.records: list[R] = []
        self.times: list[int] = []
        self.size_bytes = 0
        self.until = _LONG_AGO
        self.lagging = True
        self.fetched_at = now

    def add(self, records: Sequence[R], now_ms: int) -> None:
        if not records:
            return
        times = [record.timestamp for record in records]
        if not (self.until <= times[0] and times[-1] <= now_ms and times == sorted(times)):
            times = self._in_order(times, now_ms)
        self.times += times
        self.records += records
        self.size_bytes += sum([len(record.value or b"") for record in records])
        self.until = times[-1]

    def _in_order(self, times: list[int], now_ms: int) -> list[int]:
        """Within a partition the order stays; a time that is missing or impossible says nothing."""
        until = self.until
        ordered = []
        for at in times:
            if until < at <= now_ms:
                until = at
            ordered.append(until)
        return ordered

    def take(self, bound: int) -> tuple[list[int], list[R]]:
        count = bisect_right(self.times, bound)
        times, records = self.times[:count], self.records[:count]
        del self.times[:count], self.records[:count]
        self.size_bytes = sum([len(record.value or b"") for record in self.records])
        return times, records


class Merge(Generic[P, R]):
    """Buffers per partition; `now` arguments are seconds of a clock that only runs forward."""

    def __init__(self, *, records_max: int, bytes_max: int, wait_seconds: float) -> None:
        self._records_max = records_max
        self._bytes_max = bytes_max
        self._wait_seconds = wait_seconds
        self._queues: dict[P, _Queue[R]] = {}

    def add(self, partition: P, records: Sequence[R], *, now: float, now_ms: int) -> None:
        """Buffer what was fetched from a partition. `now_ms` is the time of day: nothing can be newer."""
        queue = self._queue(partition, now)
        queue.fetched_at = now
        queue.add(records, now_ms)

    def lags(self, partition: P, lagging: bool, *, now: float) -> None:
        """Whether the partition is known to hold more than was fetched."""
        queue = self._queue(partition, now)
        if lagging and not queue.lagging:
            queue.fetched_at = now
        queue.lagging = lagging

    def take(self, *, now: float) -> list[tuple[P, R]]:
        """Remove and return, oldest first, the records that nothing older can still precede."""
        bound = min(
            (queue.until for queue in self._queues.values() if self._counts(queue, now)),
            default=2**62,
        )
        taken = []
        for partition, queue in self._queues.items():
            if queue.records and queue.times[0] <= bound:
                times, records = queue.take(bound)
                taken.append(list(zip(times, repeat(partition), records, strict=False)))
        merged = taken[0] if len(taken) == 1 else sorted(chain.from_iterable(taken), key=itemgetter(0))
        return [(partition, record) for _, partition, record in merged]

    def is_full(self, partition: P) -> bool:
        """Whether to fetch no more from this partition for now."""
        queue = self._queues.get(partition)
        return queue is not None and (len(queue.records) >= self._records_max or queue.size_bytes >= self._bytes_max)

    def buffered(self, partition: P) -> int:
        """How many fetched records wait here."""
        queue = self._queues.get(partition)
        return 0 if queue is None else len(queue.records)

    def clear(self) -> None:
        """Forget everything, as at a rebalance: it will be fetched again by whoever gets it."""
        self._queues.clear()

    def _counts(self, queue: _Queue[R], now: float) -> bool:
        # A full queue lags because we do not fetch from it, and all of what it holds is known.
        return queue.lagging and (bool(queue.records) or now - queue.fetched_at < self._wait_seconds)

    def _queue(self, partition: P, now: float) -> _Queue[R]:
        queue = self._queues.get(partition)
        if queue is None:
            queue = self._queues[partition] = _Queue(now)
        return queue
