"""Reads what the output topics say of one profile."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from journey_stream.cli.errors import CommandError
from journey_stream.events.outputs import ProfileView, StageChange
from journey_stream.subscribe.history import StageHistory
from journey_stream.worker.broker_errors import BrokerUnreachable
from journey_stream.worker.clients import close_consumer, partition_consumer
from journey_stream.worker.config import Settings
from journey_stream.worker.murmur import partition_for


class Found(NamedTuple):
    """Every message that is kept about a profile, in the order of `revision`, and its last view."""

    messages: list[StageChange]
    view: ProfileView | None

    @property
    def history(self) -> StageHistory:
        """The changes that stand."""
        return StageHistory(self.messages)

    def to_document(self) -> dict[str, Any]:
        """For machines: the view, the changes that stand, and all messages."""
        return {
            "profile": None if self.view is None else self.view.model_dump(mode="json"),
            "history": [change.model_dump(mode="json") for change in self.history.changes],
            "messages": [message.model_dump(mode="json") for message in self.messages],
        }


async def read_profile(settings: Settings, profile_id: str) -> Found:
    """Read the profile's partitions from their start to their end. Raises BrokerUnreachable, CommandError."""
    consumer = partition_consumer(settings, committed_only=True)
    try:
        await consumer.start()
    except (KafkaError, OSError) as error:
        await close_consumer(consumer)
        raise BrokerUnreachable(settings.bootstrap_servers, str(error).strip().rstrip(".")) from error
    try:
        key = profile_id.encode()
        topics = settings.topics
        messages = [
            StageChange.model_validate_json(value)
            async for value in _values_of(consumer, topics.stage_changes, key)
            if value is not None
        ]
        view = None
        async for value in _values_of(consumer, topics.profiles, key):
            view = None if value is None else ProfileView.model_validate_json(value)
        return Found(sorted(messages, key=lambda message: message.revision), view)
    except KafkaError as error:
        raise CommandError(f"cannot read from {', '.join(settings.bootstrap_servers)}: {error}") from error
    finally:
        await close_consumer(consumer)


async def _values_of(consumer: Any, topic: str, key: bytes) -> AsyncIterator[bytes | None]:
    """The values under `key`, from the oldest to the last that is committed now."""
    partitions = consumer.partitions_for_topic(topic)
    if not partitions:
        raise CommandError(f"the topic {topic} does not exist; has a worker run with these settings?")
    place = TopicPartition(topic, partition_for(key, len(partitions)))
    consumer.assign([place])
    [start] = (await consumer.beginning_offsets([place])).values()
    [end] = (await consumer.end_offsets([place])).values()
    consumer.seek(place, start)
    while await consumer.position(place) < end:
        for records in (await consumer.getmany(place, timeout_ms=200)).values():
            for record in records:
                if record.key == key and record.offset < end:
                    yield record.value
