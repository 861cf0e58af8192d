"""Reads what the output topics say of one profile."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from journey_stream.cli.errors import CommandError
from journey_stream.events.framing import unframed
from journey_stream.events.outputs import ChurnRiskChange, IdentityChange, ProfileView, StageChange
from journey_stream.subscribe.history import RiskHistory, StageHistory
from journey_stream.worker.broker_errors import BrokerUnreachable
from journey_stream.worker.clients import close_consumer, partition_consumer
from journey_stream.worker.config import Settings
from journey_stream.worker.murmur import partition_for
from journey_stream.worker.rights_check import require_rights


class Found(NamedTuple):
    """Every message that is kept about a profile, in the order of `revision`, and its last view.

    `identities` are those about the profile as an identifier, `linked` those about lower identifiers that name it as
    their parent.
    """

    messages: list[StageChange]
    view: ProfileView | None
    risks: Sequence[ChurnRiskChange] = ()
    identities: Sequence[IdentityChange] = ()
    linked: Sequence[IdentityChange] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of the profile."""
        return self.view is None and not (self.messages or self.risks or self.identities or self.linked)

    @property
    def merged_into(self) -> str | None:
        """Where to look for the profile now, if nothing of its own is left."""
        into = None
        for change in self.identities:
            if change.kind == "linked":
                into = change.merged_into
            elif change.kind == "blocked" or (change.kind == "unlinked" and change.parent == into):
                into = None
        return into if self.view is None else None

    @property
    def history(self) -> StageHistory:
        """The changes that stand."""
        return StageHistory(self.messages)

    @property
    def risk_history(self) -> RiskHistory:
        """The changes of churn risk that stand."""
        return RiskHistory(self.risks)

    def to_document(self) -> dict[str, Any]:
        """For machines: the view, the changes that stand, and all messages, those about identifiers too."""
        return {
            "profile": None if self.view is None else self.view.model_dump(mode="json"),
            "history": [change.model_dump(mode="json") for change in self.history.changes],
            "messages": [message.model_dump(mode="json") for message in self.messages],
            "risk_history": [change.model_dump(mode="json") for change in self.risk_history.changes],
            "risk_messages": [message.model_dump(mode="json") for message in self.risks],
            "merged_into": self.merged_into,
            "identity_messages": [message.model_dump(mode="json") for message in self.identities],
            "linked_messages": [message.model_dump(mode="json") for message in self.linked],
        }


async def read_profile(settings: Settings, profile_id: str) -> Found:
    """Read the profile's partitions from their start to their end. Raises BrokerUnreachable, CommandError.

    Messages about an identifier lie in its own partition: all are read for those that name the profile.
    """
    await require_rights(settings, "explain")
    key, topics = profile_id.encode(), settings.topics
    consumer = partition_consumer(settings)
    try:
        read = [topics.stage_changes, topics.churn_risk, topics.profiles, topics.identity_changes]
        counts = await _partition_counts(settings, read)
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
        identities, linked = await _identities(consumer, topics.identity_changes, counts, profile_id)
        return Found(sorted(messages, key=_revision), view, sorted(risks, key=_revision), identities, linked)
    except (KafkaError, OSError) as error:
        raise BrokerUnreachable(settings.bootstrap_servers, str(error).strip().rstrip(".")) from error
    finally:
        await close_consumer(consumer)


def _revision(message: StageChange | ChurnRiskChange | IdentityChange) -> int:
    return message.revision


async def _identities(
    consumer: AIOKafkaConsumer, topic: str, counts: dict[str, int], profile_id: str
) -> tuple[list[IdentityChange], list[IdentityChange]]:
    """The messages about a profile as an identifier, and those about others that name it as their parent."""
    key, own, linked = profile_id.encode(), list[IdentityChange](), list[IdentityChange]()
    quoted = msgspec.json.encode(profile_id)  # as it stands in a value that names it
    for number in range(counts[topic]):
        async for record in _records_of(consumer, TopicPartition(topic, number)):
            if record.value is None:  # it was erased: what comes now is of somebody new
                own = [one for one in own if record.key != key]
                linked = [one for one in linked if one.profile_id.encode() != record.key]
                continue
            if record.key != key and quoted not in record.value:
                continue
            change = IdentityChange.model_validate_json(unframed(record.value))
            if record.key == key:
                own.append(change)
            elif change.parent == profile_id:
                linked.append(change)
    return sorted(own, key=_revision), sorted(linked, key=lambda one: (one.profile_id, one.revision))


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


async def _values_of(
    consumer: AIOKafkaConsumer, topic: str, counts: dict[str, int], key: bytes
) -> AsyncIterator[bytes | None]:
    """The values under `key`, without frames, from the oldest to the last that is committed now."""
    async for record in _records_of(consumer, TopicPartition(topic, partition_for(key, counts[topic]))):
        if record.key == key:
            yield None if record.value is None else unframed(record.value)


async def _records_of(consumer: AIOKafkaConsumer, place: TopicPartition) -> AsyncIterator[ConsumerRecord]:
    """The records of a partition, from the oldest to the last that is committed now."""
    consumer.assign([place])
    [start] = (await consumer.beginning_offsets([place])).values()
    [end] = (await consumer.end_offsets([place])).values()
    consumer.seek(place, start)
    while await consumer.position(place) < end:
        for records in (await consumer.getmany(place, timeout_ms=200)).values():
            for record in records:
                if record.offset < end:
                    yield record
