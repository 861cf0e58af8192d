"""History into the source topics, in its own time.

Each record's Kafka timestamp is the instant at which it happened, so that the log's clock lives through history. The
topics must keep what is that old (`create_topics(..., history=True)`), and the worker must not add ticks of today
(`ticks: false`); `end_history` then says until when silence counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, NodeNotReadyError, RequestTimedOutError

from journey_stream.events.admission import Refused, read_touchpoint
from journey_stream.events.identifiers import DEFAULT, Policy
from journey_stream.events.log import encode_as_of
from journey_stream.events.reasons import Reason
from journey_stream.history.record import HistoryRecord, Problem, ReportProblem
from journey_stream.worker.broker_errors import BrokerUnreachable
from journey_stream.worker.building import build
from journey_stream.worker.clients import close_producer, idempotent_producer
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import PERMISSION_ERRORS, WorkerError, not_permitted
from journey_stream.worker.fencing import send_batches
from journey_stream.worker.murmur import partition_for
from journey_stream.worker.outbox import Message, message_bytes
from journey_stream.worker.positions import Positions, Reading

CHUNK_RECORDS = 500
SLICE_SECONDS = 0.05
"""What falls due within this time goes out together."""

Due = Callable[[HistoryRecord, int], float]
"""When a record is due, in seconds since the start; its second argument counts the records before it."""


class Progress(NamedTuple):
    """How far a replay has come; `occurred_at` is that of the last record (ms), 0 before the first."""

    sent: int = 0
    left_out: int = 0
    occurred_at: int = 0


class _Channel(msgspec.Struct):
    channel: str = ""


_read_channel = msgspec.json.Decoder(_Channel).decode


def at_speed(speed: float) -> Due:
    """Due as it happened, `speed` times as fast: 1 is real time, 86400 shows a day in a second."""
    first: list[int] = []

    def due(record: HistoryRecord, _: int) -> float:
        if not first:
            first.append(record.occurred_at)
        return (record.occurred_at - first[0]) / 1000 / speed

    return due


def at_rate(records_per_second: float) -> Due:
    """Due evenly, however uneven history was."""
    return lambda _, count: count / records_per_second


async def replay(
    settings: Settings,
    records: Iterable[HistoryRecord],
    *,
    due: Due | None = None,
    topic: str | None = None,
    policy: Policy = DEFAULT,
    before_sending: Callable[[int], Awaitable[None]] | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
    report: ReportProblem = lambda _: None,
) -> Progress:
    """Write the records, which must be in time order, to the source topics and return when all are acknowledged.

    `due` None means as fast as the brokers take them. A record goes to the source named after its channel
    (`touchpoints.web` for `web`), without one to the last source, or to `topic` where that is given. It is keyed by its
    owner, as `policy` tells it. `before_sending` may hold the replay up; it is told how many records were sent. A
    record that is too large for a message is reported and left out. Raises WorkerError, BrokerUnreachable and what
    reading `records` raises.
    """
    async with broker_errors(settings), Positions(settings) as positions, producing(settings) as producer:
        sender = _Sender(
            producer, positions.sources, _Route(settings.sources, topic), settings.record_bytes_max, policy, report
        )
        async for chunk in _chunks(iter(records), due):
            if before_sending is not None:
                await before_sending(sender.progress.sent)
            await sender.send(chunk)
            progress(sender.progress)
        return sender.progress


async def end_history(
    settings: Settings,
    at: int,
    *,
    seconds_max: float | None = None,
    waiting: Callable[[Reading], None] = lambda _: None,
) -> None:
    """Let silence count until `at` (ms): once everything is applied, say so on every partition of the log.

    Routed is not enough: what a task passes on to another comes to the log later, and must not find itself behind the
    end. `waiting` is told, again and again, what the worker is not through with. Raises WorkerError when it is not
    through after `seconds_max`.
    """
    began = time.monotonic()
    async with broker_errors(settings), Positions(settings) as positions, producing(settings) as producer:
        routed = False
        # What was routed during one reading is sure to be counted among what was logged in the next.
        while (reading := await positions.read()).unapplied or not routed:
            routed = not reading.unrouted
            waiting(reading)
            if seconds_max is not None and time.monotonic() - began > seconds_max:
                raise WorkerError(
                    f"{reading.unrouted} records still wait for the router and {reading.unapplied} for the tasks after "
                    f"{seconds_max:.0f} s; is a worker running with the same application_id?",
                )
            await asyncio.sleep(SLICE_SECONDS)
        for partition in range(positions.log_partitions):
            value = encode_as_of(at)
            await producer.send(settings.topics.log, value, partition=partition, timestamp_ms=_timestamp(at))
        await producer.flush()


class _Route:
    """Which source topic a touchpoint belongs to, by its channel."""

    def __init__(self, sources: tuple[str, ...], fixed: str | None) -> None:
        self._by_channel = {source.rpartition(".")[2]: source for source in sources}
        self._fallback = sources[-1]
        self._fixed = fixed
        if fixed is not None and fixed not in sources:
            raise WorkerError(f"{fixed} is no source topic; the sources are {', '.join(sources)}")

    def __call__(self, value: bytes) -> str:
        if self._fixed is not None:
            return self._fixed
        try:
            return self._by_channel.get(_read_channel(value).channel, self._fallback)
        except msgspec.MsgspecError:
            return self._fallback


class _Sender:
    """Writes chunks, one Kafka batch per partition: a call per record would cost more than everything else."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        partitions: dict[str, int],
        route: _Route,
        bytes_max: int,
        policy: Policy,
        report: ReportProblem,
    ) -> None:
        self.progress = Progress()
        self._producer = producer
        self._partitions = partitions
        self._route = route
        self._bytes_max = bytes_max
        self._policy = policy
        self._report = report

    async def send(self, chunk: list[HistoryRecord]) -> None:
        queues: dict[tuple[str, int], list[Message]] = {}
        left_out = 0
        for record in chunk:
            message = Message(_key(record.value, self._policy), record.value, timestamp=_timestamp(record.occurred_at))
            if message_bytes(message) > self._bytes_max:
                left_out += 1
                self._report(_too_large(record, self._bytes_max))
                continue
            topic = self._route(record.value)
            partition = 0 if message.key is None else partition_for(message.key, self._partitions[topic])
            queues.setdefault((topic, partition), []).append(message)
        built = [(*place, build(self._producer.create_batch, messages)) for place, messages in queues.items()]
        await send_batches(self._producer, built)
        done = self.progress
        self.progress = Progress(
            done.sent + len(chunk) - left_out,
            done.left_out + left_out,
            chunk[-1].occurred_at,
        )


