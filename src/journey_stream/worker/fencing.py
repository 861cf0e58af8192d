"""One transactional producer per task: the fence between a task and its zombie.

aiokafka does not fence by group generation, so a worker that has left the group could still commit. What stops it is
the transactional id, one per partition: `open` makes the broker abort what the former owner had begun and refuse all
that it tries later. So `open` comes before state is restored and positions are read, and any doubt about a transaction
ends with `abandon` and a new start, never with a second try.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced
from aiokafka.producer.message_accumulator import BatchBuilder

from journey_stream.worker.building import build
from journey_stream.worker.clients import abandon_producer, close_producer, transactional_producer
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import PERMISSION_ERRORS, Fenced, Uncertain
from journey_stream.worker.outbox import Place, Row

OPEN_SECONDS_MAX = 60.0


class TaskProducer:
    """Writes the batches of the task of log partition `partition`, each in one transaction.

    A word in place of the number stands for another part that only one may run, such as the replay of dead letters.
    """

    def __init__(self, settings: Settings, partition: int | str) -> None:
        self._settings = settings
        self._partition = partition
        self._seconds_max = settings.transaction_timeout_ms / 1000
        self._producer: AIOKafkaProducer | None = None
        self._ended: asyncio.Future[None] | None = None
        """How aiokafka says the transaction at hand ended."""

    async def open(self) -> None:
        """Fence the former owner. Raises KafkaError, or TimeoutError when the broker does not answer."""
        producer = self._producer = transactional_producer(self._settings, self._partition)
        async with asyncio.timeout(OPEN_SECONDS_MAX):
            await producer.start()

    async def abort_hanging(self, places: Iterable[Place]) -> None:
        """Abort what earlier transactions of the task have left open in these partitions.

        For the broker a transaction is over that it has not ended there: an abort of an empty one is what it does not
        refuse, and it ends in each partition all that the task has open. It is right to abort, and not to commit: the
        position is in the same transaction, so the batch is computed again.

        Raises KafkaError, or TimeoutError when the broker does not answer.
        """
        assert self._producer is not None
        async with asyncio.timeout(self._seconds_max):
            await self._producer.begin_transaction()
            for topic, partition in places:
                # Nothing public adds a partition to a transaction without writing to it.
                self._producer._txn_manager.maybe_add_partition_to_txn(TopicPartition(topic, partition))  # noqa: SLF001
            await self._producer.abort_transaction()

    async def commit(self, messages: Mapping[Place, Sequence[Row]]) -> None:
        """Write messages per topic and partition in one transaction.

        One transaction after another and each partition's messages in order: so what one task writes to a partition is
        read there in the order in which it was decided.

        Raises Fenced if somebody else has opened the task, one of PERMISSION_ERRORS if the broker refuses the user, and
        Uncertain after any other failure. After any of them, this producer is of no use.
        """
        assert self._producer is not None
        try:
            async with asyncio.timeout(self._seconds_max):
                await self._commit(self._producer, messages)
        except PERMISSION_ERRORS:
            raise
        except ProducerFenced as error:
            raise Fenced(f"task {self._partition} was taken over") from error
        except (KafkaError, IllegalOperation, TimeoutError, AssertionError, OSError) as error:
            refusal = self._refusal()
            if refusal is not None:
                raise refusal from error
            # A producer that was fenced between two steps says only that the second is not possible now.
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

    async def _commit(self, producer: AIOKafkaProducer, messages: Mapping[Place, Sequence[Row]]) -> None:
        built = [(*place, build(producer.create_batch, queue)) for place, queue in messages.items()]
        await producer.begin_transaction()
        self._ended = producer._txn_manager.wait_for_transaction_end()  # noqa: SLF001 - nothing public tells it
        # aiokafka commits even if a batch of the transaction has failed: all of them have to be acknowledged first.
        await send_batches(producer, built)
        await producer.commit_transaction()

    def _refusal(self) -> BaseException | None:
        """Why the broker refused a topic of the transaction.

        It then refuses what is written to the others too, for being in no transaction, and which answer comes first is
        chance. The transaction itself ends with what came before all of them.
        """
        if self._ended is None or not self._ended.done() or self._ended.cancelled():
            return None
        error = self._ended.exception()
        return error if isinstance(error, PERMISSION_ERRORS) else None

    def _fatal_error(self) -> BaseException | None:
        sender = self._producer and self._producer._sender.sender_task  # noqa: SLF001 - nothing public tells it
        return sender.exception() if sender and sender.done() and not sender.cancelled() else None


async def send_batches(producer: AIOKafkaProducer, queues: Sequence[tuple[str, int, Sequence[BatchBuilder]]]) -> None:
    """Write Kafka batches per topic and partition, and return when all are acknowledged. Raises what the first did."""
    sent: list[asyncio.Future[Any]] = []
    try:
        # The first batch of every queue goes out in one request; only what is left over has to wait.
        for turn in range(max((len(batches) for _, _, batches in queues), default=0)):
            for topic, partition, batches in queues:
                if turn < len(batches):
                    sent.append(await producer.send_batch(batches[turn], topic, partition=partition))
    except Exception:
        for future in sent:
            # What has failed already failed for the same reason.
            if not future.cancel() and not future.cancelled():
                future.exception()
        raise
    for result in await asyncio.gather(*sent, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
