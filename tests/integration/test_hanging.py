"""A transaction whose end the broker has lost, as Apache Kafka does when all replicas of a partition are down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from journey_stream.worker.clients import abandon_producer, transactional_producer
from journey_stream.worker.config import Settings
from journey_stream.worker.topics import create_topics
from tests.integration.journeys import MODEL
from tests.integration.reading import read_all
from tests.integration.running import read, running, send
from tests.integration.test_worker import touchpoint
from tests.integration.workers import read_config, write_config
from tests.support.kafka import KafkaBroker

LEFT_BEHIND = b"left behind"


@pytest.fixture(scope="module")
def lax_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """A broker that does not ask the coordinator of transactions about what it writes: only there one can be left."""
    overrides = {"transaction.partition.verification.enable": "false"}
    with KafkaBroker(tmp_path_factory.mktemp("lax"), overrides=overrides) as broker:
        yield broker


async def leave_open(settings: Settings, *topics: str) -> None:
    """Write as the task of partition 0, in a transaction of which the broker's coordinator knows nothing."""
    producer = transactional_producer(settings, 0)
    await producer.start()
    await producer.begin_transaction()
    for topic in topics:
        producer._txn_manager._txn_partitions.add(TopicPartition(topic, 0))
        await producer.send_and_wait(topic, LEFT_BEHIND, b"k", partition=0)
    await abandon_producer(producer)


async def open_records(settings: Settings, topic: str) -> int:
    """How many records at the end of partition 0 are in a transaction that has not ended."""
    ends = []
    for isolation in ("read_uncommitted", "read_committed"):
        async with AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap_servers[0], isolation_level=isolation
        ) as consumer:
            ends += (await consumer.end_offsets([TopicPartition(topic, 0)])).values()
    return ends[0] - ends[1]


async def test_a_transaction_without_an_end_is_aborted_before_a_task_begins(
    lax_broker: KafkaBroker, prefix: str, tmp_path: Path
) -> None:
    (tmp_path / "model.yaml").write_text(MODEL)
    path = write_config(
        tmp_path, lax_broker.bootstrap, prefix, partitions=1, session_timeout="2s", model=str(tmp_path / "model.yaml")
    )
    settings = read_config(path)
    await create_topics(settings, history=True)
    topics = settings.topics
    await leave_open(settings, topics.stage_changes, topics.state)
    assert [1, 1] == [await open_records(settings, topic) for topic in (topics.stage_changes, topics.state)]

    async with running(settings):
        await send(settings, [touchpoint(settings, "e1")])
        seen = await read(settings, topics.stage_changes, 1)

    assert [b"c1"] == [record.key for record in seen]
    assert [0, 0] == [await open_records(settings, topic) for topic in (topics.stage_changes, topics.state)]
    for topic in (topics.stage_changes, topics.state):
        assert LEFT_BEHIND not in [record.value for record in await read_all(lax_broker.bootstrap, topic)]
