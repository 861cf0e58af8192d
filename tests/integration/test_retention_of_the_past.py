from __future__ import annotations

import asyncio
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from journey_stream.worker.config import Settings
from journey_stream.worker.topics import create_topics
from tests.support.kafka import KafkaBroker

YEAR_2017_MS = 1_483_228_800_000
LOOKS_OFTEN = {"log.retention.check.interval.ms": "200", "log.initial.task.delay.ms": "0"}


async def test_records_of_the_past_vanish_from_live_topics_and_stay_in_those_made_for_history(tmp_path: Path) -> None:
    with KafkaBroker(tmp_path / "kafka", overrides=LOOKS_OFTEN) as broker:
        live, past = (
            Settings(
                bootstrap_servers=(broker.bootstrap,), sources=(f"{name}.web",), topic_prefix=f"{name}.", partitions=1
            )
            for name in ("live", "past")
        )
        await create_topics(live)
        await create_topics(past, history=True)

        # The topic that keeps is written first, so that the broker has looked at it by when the other is empty.
        await write_an_old_record(past)
        await write_an_old_record(live)
        await until_the_log_starts_at(1, live)

        assert 0 == await log_start(past)


async def write_an_old_record(settings: Settings) -> None:
    async with AIOKafkaProducer(**settings.client_options()) as producer:
        await producer.send_and_wait(settings.topics.log, b"x", partition=0, timestamp_ms=YEAR_2017_MS)


async def log_start(settings: Settings) -> int:
    partition = TopicPartition(settings.topics.log, 0)
    async with AIOKafkaConsumer(**settings.client_options()) as consumer:
        offsets: dict[TopicPartition, int] = await consumer.beginning_offsets([partition])
        return offsets[partition]


async def until_the_log_starts_at(offset: int, settings: Settings) -> None:
    async with asyncio.timeout(30):
        while await log_start(settings) < offset:
            continue
