"""Fills the source topics, and starts the clock: what a held fill wrote becomes visible all at once.

The held part is written in one open transaction, so that consumers of committed records see nothing of it until
`release`. The systems are warm and idle then, and none of the time it took to make the records is measured.
"""

import itertools
from collections.abc import Iterable, Sequence

from aiokafka.partitioner import murmur2
from confluent_kafka import Producer

from benchmarks.workload import SOURCES, Made, passed_sentinel, sentinel

POLL_EVERY = 2_000
RELEASE_SECONDS_MAX = 60.0


class Filler:
    """A transactional producer of source records.

    `by_owner` keys them by their highest identifier, for the systems that are spared the repartition; otherwise each
    source has its own key. Partitions are chosen as Kafka's Java producer chooses them.
    """

    def __init__(self, bootstrap: str, sources: Sequence[str], partitions: int, *, by_owner: bool) -> None:
        self._sources = sources
        self._partitions = partitions
        self._by_owner = by_owner
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "transactional.id": f"fill-{sources[0]}",
                "transaction.timeout.ms": 900_000,
                "partitioner": "murmur2_random",
                "linger.ms": 20,
                "batch.num.messages": 10_000,
                "queue.buffering.max.messages": 200_000,
                "log_level": 3,
            }
        )
        self._producer.init_transactions()

    def hold(self) -> None:
        self._producer.begin_transaction()

    def write(self, records: Iterable[Made]) -> int:
        """Write records; returns the time of the last one, ms."""
        timestamp_ms = 0
        for number, record in enumerate(records):
            timestamp_ms = record.timestamp_ms
            key = record.owner if self._by_owner else record.key
            self._send(self._sources[record.source], record.value, key, timestamp_ms)
            if number % POLL_EVERY == 0:
                self._producer.poll(0)
        return timestamp_ms

    def write_sentinels(self, phase: str, timestamp_ms: int, tasks: int) -> set[bytes]:
        """One new customer per path from a source partition to one of the `tasks`, at the end of that partition.

        Once the stage change of each can be read, everything written before has been processed. Returns their keys.
        """
        names = set()
        for index, partition, task in itertools.product(range(len(SOURCES)), range(self._partitions), range(tasks)):
            if self._by_owner and partition != task:
                continue
            name = _name_in(task, tasks, f"{phase}-{index}-{partition}")
            key = name if self._by_owner else b"end-%d" % partition
            value = sentinel(name.decode(), timestamp_ms)
            self._send(self._sources[index], value, key, timestamp_ms, partition)
            names.add(name)
        return names

    def write_passed_sentinels(self, phase: str, timestamp_ms: int, tasks: int) -> set[bytes]:
        """As `write_sentinels`, for what a task passes on: one per path from a source partition by a task to a task."""
        names = set()
        ways = itertools.product(range(len(SOURCES)), range(self._partitions), range(tasks), range(tasks))
        for index, partition, via, task in ways:
            stem = f"{phase}-{index}-{partition}-{via}"
            name, device = _name_in(task, tasks, stem), _name_in(via, tasks, f"{stem}-{task}", "device_id:")
            for value in passed_sentinel(name.decode(), device.decode(), timestamp_ms):
                self._send(self._sources[index], value, b"end-%d" % partition, timestamp_ms, partition)
            names.add(name)
        return names

    def flush(self) -> None:
        self._producer.flush()

    def release(self) -> None:
        """Make everything since `hold` visible; returns when the broker has committed."""
        self._producer.commit_transaction(RELEASE_SECONDS_MAX)

    def _send(self, topic: str, value: bytes, key: bytes, timestamp_ms: int, partition: int = -1) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key, partition, timestamp=timestamp_ms)
            except BufferError:
                self._producer.poll(0.05)
            else:
                return


def _name_in(task: int, tasks: int, stem: str, kind: str = "") -> bytes:
    for number in itertools.count():
        name = f"{stem}-{number}"
        if (murmur2(f"{kind}{name}".encode()) & 0x7FFF_FFFF) % tasks == task:
            return name.encode()
    raise AssertionError
