"""Operations by hand on identifiers, written to the topic that every router reads beside the sources."""

from __future__ import annotations

from journey_stream.events.log import Source
from journey_stream.worker.config import Settings
from journey_stream.worker.murmur import partition_for
from journey_stream.worker.positions import Positions
from journey_stream.worker.replay import broker_errors, producing


async def write_operation(settings: Settings, key: bytes, value: bytes) -> Source:
    """Write one operation and return where it stands. Raises WorkerError or BrokerUnreachable."""
    topic = settings.topics.operations
    async with broker_errors(settings), Positions(settings) as positions, producing(settings) as producer:
        partition = partition_for(key, positions.sources[topic])
        written = await producer.send_and_wait(topic, value, key, partition=partition)
        return Source(topic, partition, written.offset)
