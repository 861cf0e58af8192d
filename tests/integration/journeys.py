"""The journey of tests on a real broker, and what messages about it come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from journey_stream.churn.load import shipped
from journey_stream.churn.score import Scorer
from journey_stream.journey.load import parse_model
from journey_stream.journey.model import Model

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

WITH_IDENTITY = MODEL.replace("identity: off", "identity: {look_back: 5d, shared_after: {customers: 3, parents: 50}}")
"""The same with the usual identifiers, which are linked to one another."""


class Sent(NamedTuple):
    """One record for a source topic; `timestamp` in ms."""

    topic: str
    partition: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class PublishedRisk(NamedTuple):
    """What a churn-risk topic says of one profile: `net` are the ids that were entered and not retracted.

    `evidence` are the event_ids that any message gave, one that was retracted too.
    """

    revisions: list[int]
    net: list[str]
    evidence: set[str]


class Published(NamedTuple):
    """What a stage-changes topic says of one profile: `net` is entered minus retracted; `evidence` as for risk."""

    revisions: list[int]
    net: list[tuple[str, str | None, str]]
    evidence: set[str]


def model(text: str = MODEL) -> Model:
    return parse_model(text, "test model")


def scorer() -> Scorer:
    """That of the parameters that a worker uses by default."""
    return Scorer(shipped())


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
