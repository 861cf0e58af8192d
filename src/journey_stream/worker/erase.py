"""Erasing one person from a running system: what is there, the operation, the wait, and what is left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from journey_stream.events.erasures import Erasures, common, is_whole, whole
from journey_stream.events.times import DAY_MS
from journey_stream.journey.durations import format_duration
from journey_stream.journey.model import Identity
from journey_stream.worker.config import Settings
from journey_stream.worker.erasure_feed import ErasureFeed
from journey_stream.worker.erasure_key import erasure_key_of
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.person import Held, Person, PersonReader
from journey_stream.worker.topic_checks import TopicState
from journey_stream.worker.topic_specs import FOREVER, LONG_MAX

POLL_SECONDS = 0.2
SEGMENT_MS_DEFAULT = 7 * DAY_MS


class Left(NamedTuple):
    """What one topic held before, what it holds now, and when that is gone for good, in words."""

    topic: str
    found: int
    left: int
    gone: str


class Inventory(NamedTuple):
    """A person, and what is held under the identifiers that are theirs alone, by topic."""

    person: Person
    held: dict[str, Held]
    is_erased: bool
    """Whether an erasure is known, and nothing has come since that the state or the views hold."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known but the name."""
        return len(self.person.spans) == 1 and not any(held.records for held in self.held.values())


async def inventory(
    settings: Settings, states: dict[str, TopicState], profile_id: str, identity: Identity | None
) -> Inventory:
    """What is held now. Raises KafkaError, Uncertain, WorkerError."""
    feed = ErasureFeed(settings, erasure_key_of(settings))
    try:
        async with PersonReader(settings, states) as reader:
            await feed.open()
            person = await reader.find(profile_id, identity)
            held = await reader.held(person.own)
            kept = (
                len(person.spans) > 1 or held[settings.topics.state].records or held[settings.topics.profiles].records
            )
            return Inventory(person, held, not kept and bool(feed.erasures.of(profile_id)))
    finally:
        await feed.close()


async def erase_person(
    settings: Settings,
    states: dict[str, TopicState],
    before: Inventory,
    at: int,
    write: Callable[[str], Awaitable[object]],
    *,
    seconds_max: float,
) -> list[Left]:
    """Have the person erased up to `at` (ms), and return what is left once it is done.

    `write` writes the operation for an identifier. Raises WorkerError when the erasure has not arrived in time, and
    what the brokers say.
    """
    person = before.person
    feed = ErasureFeed(settings, erasure_key_of(settings))
    try:
        await feed.open()
        for one in (person.profile_id, *sorted(person.unnamed & set(person.own))):
            await write(one)
        await _until_erased(feed, settings, person, at, seconds_max)
    finally:
        await feed.close()
    async with PersonReader(settings, states) as reader:
        after = await reader.held(person.own)
    return left(before.held, after, states)


def left(before: dict[str, Held], after: dict[str, Held], states: dict[str, TopicState]) -> list[Left]:
    """What is left of what was held, by topic."""
    return [
        Left(topic, held.records, after[topic].records, gone(states[topic], after[topic], _now_ms()))
        for topic, held in before.items()
        if topic in states
    ]


async def _until_erased(feed: ErasureFeed, settings: Settings, person: Person, at: int, seconds_max: float) -> None:
    deadline = time.monotonic() + seconds_max
    following = asyncio.create_task(feed.follow())
    try:
        while waiting := _missing(feed.erasures, person, at):
            if following.done():
                following.result()
            if time.monotonic() > deadline:
                raise WorkerError(
                    f"The erasure of {person.profile_id} has not arrived after {seconds_max:.0f} s: "
                    f"{settings.topics.erasures} does not have {', '.join(waiting)}. The operation is in "
                    f"{settings.topics.operations} and takes effect when routers and tasks read it: is a worker of "
                    f"{settings.application_id} running, does it keep up (journey_consumer_lag_records), and has it "
                    "the same erasure key? Then run this again: it shows what is left."
                )
            await asyncio.sleep(POLL_SECONDS)
    finally:
        following.cancel()
        await asyncio.wait({following})


def _missing(erasures: Erasures, person: Person, at: int) -> list[str]:
    """The identifiers that are not erased yet."""
    found = []
    for one, spans in person.spans.items():
        wanted = common(spans, whole(at))
        known = common(erasures.of(one), wanted)
        # Of a shared identifier more may have become somebody else's since it was looked at.
        if wanted and (known != wanted if is_whole(wanted) else not known):
            found.append(one)
    return found


def gone(state: TopicState, held: Held, now_ms: int) -> str:
    """When the broker will have removed what a topic still has on its disks."""
    if state.configs["cleanup.policy"] == "compact":
        lag = state.configs.get("max.compaction.lag.ms", LONG_MAX)
        if lag == LONG_MAX:
            return "whenever the broker compacts it: max.compaction.lag.ms is not set"
        return f"compacted within {format_duration(int(lag))}"
    retention = state.configs["retention.ms"]
    if not held.records:
        return "nothing left"
    if retention == FOREVER:
        return "never: retention.ms is -1; lower it"
    segment_ms = int(state.configs.get("segment.ms", SEGMENT_MS_DEFAULT))
    days = max(0, held.newest_at + int(retention) + segment_ms - now_ms) / DAY_MS
    kept = f"retention {format_duration(int(retention))} and segments of {format_duration(segment_ms)}"
    return f"within {days:.1f} days ({kept})"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
