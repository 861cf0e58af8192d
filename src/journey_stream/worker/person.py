"""What our topics hold on one person: who is linked to whom, and every record under one of their identifiers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable
from typing import Any, NamedTuple, Self

from aiokafka import AIOKafkaConsumer

from journey_stream.engine.head import LINKS
from journey_stream.engine.links import Links, Ranking, unpack_links
from journey_stream.events.erasures import Spans, common, covers, is_whole, united, whole
from journey_stream.events.framing import unframed
from journey_stream.events.log import Source, decode_touchpoint, original_of
from journey_stream.events.times import MS_MAX
from journey_stream.journey.model import Identity
from journey_stream.worker.clients import close_consumer, partition_consumer
from journey_stream.worker.committed import committed_records
from journey_stream.worker.config import Settings
from journey_stream.worker.topic_checks import TopicState

_LINKS = b"p" + LINKS.to_bytes(4, "big")


class Person(NamedTuple):
    """One profile with the identifiers linked to it, and when (spans) each of them was this person.

    `parents` are the higher identifiers that the profile itself is linked to. Identifiers in `unnamed` the profile's
    own state does not name, because there are too many.
    """

    profile_id: str
    spans: dict[str, Spans]
    parents: tuple[str, ...]
    unnamed: frozenset[str] = frozenset()

    @property
    def own(self) -> list[str]:
        """The identifiers that nobody else uses: the profile first, then in order."""
        return [one for one, spans in self.spans.items() if is_whole(spans)]

    @property
    def shared(self) -> list[str]:
        """Those that were somebody else's at other times."""
        return [one for one, spans in self.spans.items() if not is_whole(spans)]


class Held(NamedTuple):
    """So many records with a value that a topic holds under some identifiers; the newest was written at `newest_at`."""

    records: int
    newest_at: int


class LoggedTouchpoint(NamedTuple):
    """A touchpoint as the log has it, without a frame; instants in ms."""

    identifier: str
    occurred_at: int
    arrived_at: int
    source: Source
    original: bytes


class PersonReader:
    """`async with PersonReader(settings, states) as reader`; `states` are the topics as the broker describes them.

    Joins no group and writes nothing. Raises KafkaError, and Uncertain if a broker stops to deliver.
    """

    def __init__(self, settings: Settings, states: dict[str, TopicState]) -> None:
        self._settings = settings
        self._states = states
        self._consumer: AIOKafkaConsumer = partition_consumer(settings)

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await close_consumer(self._consumer)

    async def find(self, profile_id: str, identity: Identity | None) -> Person:
        """Who belongs to a profile, by the links that the state holds; with identity off, only itself."""
        if identity is None:
            return Person(profile_id, {profile_id: whole(MS_MAX)}, ())
        ranking = Ranking(identity, self._settings.lateness_ms)
        spans: dict[str, Spans] = {profile_id: whole(MS_MAX)}
        known: dict[str, Links] = {}
        level = {profile_id}
        while level:
            found = await self._links_about(level, ranking)
            known |= found
            lower: set[str] = set()
            for one, links in found.items():
                share = _share(one, links, spans)
                if one != profile_id and share and share != spans.get(one):
                    spans[one] = share
                    lower.add(one)
            level = lower
        own = known.get(profile_id)
        named = {child for one in spans if one in known for child in known[one].lower()}
        parents = () if own is None else tuple(sorted(own.attached()))
        return Person(profile_id, spans, parents, frozenset(spans.keys() - named - {profile_id}))

    async def _links_about(self, ids: Collection[str], ranking: Ranking) -> dict[str, Links]:
        """The links of these identifiers, and of all that are linked to one of them."""
        names = [one.encode() for one in ids]
        packed: dict[str, bytes] = {}
        async for record in self._records(self._settings.topics.state):
            if not record.key.startswith(_LINKS):
                continue
            one, value = record.key[len(_LINKS) :].decode(), record.value
            if value is not None and (one in ids or any(name in value for name in names)):
                packed[one] = value
            else:
                packed.pop(one, None)
        found = {one: unpack_links(value, ranking) for one, value in packed.items()}
        return {one: links for one, links in found.items() if one in ids or links.observations.keys() & ids}

    async def held(self, ids: Iterable[str]) -> dict[str, Held]:
        """What each of our topics holds under these identifiers, by topic."""
        topics, keys = self._settings.topics, {one.encode() for one in ids}
        found: dict[str, Held] = {}
        for topic in (topics.state, topics.profiles):
            found[topic] = await self._latest(topic, keys)
        for topic in (
            *(topics.stage_changes, topics.churn_risk, topics.identity_changes),
            *(topics.log, topics.dead_letters, topics.operations),
        ):
            count, newest = 0, 0
            async for record in self._records(topic):
                if record.key in keys and record.value is not None:
                    count, newest = count + 1, max(newest, record.timestamp)
            found[topic] = Held(count, newest)
        return found

    async def _latest(self, topic: str, keys: Collection[bytes]) -> Held:
        kept: dict[bytes, int] = {}
        async for record in self._records(topic):
            if _subject(record.key, is_state=topic == self._settings.topics.state) in keys:
                if record.value is None:
                    kept.pop(record.key, None)
                else:
                    kept[record.key] = record.timestamp
        return Held(len(kept), max(kept.values(), default=0))

    async def values(self, topic: str, profile_id: str) -> list[bytes]:
        """The values under a key since the last null, without frames, oldest first."""
        key, found = profile_id.encode(), list[bytes]()
        async for record in self._records(topic):
            if record.key == key:
                found = [] if record.value is None else [*found, unframed(record.value)]
        return found

    async def touchpoints(self, person: Person) -> list[LoggedTouchpoint]:
        """The person's touchpoints that the log still holds, oldest first."""
        found: list[LoggedTouchpoint] = []
        async for record in self._records(self._settings.topics.log):
            read = decode_touchpoint(record.key, record.value)
            if read is None:
                continue
            one, at, _ = read
            original = original_of(record.value) if covers(person.spans.get(one, ()), at) else None
            if original is not None:
                found.append(LoggedTouchpoint(one, at, record.timestamp, original[0], unframed(original[2])))
        return sorted(found, key=lambda one: (one.occurred_at, one.source))

    def _records(self, topic: str) -> AsyncIterator[Any]:
        """Everything in a topic, from its beginning to what is committed now."""
        state = self._states.get(topic)
        return committed_records(self._consumer, topic, range(state.partitions if state else 0))


def _share(one: str, links: Links, spans: dict[str, Spans]) -> Spans:
    """When an identifier is the person's, whose identifiers so far are `spans`."""
    parents = links.observations.keys() & spans.keys() - {one}
    if links.is_only({parent for parent in parents if is_whole(spans[parent])}):
        return whole(MS_MAX)
    return united([span for parent in parents for span in common(links.spans_of(parent), spans[parent])])


def _subject(key: bytes, *, is_state: bool) -> bytes:
    """The profile id in the key of a record."""
    if not is_state:
        return key
    return key[5:] if key[:1] == b"p" else key[1:] if key[:1] == b"h" else b""
