"""The aiokafka clients of a worker, each with the settings that its job needs."""

import asyncio
import contextlib
import logging
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.producer import sender

from journey_stream.worker.config import Settings
from journey_stream.worker.outbox import BATCH_OVERHEAD_BYTES
from journey_stream.worker.packed import PACKED

REQUEST_TIMEOUT_MS = 15_000

# The default of 100 ms is the tail of the latency: it is waited for between the steps of a transaction.
PRODUCER_RETRY_BACKOFF_MS = 8

# A transaction that begins right after another finds the broker still writing the markers of that one, for a
# millisecond or two. aiokafka asks again after 20 ms, which no option changes.
sender.BACKOFF_OVERRIDE = 0.004

# One fetch is one batch of a task: large enough for throughput, small enough to leave the event loop to others.
FETCH_BYTES = 2 * 1024 * 1024

# How long the broker keeps a fetch that finds nothing. aiokafka sends one at a time to each broker, so while one waits
# for partitions that are quiet, nobody fetches what the others hold: with the usual 500 ms a backlog is read in fits
# and starts. For consumers of several partitions; one that reads a single one asks less often with the default.
FETCH_WAIT_MS_OF_MANY = 50

# Where few records come, and no more are waiting, they are fetched only so often: a fetch costs the same for few as for
# many, here and at the broker, and so does a write.
REST_SECONDS = 0.01

# A member hears with its next heartbeat that tasks are shared out anew; until the last one has heard, all of them wait.
HEARTBEAT_MS_MAX = 500

CLOSE_SECONDS_MAX = 5.0

_log = logging.getLogger(__name__)


def transactional_producer(settings: Settings, part: int | str) -> AIOKafkaProducer:
    """The producer of one task, or of another part. Starting it fences whoever ran it before."""
    return AIOKafkaProducer(
        **_producer_options(settings),
        transactional_id=settings.transactional_id(part),
        transaction_timeout_ms=settings.transaction_timeout_ms,
    )


def idempotent_producer(settings: Settings) -> AIOKafkaProducer:
    """For what is written at least once: the log, ticks, and the router's dead letters."""
    return AIOKafkaProducer(**_producer_options(settings), enable_idempotence=True, acks="all")


def partition_consumer(settings: Settings, *, packed: bool = False, **options: Any) -> AIOKafkaConsumer:
    """A consumer in no group, for `assign` and `seek`. A position that does not exist is an error, never a jump.

    It reads what is committed: of our own topics only the dead letters of routers are written without a transaction,
    and the touchpoints in the log. With `packed` it hands over `Packed` in place of records.
    """
    return AIOKafkaConsumer(
        **settings.client_options(),
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        isolation_level="read_committed",
        auto_offset_reset="none",
        enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES,
        value_deserializer=PACKED if packed else None,
        **options,
    )


def group_consumer(settings: Settings, group_id: str, **options: Any) -> AIOKafkaConsumer:
    """A member of a consumer group that commits its offsets itself."""
    return AIOKafkaConsumer(
        **settings.client_options(),
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        group_id=group_id,
        session_timeout_ms=settings.session_timeout_ms,
        heartbeat_interval_ms=min(HEARTBEAT_MS_MAX, max(200, settings.session_timeout_ms // 4)),
        rebalance_timeout_ms=max(settings.session_timeout_ms, 5_000),
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        **options,
    )


async def close_consumer(consumer: AIOKafkaConsumer) -> None:
    """Leave the group if it is in one, and disconnect; give up when the broker does not answer."""
    with contextlib.suppress(Exception):
        await asyncio.wait_for(consumer.stop(), CLOSE_SECONDS_MAX)


async def close_producer(producer: AIOKafkaProducer) -> None:
    """Flush and disconnect; drop what cannot be sent in time."""
    try:
        await asyncio.wait_for(producer.stop(), CLOSE_SECONDS_MAX)
    except Exception:  # noqa: BLE001 - whatever it was, this producer is of no use any more
        await abandon_producer(producer)


async def abandon_producer(producer: AIOKafkaProducer) -> None:
    """Throw a producer away without sending what it holds. Never raises."""
    # `stop` would wait until all of it is delivered. There is no public way to end the sender without that.
    sender = producer._sender.sender_task  # noqa: SLF001
    producer._closed = True  # noqa: SLF001 - or its finaliser complains
    with contextlib.suppress(Exception):
        await asyncio.wait_for(producer.client.close(), CLOSE_SECONDS_MAX)
    # The first cancellation lets it wait for its own requests, the second ends that wait.
    for _ in range(3):
        if sender is None or sender.done():
            break
        sender.cancel()
        await asyncio.wait({sender}, timeout=CLOSE_SECONDS_MAX / 5)
    if sender is not None and sender.done() and not sender.cancelled():
        sender.exception()  # seen, so that the event loop does not report it


def _producer_options(settings: Settings) -> dict[str, Any]:
    return {
        **settings.client_options(),
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "retry_backoff_ms": PRODUCER_RETRY_BACKOFF_MS,
        # One Kafka batch per partition and transaction if it fits: a second one costs another round trip.
        "max_batch_size": settings.record_bytes_max - BATCH_OVERHEAD_BYTES,
    }
