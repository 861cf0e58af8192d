"""The floor: a bare aiokafka loop that reads, parses and writes in transactions. No state, no rules, one hop.

Each record goes to `<application>-floor`, on the customer's partition. Only the sentinels of the measurement are also
written to the output topic, which is how it shows that it is through.
"""

import asyncio
import signal
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.partitioner import murmur2

from benchmarks.peers import options
from benchmarks.peers.stages import owner_of

RECORDS_MAX = 8_000
BATCH_BYTES = 256 * 1024


class Writer:
    """Record batches built per partition: `send()` for each record costs more than all the rest."""

    def __init__(self, producer: AIOKafkaProducer, topic: str, partitions: int) -> None:
        self._producer, self._topic, self._partitions = producer, topic, partitions
        self._open: dict[int, Any] = {}
        self._full: list[tuple[int, Any]] = []
        self._partition_of: dict[bytes, int] = {}

    def add(self, key: bytes, value: bytes, timestamp_ms: int) -> None:
        partition = self._partition_of.get(key)
        if partition is None:
            partition = self._partition_of[key] = (murmur2(key) & 0x7FFF_FFFF) % self._partitions
        batch = self._open.get(partition)
        if batch is None or batch.append(key=key, value=value, timestamp=timestamp_ms) is None:
            if batch is not None:
                self._full.append((partition, batch))
            batch = self._open[partition] = self._producer.create_batch()
            batch.append(key=key, value=value, timestamp=timestamp_ms)

    async def send(self) -> None:
        batches = [*self._full, *self._open.items()]
        self._full, self._open = [], {}
        for partition, batch in batches:
            await self._producer.send_batch(batch, self._topic, partition=partition)


async def run(chosen: Any) -> None:
    written = f"{chosen.application_id}-floor"
    admin = AIOKafkaAdminClient(bootstrap_servers=chosen.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(written, chosen.partitions, 1)])
    await admin.close()
    group = chosen.application_id
    consumer = AIOKafkaConsumer(
        *chosen.sources,
        bootstrap_servers=chosen.bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        retry_backoff_ms=5,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=chosen.bootstrap,
        transactional_id=group,
        max_batch_size=BATCH_BYTES,
        retry_backoff_ms=5,
    )
    await consumer.start()
    await producer.start()
    records, changes = Writer(producer, written, chosen.partitions), Writer(producer, chosen.output, chosen.partitions)
    try:
        while True:
            fetched = await consumer.getmany(timeout_ms=200, max_records=RECORDS_MAX)
            if not fetched:
                continue
            offsets = {}
            for partition, messages in fetched.items():
                offsets[partition] = messages[-1].offset + 1
                for message in messages:
                    owner = owner_of(message.value)
                    records.add(owner, message.value, message.timestamp)
                    if message.key.startswith(b"end-"):
                        changes.add(owner, message.value, message.timestamp)
            async with producer.transaction():
                await records.send()
                await changes.send()
                await producer.send_offsets_to_transaction(offsets, group)
    finally:
        await producer.stop()
        await consumer.stop()


async def main() -> None:
    running = asyncio.ensure_future(run(options.parse(__doc__ or "")))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    await asyncio.wait([running])
    if not running.cancelled():
        running.result()


if __name__ == "__main__":
    asyncio.run(main())
