"""Judges what workers have left behind: nothing lost, nothing doubled, state and outputs as one engine has them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from journey_stream.events.log import Deliver, Message, decode
from journey_stream.journey.model import Model
from journey_stream.worker.config import Settings
from journey_stream.worker.murmur import partition_for
from tests.integration.journeys import WITH_IDENTITY, Sent, model
from tests.integration.people import customers_of, decided_on
from tests.integration.reading import (
    behind,
    published,
    published_identities,
    published_risks,
    read_all,
    state_of,
    views_and_tombstones,
)
from tests.integration.truth import PassedOn, Truth, known, truth
from tests.integration.workers import until


async def judge(
    settings: Settings,
    sent: list[Sent],
    refused: list[Sent] | None = None,
) -> int:
    """Compare everything with the truth about `sent`; `refused` are those that must be dead letters, and no more.

    The journey is that of WITH_IDENTITY. Returns how many messages went from one partition of the log to another.
    Workers have been stopped.
    """
    journey = model(WITH_IDENTITY)
    clocks, hashes = await _check_state(settings, journey)
    expected = await asyncio.to_thread(truth, sent, journey, clocks, settings.limits)
    assert expected.state_hashes == hashes
    await _check_outputs(settings, expected, sent)
    await _check_dead_letters(settings, refused or [])
    return await _check_what_was_passed_on(settings, expected, sent)


async def until_all_is_processed(settings: Settings, seconds_max: float, logs: Any) -> None:
    """Return when no record waits; `logs()` is told if that takes too long."""
    deadline = until(seconds_max)
    while left := await behind(settings):
        assert time.monotonic() < deadline, f"still {left} records behind\n{logs()}"
        await asyncio.sleep(0.2)


async def _check_state(settings: Settings, journey: Model) -> tuple[list[int], list[str]]:
    """Every task has applied its whole log; returns their clocks (ms), and the hashes of their states."""
    async with AIOKafkaConsumer(bootstrap_servers=settings.bootstrap_servers[0]) as consumer:
        places = [TopicPartition(settings.topics.log, number) for number in range(settings.partitions)]
        log_ends = await consumer.end_offsets(places)
    clocks, hashes = [], []
    for place in places:
        engine, position = await state_of(settings, place.partition, journey)
        assert position is not None
        assert log_ends[place] == position.next_offset
        clocks.append(engine.clock)
        hashes.append(engine.state_hash())
    return clocks, hashes


async def _check_outputs(settings: Settings, expected: Truth, sent: list[Sent]) -> None:
    seen, risks, identities = (
        await published(settings),
        await published_risks(settings),
        await published_identities(settings),
    )
    for revisions in (
        {profile: found.revisions for profile, found in seen.items()},
        {profile: found.revisions for profile, found in risks.items()},
        {profile: [message["revision"] for message in found] for profile, found in identities.items()},
    ):
        assert {profile: list(range(1, len(found) + 1)) for profile, found in revisions.items()} == revisions
    assert expected.net == {profile: found.net for profile, found in seen.items() if found.net}
    assert expected.risks == {profile: found.net for profile, found in risks.items() if found.net}

    assert expected.identities == known((m for found in identities.values() for m in found), decided_on(sent))
    assert {"linked", "unlinked", "shared", "blocked"} == {m["kind"] for found in identities.values() for m in found}

    views = await views_and_tombstones(settings)
    gone = {profile for profile, view in views.items() if view is None}
    assert gone
    standing = {profile: view for profile, view in views.items() if view is not None}
    assert _shown(expected.views) == _shown(standing)
    customers = customers_of(sent)
    assert [] == [
        (profile, event_id)
        for told_of in (seen, risks)
        for profile, found in told_of.items()
        for event_id in found.evidence
        if customers.get(event_id, profile) != profile
    ]


async def _check_dead_letters(settings: Settings, refused: list[Sent]) -> None:
    """The bytes of all that was refused, and nothing else. The router writes at least once: a repeat has the same."""
    values = {one.value for one in await read_all(settings.bootstrap_servers[0], settings.topics.dead_letters)}
    expected = {one.value for one in refused}
    lost, more = expected - values, values - expected
    assert not lost, f"not in the dead letters: {list(lost)[:3]}"
    assert not more, f"in the dead letters, though it can be used: {list(more)[:3]}"


def _shown(views: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Views without what depends on when they were written."""
    passing = {"revision", "last_touchpoint_at", "updated_at", "rfm"}
    shown = {profile: {name: view[name] for name in view.keys() - passing} for profile, view in views.items()}
    for view in shown.values():
        if view["risk"] is not None:
            del view["risk"]["revision"]
    return shown


async def _check_what_was_passed_on(settings: Settings, expected: Truth, sent: list[Sent]) -> int:
    """Of what identifiers said to one another nothing was lost or doubled; returns how much left its partition."""
    passed, customers, left = PassedOn(), customers_of(sent), 0
    for record in await read_all(settings.bootstrap_servers[0], settings.topics.log):
        message = decode(record.key, record.timestamp, record.value)
        sender = passed.add(message) if isinstance(message, Message) else None
        if sender is None:
            continue
        assert partition_for(record.key, settings.partitions) == record.partition
        left += partition_for(sender.encode(), settings.partitions) != record.partition
        if isinstance(message, Deliver):
            named = [one.event_id for one in message.touchpoints if one.event_id in customers]
            assert [] == named, f"{sender} has passed on what named a customer"
    assert expected.passed == passed.net
    return left
