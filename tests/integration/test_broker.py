from __future__ import annotations

import asyncio
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.kafka import KafkaBroker


async def test_what_was_acknowledged_outlives_a_killed_broker(tmp_path: Path) -> None:
    with KafkaBroker(tmp_path / "kafka") as broker:
        await _write(broker.bootstrap, b"before")

        await asyncio.to_thread(broker.restart, kill=True)

        assert [b"before"] == await _read(broker.bootstrap)


async def _write(bootstrap: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("t", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait("t", value)


async def _read(bootstrap: str) -> list[bytes | None]:
    async with AIOKafkaConsumer("t", bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        record = await asyncio.wait_for(consumer.getone(), 20)
        assert record.offset == (await consumer.end_offsets([TopicPartition("t", 0)]))[TopicPartition("t", 0)] - 1
        return [record.value]
