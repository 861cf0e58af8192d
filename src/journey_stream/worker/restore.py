"""A task's state back from the changelog."""

import time
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from journey_stream.worker.changelog import KEY, Position, decode_position
from journey_stream.worker.errors import Hanging, Uncertain, WorkerError

CHUNK_RECORDS_MAX = 4_000
"""How many records are taken over before the other tasks, and the heartbeat, get their turn."""

STALL_SECONDS_MAX = 60.0


class Restorable(Protocol):
    """What takes over state records; the engine's partition does."""

    def restore(self, key: bytes, value: bytes | None) -> None: ...
    def restored(self) -> None: ...


async def restore(
    consumer: AIOKafkaConsumer, changelog: TopicPartition, engine: Restorable, partitions: int
) -> tuple[Position | None, int]:
    """Feed the engine every committed state record. Returns the position (None: a new task) and the record count.

    `consumer` reads committed records only, and the task's producer is open already: so no transaction is pending,
    and the end that the broker tells now is the end. A changelog may end with aborted records and control records
    that no consumer ever sees; what ends the loop is therefore the position, not the last record.

    Raises WorkerError if the state cannot belong to this application, Uncertain if the broker stops to deliver, and
    Hanging if a transaction is pending all the same.
    """
    consumer.assign([changelog])
    end: int = (await consumer.end_offsets([changelog]))[changelog]
    at: int = (await consumer.beginning_offsets([changelog]))[changelog]
    consumer.seek(changelog, at)
    position: Position | None = None
    count, moved = 0, time.monotonic()
    while at >= end and consumer.highwater(changelog) is None:
        # Nothing to read. One answer tells whether we may (better now than when there is something to restore), and how
        # far the partition goes.
        await consumer.getmany(changelog, timeout_ms=500, max_records=1)
        if time.monotonic() - moved > STALL_SECONDS_MAX:
            raise Uncertain(f"{changelog.topic}[{changelog.partition}] gives no answer")
    while at < end:
        chunks = await consumer.getmany(changelog, timeout_ms=200, max_records=CHUNK_RECORDS_MAX)
        for record in chunks.get(changelog, ()):
            if record.offset >= end:
                break
            count += 1
            if record.key == KEY:
                position = _position(record.value, changelog, partitions)
            else:
                engine.restore(record.key, record.value)
        before, at = at, await consumer.position(changelog)
        if at > before:
            moved = time.monotonic()
        elif time.monotonic() - moved > STALL_SECONDS_MAX:
            raise Uncertain(f"{changelog.topic}[{changelog.partition}] delivers nothing at {at}, before its end {end}")
    stable, written = consumer.last_stable_offset(changelog), consumer.highwater(changelog)
    if stable is not None and written is not None and 0 <= stable < written:
        raise Hanging(
            f"{changelog.topic}[{changelog.partition}] holds {written - stable} records from offset {stable} on of a "
            "transaction that never ended"
        )
    engine.restored()
    return position, count


def _position(value: bytes, changelog: TopicPartition, partitions: int) -> Position:
    try:
        position = decode_position(value)
    except ValueError as error:
        raise WorkerError(
            f"{changelog.topic}[{changelog.partition}] holds {error}. Was it written by another application? "
            "Give this one an application_id and a topic_prefix of its own."
        ) from error
    if position.partitions != partitions:
        raise WorkerError(
            f"The state in {changelog.topic} was written for {position.partitions} partitions, and now there are "
            f"{partitions}: customers would be looked for in the wrong ones. Set `partitions` back to "
            f"{position.partitions}, or rebuild the state under another topic_prefix and application_id "
            "(docs/recovering.md)."
        )
    return position
