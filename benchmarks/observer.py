"""Reads an output topic as a subscriber does, committed records only, until what it waits for has come."""

import threading
import time
from collections.abc import Callable

from confluent_kafka import Consumer, Message, TopicPartition

POLL_SECONDS = 0.05


class Observer:
    """A subscriber in a thread of its own. `on_message` is called with each message and the instant it was read."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self.messages = 0
        self.bytes = 0
        self._wanted: set[bytes] = set()
        self._done = threading.Event()
        self._done_at = 0.0
        self._stop = threading.Event()
        self.on_message: Callable[[Message, float], None] | None = None
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": f"observer-{topic}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 10,
                "log_level": 3,
            }
        )
        self._consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def expect(self, keys: set[bytes]) -> None:
        """Name the keys to wait for; they must not have been read yet."""
        self._done.clear()
        self._wanted = set(keys)

    def wait(self, seconds_max: float, alive: Callable[[], None]) -> float:
        """The monotonic instant at which the last expected key was read. `alive` raises when waiting is vain."""
        deadline = time.monotonic() + seconds_max
        while not self._done.wait(0.25):
            alive()
            if time.monotonic() > deadline:
                missing = sorted(self._wanted)[:3]
                raise TimeoutError(f"{len(self._wanted)} expected keys missing after {seconds_max:.0f} s: {missing}")
        return self._done_at

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def _read(self) -> None:
        while not self._stop.is_set():
            # `consume` alone would wait for the whole batch or the whole time.
            first = self._consumer.poll(POLL_SECONDS)
            if first is None:
                continue
            now = time.monotonic()
            for message in (first, *self._consumer.consume(2_000, 0)):
                if message.error():
                    continue
                self.messages += 1
                self.bytes += len(message)
                if self.on_message is not None:
                    self.on_message(message, now)
                if self._wanted and message.key() in self._wanted:
                    self._wanted.discard(message.key())
                    if not self._wanted:
                        self._done_at = now
                        self._done.set()
