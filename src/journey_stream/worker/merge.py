"""The sources in one order: the oldest buffered record first.

The log's clock is the newest arrival, so a source that runs ahead of another by days would push the other's
touchpoints behind the bounds of lateness. What has been fetched from a partition is therefore held back until no other
partition can still bring something older: up to the smallest of the times that the lagging partitions have reached.

The order is a preference, never a reason to stop: a partition that lags and brings nothing for `wait_seconds` no longer
counts until it does. And it is kept to the minute, which lets a partition go on for a run of records.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heappush
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from journey_stream.events.times import MINUTE_MS

SLACK_MS: Final = MINUTE_MS
"""How much newer than the oldest buffered record one may be that goes before it."""

FETCHES_MAX: Final = 2
"""A partition that is this many fetches ahead of the others waits for them."""

_LONG_AGO: Final = -(2**62)
_LONG_AHEAD: Final = 2**62


class Timestamped(Protocol):
    """A record of a source; `timestamp` in ms, or -1 for none."""

    @property
    def timestamp(self) -> int: ...
    @property
    def offset(self) -> int: ...


R = TypeVar("R", bound=Timestamped)
P = TypeVar("P")
R_co = TypeVar("R_co", bound=Timestamped, covariant=True)


class Chunk(Protocol[R_co]):
    """Records of a partition in order, as `packed.Packed`."""

    first_offset: int
    next_offset: int
    newest_at: int

    def __iter__(self) -> Iterator[R_co]: ...


class Run(NamedTuple, Generic[P, R]):
    """Records of one partition, one after the other; `next_offset` follows on them."""

    partition: P
    records: list[R]
    next_offset: int


class _Queue(Generic[R]):
    """What is buffered of one partition. `at` is the time that orders its next record, `head`."""

    __slots__ = (
        "at",
        "chunks",
        "fetched_at",
        "fetches",
        "head",
        "lagging",
        "last",
        "next_offset",
        "rest",
        "timed",
        "until",
    )

    def __init__(self, now: float) -> None:
        self.chunks: deque[tuple[Chunk[R], bool]] = deque()
        self.rest: Iterator[R] | None = None
        self.head: R | None = None
        self.at = _LONG_AGO
        self.until = _LONG_AGO
        self.next_offset = -1
        self.last = False
        self.fetches = 0
        self.timed = True
        self.lagging = True
        self.fetched_at = now

    def add(self, chunks: Sequence[Chunk[R]], now_ms: int) -> None:
        for index, chunk in enumerate(chunks):
            self.chunks.append((chunk, index == len(chunks) - 1))
            self.timed = 0 <= chunk.newest_at <= now_ms
            if self.timed and self.until < chunk.newest_at:
                self.until = chunk.newest_at
        self.fetches += 1

    def open(self, now_ms: int) -> bool:
        """Make `head` the next record; False when there is none, or when the next chunk turned out to be empty."""
        chunk, self.last = self.chunks.popleft()
        self.rest = iter(chunk)
        self.next_offset = chunk.next_offset
        for record in self.rest:
            self._put(record, now_ms)
            return True
        self._close()
        return False

    def take(self, until: int, most: int, now_ms: int, records: list[R]) -> int:
        """Move records to `records` while their times are not after `until`; returns the offset behind them."""
        head, rest = self.head, self.rest
        assert head is not None
        assert rest is not None
        records.append(head)
        left = most - 1
        at = self.at
        for record in rest:
            timestamp = record.timestamp
            # Within a partition the order stays; a time that is missing or impossible says nothing.
            if at < timestamp <= now_ms:
                at = timestamp
            if at > until or left <= 0:
                self.at = at
                self.head = record
                return record.offset
            records.append(record)
            left -= 1
        self.at = at
        self._close()
        return self.next_offset

    def _put(self, record: R, now_ms: int) -> None:
        self.head = record
        timestamp = record.timestamp
        if self.at < timestamp <= now_ms:
            self.at = timestamp

    def _close(self) -> None:
        self.head = self.rest = None
        if self.last:
            self.fetches -= 1


class Merge(Generic[P, R]):
    """Buffers per partition; `now` arguments are seconds of a clock that only runs forward."""

    def __init__(self, *, wait_seconds: float) -> None:
        self._wait_seconds = wait_seconds
        self._queues: dict[P, _Queue[R]] = {}

    def add(self, partition: P, chunks: Sequence[Chunk[R]], *, now: float, now_ms: int) -> None:
        """Buffer what one fetch brought from a partition. `now_ms` is the time of day: nothing can be newer."""
        if chunks:
            queue = self._queue(partition, now)
            queue.fetched_at = now
            queue.add(chunks, now_ms)

    def lags(self, partition: P, lagging: bool, *, now: float) -> None:
        """Whether the partition is known to hold more than was fetched."""
        queue = self._queue(partition, now)
        if lagging and not queue.lagging:
            queue.fetched_at = now
        queue.lagging = lagging

    def take(self, most: int, *, now: float, now_ms: int) -> list[Run[P, R]]:
        """Remove and return up to `most` records, oldest first, that nothing older can still precede."""
        runs: list[Run[P, R]] = []
        bound = _LONG_AHEAD
        waiting: list[tuple[int, int]] = []
        order = list(self._queues.items())
        for index, (partition, queue) in enumerate(order):
            counts = self._counts(queue, now)
            if self._opened(partition, queue, now_ms, runs):
                waiting.append((queue.at, index))
            # Times that are missing or impossible say nothing that the others should wait for.
            if counts and queue.timed:
                bound = min(bound, max(queue.until, queue.at))
        heapify(waiting)
        left = most
        while left > 0 and waiting and waiting[0][0] <= bound:
            index = heappop(waiting)[1]
            partition, queue = order[index]
            until = min(bound, waiting[0][0] + SLACK_MS) if waiting else bound
            records: list[R] = []
            try:
                next_offset = queue.take(until, left, now_ms, records)
            except UnicodeDecodeError as error:
                error.add_note(f"{partition}, before offset {queue.next_offset}")
                raise
            runs.append(Run(partition, records, next_offset))
            left -= len(records)
            if self._opened(partition, queue, now_ms, runs):
                heappush(waiting, (queue.at, index))
        return runs

    def _opened(self, partition: P, queue: _Queue[R], now_ms: int, runs: list[Run[P, R]]) -> bool:
        """Whether there is a next record. Chunks that turn out to be empty are passed as empty runs."""
        while queue.head is None and queue.chunks:
            try:
                found = queue.open(now_ms)
            except UnicodeDecodeError as error:
                error.add_note(f"{partition}, before offset {queue.next_offset}")
                raise
            if not found:
                runs.append(Run(partition, [], queue.next_offset))
        return queue.head is not None

    def is_full(self, partition: P) -> bool:
        """Whether to fetch no more from this partition for now."""
        queue = self._queues.get(partition)
        return queue is not None and queue.fetches >= FETCHES_MAX

    def buffered(self, partition: P) -> int:
        """How many fetched records wait here, or how many there would be if none were compacted away."""
        queue = self._queues.get(partition)
        if queue is None:
            return 0
        count = sum([chunk.next_offset - chunk.first_offset for chunk, _ in queue.chunks])
        return count if queue.head is None else count + queue.next_offset - queue.head.offset

    def clear(self) -> None:
        """Forget everything, as at a rebalance: it will be fetched again by whoever gets it."""
        self._queues.clear()

    def _counts(self, queue: _Queue[R], now: float) -> bool:
        # A full queue lags because we do not fetch from it, and all of what it holds is known.
        held = queue.head is not None or len(queue.chunks) > 0
        return queue.lagging and (held or now - queue.fetched_at < self._wait_seconds)

    def _queue(self, partition: P, now: float) -> _Queue[R]:
        queue = self._queues.get(partition)
        if queue is None:
            queue = self._queues[partition] = _Queue(now)
        return queue


def next_offsets(runs: Iterable[Run[P, R]]) -> dict[P, int]:
    """Per partition the offset that follows on its runs, which are in order."""
    return {run.partition: run.next_offset for run in runs}
