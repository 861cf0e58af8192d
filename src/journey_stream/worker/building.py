"""Messages as Kafka batches, built while they are fresh: bytes that were just made are still in the caches."""

from collections.abc import Callable, Iterable

from aiokafka.producer.message_accumulator import BatchBuilder

from journey_stream.worker.dead_letters import Header
from journey_stream.worker.outbox import Row

_NO_HEADERS: list[Header] = []


class Batches:
    """Kafka batches for one partition that hold messages in order; `create_batch` is that of a producer."""

    def __init__(self, create_batch: Callable[[], BatchBuilder]) -> None:
        self._create = create_batch
        self._built: list[BatchBuilder] = []
        self._count = 0

    def add(self, messages: Iterable[Row]) -> None:
        """Append messages. Each alone must fit a batch."""
        if not self._built:
            self._built.append(self._create())
        # The records go to the batch's own builder: its `append` in Python costs as much as the one beneath it.
        append, count = self._built[-1]._builder.append, self._count  # noqa: SLF001
        for key, value, some_headers, timestamp in messages:
            headers = list(some_headers) if some_headers else _NO_HEADERS  # it takes nothing but a list
            if append(count, timestamp, key, value, headers) is None:
                self._finish(count)
                self._built.append(self._create())
                append, count = self._built[-1]._builder.append, 0  # noqa: SLF001
                append(0, timestamp, key, value, headers)
            count += 1
        self._count = count

    def built(self) -> list[BatchBuilder]:
        """All batches; nothing may be added after this."""
        if self._built:
            self._finish(self._count)
        return self._built

    def _finish(self, count: int) -> None:
        batch = self._built[-1]
        batch._relative_offset = count  # noqa: SLF001 - what its own `append` would have counted
        batch.close()


def build(create_batch: Callable[[], BatchBuilder], messages: Iterable[Row]) -> list[BatchBuilder]:
    """Kafka batches that hold these messages."""
    batches = Batches(create_batch)
    batches.add(messages)
    return batches.built()