async def _chunks(records: Iterator[HistoryRecord], due: Due | None) -> AsyncIterator[list[HistoryRecord]]:
    """The records in chunks, each when it is due. Reading them blocks, so it happens in a thread."""
    began: float | None = None
    waiting: deque[tuple[float, HistoryRecord]] = deque()
    count = 0
    ended = False
    while not ended or waiting:
        if not waiting:
            read = await asyncio.to_thread(lambda: list(islice(records, CHUNK_RECORDS)))
            # Sorting or converting may take a while before the first record is there; that is no part of the replay.
            began = time.monotonic() if began is None else began
            ended = len(read) < CHUNK_RECORDS
            for record in read:
                waiting.append((due(record, count) if due else 0.0, record))
                count += 1
            continue
        assert began is not None
        ahead = began + waiting[0][0] - time.monotonic()
        if ahead > 0:
            await asyncio.sleep(max(ahead, SLICE_SECONDS))
        now = time.monotonic() - began
        chunk = []
        while waiting and waiting[0][0] <= now:
            chunk.append(waiting.popleft()[1])
        if chunk:
            yield chunk


def _key(value: bytes, policy: Policy) -> bytes | None:
    """The owner, so that one customer's records of a source stay in order; nobody's for what cannot be read."""
    found = read_touchpoint(value, policy)
    return None if isinstance(found, Refused) else found.profile_id.encode()


def _timestamp(at: int) -> int:
    """Kafka knows no time before 1970."""
    return max(0, at)


def _too_large(record: HistoryRecord, bytes_max: int) -> Problem:
    detail = f"{len(record.value)} bytes do not fit into a message of {bytes_max}; the record was left out"
    return Problem(record.origin, record.position, Reason.RECORD_TOO_LARGE.value, detail)


@contextlib.asynccontextmanager
async def producing(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """A producer for what is written to a source at least once."""
    producer = idempotent_producer(settings)
    try:
        await producer.start()
        yield producer
    finally:
        await close_producer(producer)


@contextlib.asynccontextmanager
async def broker_errors(settings: Settings) -> AsyncIterator[None]:
    """What goes wrong with the brokers, as errors that are written for people."""
    try:
        yield
    except PERMISSION_ERRORS as error:
        raise not_permitted(error, settings) from error
    except (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError) as error:
        raise BrokerUnreachable(settings.bootstrap_servers, str(error) or type(error).__name__) from error
    except KafkaError as error:
        raise WorkerError(f"Kafka did not take the records: {str(error) or type(error).__name__}") from error
