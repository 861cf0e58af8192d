"""One transactional producer per task: the fence between a task and its zombie.

aiokafka does not fence by group generation, so a worker that has left the group could still commit. What stops it is
the transactional id, one per partition: `open` makes the broker abort what the former owner had begun and refuse all
that it tries later. So `open` comes before state is restored and positions are read, and any doubt about a transaction
ends with `abandon` and a new start, never with a second try.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerFenced
from aiokafka.producer.message_accumulator import BatchBuilder

from journey_stream.worker.clients import abandon_producer, close_producer, transactional_producer
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import Fenced, Uncertain
from journey_stream.worker.outbox import Message

OPEN_SECONDS_MAX = 60.0


class TaskProducer:
    """Writes the batches of one task, each in one transaction, to partition `partition` of the output topics."""

    def __init__(self, settings: Settings, partition: int) -> None:
        self._settings = settings
        self._partition = partition
        self._seconds_max = settings.transaction_timeout_ms / 1000
        self._producer: AIOKafkaProducer | None = None

    async def open(self) -> None:
        """Fence the former owner. Raises KafkaError, or TimeoutError when the broker does not answer."""
        producer = self._producer = transactional_producer(self._settings, self._partition)
        async with asyncio.timeout(OPEN_SECONDS_MAX):
            await producer.start()

    async def commit(self, messages: Mapping[str, Sequence[Message]]) -> None:
        """Write messages per topic in one transaction.

        Raises Fenced if somebody else has opened the task, and Uncertain after any other failure. After either, this
        producer is of no use.
        """
        assert self._producer is not None
        try:
            async with asyncio.timeout(self._seconds_max):
                await self._commit(self._producer, messages)
        except ProducerFenced as error:
            raise Fenced(f"task {self._partition} was taken over") from error
        except (KafkaError, TimeoutError, AssertionError, OSError) as error:
            # aiokafka reports a producer that is already fenced, or a state it cannot leave, by an AssertionError.
            fatal = self._fatal_error()
            if isinstance(fatal, ProducerFenced):
                raise Fenced(f"task {self._partition} was taken over") from error
            raise Uncertain(f"a transaction of task {self._partition} failed: {error!r}") from error

    async def close(self) -> None:
        """Disconnect after the last commit."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await close_producer(producer)

    async def abandon(self) -> None:
        """Throw it away with whatever it has not sent."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await abandon_producer(producer)

    async def _commit(self, producer: AIOKafkaProducer, messages: Mapping[str, Sequence[Message]]) -> None:
        built = {topic: build(producer, queue) for topic, queue in messages.items()}
        await producer.begin_transaction()
        sent: list[asyncio.Future[Any]] = []
        # The first batch of every topic goes out in one request; only what is left over has to wait.
        for turn in range(max(map(len, built.values()), default=0)):
            for topic, batches in built.items():
                if turn < len(batches):
                    sent.append(await producer.send_batch(batches[turn], topic, partition=self._partition))
        # aiokafka commits even if a batch of the transaction has failed, so each has to be looked at first.
        for result in await asyncio.gather(*sent, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
        await producer.commit_transaction()

    def _fatal_error(self) -> BaseException | None:
        sender = self._producer and self._producer._sender.sender_task  # noqa: SLF001 - nothing public tells it
        return sender.exception() if sender and sender.done() and not sender.cancelled() else None


def build(producer: AIOKafkaProducer, messages: Sequence[Message]) -> list[BatchBuilder]:
    """Kafka batches that hold `messages` in order."""
    batch = producer.create_batch()
    batches = [batch]
    for key, value, some_headers, timestamp in messages:
        headers = list(some_headers)  # aiokafka takes nothing but a list
        if batch.append(timestamp=timestamp, key=key, value=value, headers=headers) is None:
            batch = producer.create_batch()
            batches.append(batch)
            batch.append(timestamp=timestamp, key=key, value=value, headers=headers)
    return batches
