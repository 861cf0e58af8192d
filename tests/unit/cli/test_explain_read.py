from collections import defaultdict
from typing import Any, NamedTuple, cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from journey_stream.cli.explain_read import _identities
from journey_stream.events.decisions import IdentityChanged
from journey_stream.events.wire import encode_identity_change

TOPIC = "journey.identity-changes"


class Record(NamedTuple):
    offset: int
    key: bytes
    value: bytes | None


class Consumer:
    """As much of a consumer as reading partitions takes; `parts` holds the records of each partition."""

    def __init__(self, parts: dict[int, list[tuple[str, bytes | None]]]) -> None:
        self._parts = {
            number: [Record(offset, key.encode(), value) for offset, (key, value) in enumerate(part)]
            for number, part in parts.items()
        }
        self._at: defaultdict[TopicPartition, int] = defaultdict(int)

    def assign(self, places: list[TopicPartition]) -> None:
        pass

    async def beginning_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, 0)

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: len(self._parts[place.partition]) for place in places}

    def seek(self, place: TopicPartition, offset: int) -> None:
        self._at[place] = offset

    async def position(self, place: TopicPartition) -> int:
        return self._at[place]

    async def getmany(self, place: TopicPartition, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        del timeout_ms
        start = self._at[place]
        self._at[place] = len(self._parts[place.partition])
        return {place: self._parts[place.partition][start:]}


def told(child: str, revision: int, parent: str | None, text: str = "") -> tuple[str, bytes]:
    kind: Any = "linked" if parent else "blocked"
    change = IdentityChanged(
        f"{child} {parent}", kind, child, revision, parent, 1_767_225_600_000, "observed", text, ("e1",), None
    )
    return child, encode_identity_change(change)


async def identities(parts: dict[int, list[tuple[str, bytes | None]]], profile: str) -> tuple[list[str], list[str]]:
    """Which messages are found, as `identifier revision`: those about the profile, and those that name it."""
    consumer = cast("AIOKafkaConsumer", Consumer(parts))
    own, linked = await _identities(consumer, TOPIC, {TOPIC: len(parts)}, profile)
    return [f"{one.profile_id} {one.revision}" for one in own], [f"{one.profile_id} {one.revision}" for one in linked]


async def test_who_names_a_profile_as_its_parent_is_found_in_any_partition() -> None:
    parts: dict[int, list[tuple[str, bytes | None]]] = {
        0: [told("device_id:d1", 1, "c1"), told("device_id:d2", 1, "c2")],
        1: [told("email:a", 1, "c1"), told("email:a", 2, "c2", 'not "c1" any more')],
        2: [],
    }

    assert ([], ["device_id:d1 1", "email:a 1"]) == await identities(parts, "c1")
    assert (["email:a 1", "email:a 2"], []) == await identities(parts, "email:a")


@pytest.mark.parametrize("profile", ["c1", "email:a"])
async def test_what_was_told_of_an_erased_identifier_is_not_told_again(profile: str) -> None:
    parts: dict[int, list[tuple[str, bytes | None]]] = {
        0: [told("email:a", 1, "c1"), told("email:a", 2, None), ("email:a", None), told("email:a", 1, "c1")],
    }

    own, linked = await identities(parts, profile)

    assert ["email:a 1"] == own + linked
