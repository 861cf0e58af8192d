"""Touchpoints for tests on a real broker, and what must become of them: the engine run over the sorted input."""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from journey_stream.churn.load import shipped
from journey_stream.churn.score import Scorer
from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition
from journey_stream.events.admission import Admitted, read_touchpoint
from journey_stream.events.decisions import ProfileChanged, Rejected, RiskChanged, StageChanged
from journey_stream.events.log import Source, Tick, TouchpointRecord, decode, encode_touchpoint
from journey_stream.journey.load import parse_model
from journey_stream.journey.model import Model
from journey_stream.worker.murmur import partition_for

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SILENCE_MS = 2 * DAY_MS

MODEL = """
model: test-journey
version: 1
description: Four stages, the first of which settles, and two silences.
stages:
  - {id: notice, meaning: Has heard of us, settle: 10m}
  - {id: interest, meaning: Looks at us}
  - {id: decision, meaning: Is about to buy}
  - {id: purchase, meaning: Has bought}
touchpoints:
  opened: {meaning: Opens a mail, match: [{channel: email, type: opened}]}
  view: {meaning: Looks at a product, match: [{channel: web, type: view}]}
  intent: {meaning: Wants to buy, match: [{channel: web, type: add_to_cart}, {channel: crm, type: quote}]}
  purchase: {meaning: Buys, match: [{channel: store, type: purchase}]}
rules:
  - {id: bought, to: purchase, when: {touchpoint: purchase, where: {value: {gte: 10}}}, text: Bought for at least 10.}
  - {id: wants, to: decision, when: {any: [intent, {touchpoint: view, count: 3, within: 1d}]}, text: Wants it.}
  - {id: looks, to: interest, when: view, text: Looks at us.}
  - {id: notices, to: notice, when: opened, text: Has heard of us.}
inactivity:
  - {id: gone-quiet, in: [decision], nothing_for: 2d, of: any, to: interest, text: Nothing for two days.}
  - {id: cold, in: [interest, purchase], nothing_for: 2d, of: any, to: notice, text: Nothing for two days.}
moves: {forward: any, back: inactivity, win_back: any}
identity: off
"""

_KINDS = [("web", "view"), ("web", "add_to_cart"), ("email", "opened"), ("crm", "quote"), ("store", "purchase")]


class Sent(NamedTuple):
    """One record for a source topic; `timestamp` in ms."""

    topic: str
    partition: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class PublishedRisk(NamedTuple):
    """What a churn-risk topic says of one profile: `net` are the ids that were entered and not retracted."""

    revisions: list[int]
    net: list[str]


class Published(NamedTuple):
    """What a stage-changes topic says of one profile: `net` is entered minus retracted."""

    revisions: list[int]
    net: list[tuple[str, str | None, str]]


def model() -> Model:
    return parse_model(MODEL, "test model")


def scorer() -> Scorer:
    """That of the parameters that a worker uses by default."""
    return Scorer(shipped())


def touchpoints(count: int, sources: dict[str, int], seed: int, customers: int = 500) -> list[Sent]:
    """`count` touchpoints of the last twenty days in the order of arrival, and 3 % of them once more.

    `sources` holds the partition count per source topic, whose last part is the channel. Some arrive hours or days
    late. Nobody falls silent within an hour of now: whether a timer has rung then would depend on the second.
    """
    rng = random.Random(seed)
    now = int(time.time() * 1000)
    topics = {name.rsplit(".", 1)[1]: name for name in sources}
    found: list[Sent] = []
    for number in range(count):
        at = now - 20 * DAY_MS + rng.randrange(20 * DAY_MS - 2 * HOUR_MS)
        if abs(now - SILENCE_MS - at) < HOUR_MS:
            at -= 3 * HOUR_MS
        channel, kind = rng.choices(_KINDS, [10, 2, 4, 1, 2])[0]
        profile = f"c{rng.randrange(customers)}"
        delay = rng.choices([rng.randrange(60_000), rng.randrange(6 * HOUR_MS), rng.randrange(10 * DAY_MS)], [90, 9, 1])
        value = {
            "event_id": f"e{number}",
            "occurred_at": at,
            "channel": channel,
            "type": kind,
            "customer_id": profile,
            "value": rng.choice([5, 10, 99.5]),
        }
        topic = topics[channel]
        key = rng.choice([None, profile.encode(), b"anything"])
        arrived = min(now, at + delay[0])
        found.append(Sent(topic, rng.randrange(sources[topic]), arrived, key, json.dumps(value).encode()))
        if rng.random() < 0.03:
            found.append(
                found[-1]._replace(partition=rng.randrange(sources[topic]), timestamp=min(now, arrived + 60_000))
            )
    found.sort(key=lambda sent: sent.timestamp)
    return found


