"""Reads what the output topics say of one profile."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from journey_stream.cli.errors import CommandError
from journey_stream.events.outputs import ChurnRiskChange, ProfileView, StageChange
from journey_stream.subscribe.history import RiskHistory, StageHistory
from journey_stream.worker.broker_errors import BrokerUnreachable
from journey_stream.worker.clients import close_consumer, partition_consumer
from journey_stream.worker.config import Settings
from journey_stream.worker.murmur import partition_for


class Found(NamedTuple):
    """Every message that is kept about a profile, in the order of `revision`, and its last view."""

    messages: list[StageChange]
    view: ProfileView | None
    risks: Sequence[ChurnRiskChange] = ()

    @property
    def history(self) -> StageHistory:
        """The changes that stand."""
        return StageHistory(self.messages)

    @property
    def risk_history(self) -> RiskHistory:
        """The changes of churn risk that stand."""
        return RiskHistory(self.risks)

    def to_document(self) -> dict[str, Any]:
        """For machines: the view, the changes that stand, and all messages."""
        return {
            "profile": None if self.view is None else self.view.model_dump(mode="json"),
            "history": [change.model_dump(mode="json") for change in self.history.changes],
            "messages": [message.model_dump(mode="json") for message in self.messages],
            "risk_history": [change.model_dump(mode="json") for change in self.risk_history.changes],
            "risk_messages": [message.model_dump(mode="json") for message in self.risks],
        }


async def read_profile(settings: Settings, profile_id: str) -> Found:
    """Read the profile's partitions from their start to their end. Raises BrokerUnreachable, CommandError."""
    key, topics = profile_id.encode(), settings.topics
    consumer = partition_consumer(settings)
    try:
        counts = await _partition_counts(settings, [topics.stage_changes, topics.churn_risk, topics.profiles])
        await consumer.start()
        messages: list[StageChange] = []
        async for value in _values_of(consumer, topics.stage_changes, counts, key):
            # A null says that the profile was erased: what came before is nobody's.
            messages = [] if value is None else [*messages, StageChange.model_validate_json(value)]
        risks: list[ChurnRiskChange] = []
        async for value in _values_of(consumer, topics.churn_risk, counts, key):
            risks = [] if value is None else [*risks, ChurnRiskChange.model_validate_json(value)]
        view = None
        async for value in _values_of(consumer, topics.profiles, counts, key):
            view = None if value is None else ProfileView.model_validate_json(value)
        return Found(sorted(messages, key=_revision), view, sorted(risks, key=_revision))
    except (KafkaError, OSError) as error:
        raise BrokerUnreachable(settings.bootstrap_servers, str(error).strip().rstrip(".")) from error
    finally:
        await close_consumer(consumer)


def _revision(message: StageChange | ChurnRiskChange) -> int:
    return message.revision


async def _partition_counts(settings: Settings, topics: list[str]) -> dict[str, int]:
    # A description of topics by name would let some brokers create them, so all are listed.
    admin = AIOKafkaAdminClient(**settings.client_options())
    try:
        await admin.start()
        counts = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
    finally:
        await admin.close()
    for topic in topics:
        if topic not in counts:
            raise CommandError(f"the topic {topic} does not exist; has a worker run with these settings?")
    return counts


async def _values_of(consumer: Any, topic: str, counts: dict[str, int], key: bytes) -> AsyncIterator[bytes | None]:
    """The values under `key`, from the oldest to the last that is committed now."""
    place = TopicPartition(topic, partition_for(key, counts[topic]))
    consumer.assign([place])
    [start] = (await consumer.beginning_offsets([place])).values()
    [end] = (await consumer.end_offsets([place])).values()
    consumer.seek(place, start)
    while await consumer.position(place) < end:
        for records in (await consumer.getmany(place, timeout_ms=200)).values():
            for record in records:
                if record.key == key and record.offset < end:
                    yield record.value