class Truth(NamedTuple):
    """What must come out of one log partition."""

    net: dict[str, list[tuple[str, str | None, str]]]
    stages: dict[str, str | None]
    risks: dict[str, list[str]]
    bands: dict[str, str]
    state_hash: str


def truth(sent: Iterable[Sent], partitions: int, clocks: Sequence[int], limits: Limits) -> list[Truth]:
    """Per partition, the engine over the touchpoints in the order of happening, ended at the partition's clock (ms)."""
    records: list[list[TouchpointRecord]] = [[] for _ in range(partitions)]
    for one in sent:
        admitted = read_touchpoint(one.value)
        assert isinstance(admitted, Admitted)
        key = admitted.profile_id.encode()
        value = encode_touchpoint(admitted, Source(one.topic, one.partition, 0), one.key)
        record = decode(key, one.timestamp, value)
        assert isinstance(record, TouchpointRecord)
        records[partition_for(key, partitions)].append(record)
    return [_truth(records[number], clock, limits) for number, clock in enumerate(clocks)]


def _truth(records: list[TouchpointRecord], clock: int, limits: Limits) -> Truth:
    engine = Partition(model(), limits, scorer())
    changes: dict[str, list[StageChanged]] = defaultdict(list)
    risks: dict[str, list[RiskChanged]] = defaultdict(list)
    stages: dict[str, str | None] = {}
    bands: dict[str, str] = {}
    records.sort(key=lambda record: (record.occurred_at, record.arrived_at, record.event_id))
    for record in [*records, Tick(clock)]:
        for decision in engine.apply(record):
            assert not isinstance(decision, Rejected), decision
            if isinstance(decision, StageChanged):
                changes[decision.profile_id].append(decision)
            elif isinstance(decision, RiskChanged):
                risks[decision.profile_id].append(decision)
            elif isinstance(decision, ProfileChanged):
                stages[decision.profile_id] = decision.stage
                if decision.risk is not None:
                    bands[decision.profile_id] = decision.risk.band
    engine.drain_state()
    net = {profile: net_of([_as_message(change) for change in found]) for profile, found in changes.items()}
    net_risks = {profile: net_ids([(one.kind, one.risk_id) for one in found]) for profile, found in risks.items()}
    return Truth(
        {profile: history for profile, history in net.items() if history},
        stages,
        {profile: ids for profile, ids in net_risks.items() if ids},
        bands,
        engine.state_hash(),
    )


def net_ids(messages: Sequence[tuple[str, str]]) -> list[str]:
    """The ids that (kind, id) pairs in the order of revision leave, sorted."""
    standing: set[str] = set()
    for kind, name in messages:
        assert (name in standing) is (kind == "retracted"), f"{kind} {name} does not follow from what was told"
        standing ^= {name}
    return sorted(standing)


def net_of(messages: Sequence[dict[str, object]]) -> list[tuple[str, str | None, str]]:
    """The current history that messages in the order of revision leave, as (change_id, from_stage, to_stage).

    A correction enters changes behind those that still hold, so the order of the messages says nothing; the ids, which
    contain the instants, say it all. Sorted by id.
    """
    history: dict[object, tuple[str, str | None, str]] = {}
    for message in messages:
        if message["kind"] == "entered":
            assert message["change_id"] not in history
            history[message["change_id"]] = (
                str(message["change_id"]),
                message["from_stage"],  # type: ignore[dict-item]
                str(message["to_stage"]),
            )
        else:
            assert history.pop(message["change_id"], None), f"retracted but not entered: {message}"
    return sorted(history.values())


def _as_message(change: StageChanged) -> dict[str, object]:
    return {
        "kind": change.kind,
        "change_id": change.change_id,
        "from_stage": change.from_stage,
        "to_stage": change.to_stage,
    }
