"""Small models, random touchpoints and the reading of published messages, shared by property and simulation tests."""

from collections.abc import Iterable
from random import Random

from journey_stream.events.decisions import Decision, ProfileChanged, StageChanged
from journey_stream.events.log import TouchpointRecord
from journey_stream.events.times import DAY_MS, HOUR_MS
from journey_stream.journey.load import parse_model
from journey_stream.journey.model import Model
from tests.support.oracle import Entry

START = 1_700_000_000_000

TRICKY = """
model: tricky
version: 3
description: Every feature of the rule language in one small model.
stages:
  - {id: aware, meaning: knows us}
  - {id: warm, meaning: looks}
  - {id: hot, meaning: nearly buys}
  - {id: customer, meaning: bought}
touchpoints:
  view: {meaning: looked, match: [{channel: web, type: view}]}
  cart: {meaning: filled a cart, match: [{channel: [web, store], type: cart}]}
  big: {meaning: spent much, match: [{type: buy, where: {value: {gte: 50}}}]}
  buy: {meaning: bought, match: [{type: buy}]}
rules:
  - {id: big-spender, to: customer, when: big, text: spent 50 or more}
  - {id: two-buys, to: customer, after: [hot, warm], when: {touchpoint: buy, count: 2, within: 20d}, text: bought twice}
  - id: hot-now
    to: hot
    when: {any: [{all: [cart, {touchpoint: view, count: 2, within: 5d}]}, {touchpoint: cart, count: 3}]}
    text: cart and views
  - {id: looks, to: warm, after: [aware], when: {touchpoint: view, count: 2, within: 3d}, text: two views}
  - {id: hello, to: aware, when: any, text: first contact}
inactivity:
  - {id: cool, in: [hot], nothing_for: 4d, of: any, to: warm, text: quiet}
  - {id: cold, in: [warm], nothing_for: 6d, of: view, to: aware, text: no views}
  - {id: lapsed, in: [customer], nothing_for: 15d, of: buy, to: warm, text: no purchase}
moves: {forward: any, back: inactivity, win_back: any}
identity: off # with it, touchpoints are held for longer than these tests of one profile wait
"""

SEGMENTS = """
segments:
  - {id: abandoned, meaning: cart, when: {touchpoint: cart, not_followed_by: buy, for: 5h, last_within: 3d}}
  - {id: new, meaning: first, when: {any: [{touchpoint: cart, first_within: 1d}, {touchpoint: buy, first_within: 2d}]}}
  - {id: best, meaning: scores, when: {rfm: {recency: {gte: 3}, frequency: {gte: 3}, monetary: {gte: 2, lte: 4}}}}
  - id: at-risk
    meaning: likely to stay away
    when: {any: [{all: [{risk: [high, critical]}, {touchpoint: buy, last_within: 6d}]}, {rfm: {recency: 2}}]}
  - id: lapsed
    meaning: long ago
    when: {all: [{touchpoint: buy, nothing_for: 9d, known_for: 10d}, {touchpoint: view, last_within: 8d}]}
  - {id: returning, meaning: again, when: {touchpoint: buy, back_after: 36h, back_within: 30h}}
  - {id: loyal, meaning: often, when: {any: [{stage: [hot, customer]}, {touchpoint: big, at_least: 2, at_most: 3}]}}
  - {id: web, meaning: on the web, when: {touchpoint: any, where: {channel: web}, last_within: 4d}}
  - {id: never, meaning: no buy, when: {all: [{touchpoint: buy, at_most: 0}, {touchpoint: cart, nothing_for: 20d}]}}
"""


def tricky_model(*, settle: str | None = None, segments: bool = False) -> Model:
    """The small model with every feature; `settle` makes two of its stages wait. With SEGMENTS if asked for."""
    text = TRICKY + SEGMENTS * segments
    if settle is not None:
        text = text.replace("{id: warm,", f"{{id: warm, settle: {settle},").replace(
            "{id: customer,", f"{{id: customer, settle: {settle},"
        )
    return parse_model(text, "tricky.yaml")


def touchpoint(
    event_id: str,
    type_: str,
    day: float,
    *,
    profile: str = "c1",
    channel: str = "web",
    value: float | None = None,
    late: float = 0,
) -> TouchpointRecord:
    """A touchpoint on some day after START that arrives `late` days after it happened."""
    at = START + round(day * DAY_MS)
    return TouchpointRecord(profile, at + round(late * DAY_MS), at, event_id, channel, type_, value)


def random_touchpoints(rng: Random, count: int, profiles: int, days: int) -> list[TouchpointRecord]:
    """Touchpoints of several profiles, in order of time; some at the same instant, hours are round."""
    records = []
    for number in range(count):
        at = START + rng.randrange(days * 24) * HOUR_MS
        type_ = rng.choices(["view", "cart", "buy", "note"], [5, 3, 2, 1])[0]
        value = rng.choice([None, 10.0, 50.0, 80.5]) if type_ == "buy" else None
        profile = f"c{rng.randrange(profiles)}"
        channel = rng.choice(["web", "store"])
        records.append(TouchpointRecord(profile, at, at, f"e{number:07d}", channel, type_, value))
    return sorted(records, key=lambda r: (r.occurred_at, r.event_id))


def delayed(rng: Random, records: Iterable[TouchpointRecord], late_days: float) -> list[TouchpointRecord]:
    """The same touchpoints in an order of arrival in which each may be late by up to `late_days`."""
    arrived = []
    for r in records:
        late = rng.choice([0, 0, rng.random()]) * late_days
        at = r.occurred_at + int(late * DAY_MS)
        arrived.append(
            TouchpointRecord(r.profile_id, at, r.occurred_at, r.event_id, r.channel, r.type, r.value),
        )
    return sorted(arrived, key=lambda r: r.arrived_at)


def last_views(decisions: Iterable[Decision]) -> dict[str, ProfileChanged]:
    """The view of each profile that compaction leaves."""
    return {view.profile_id: view for view in decisions if isinstance(view, ProfileChanged)}


def net_history(decisions: Iterable[Decision]) -> dict[str, list[Entry]]:
    """What a subscriber holds after applying the messages of each profile in the order of `revision`.

    Raises AssertionError when revisions have a gap or a repeat, when something is entered twice without having been
    retracted, or retracted without having been entered.
    """
    histories: dict[str, dict[str, StageChanged]] = {}
    revisions: dict[str, int] = {}
    for change in decisions:
        if not isinstance(change, StageChanged):
            continue
        profile = change.profile_id
        assert change.revision == revisions.get(profile, 0) + 1, f"{change} follows {revisions.get(profile)}"
        revisions[profile] = change.revision
        history = histories.setdefault(profile, {})
        if change.kind == "entered":
            assert change.change_id not in history, f"entered twice: {change}"
            history[change.change_id] = change
        else:
            assert change.change_id in history, f"retracted but never entered: {change}"
            del history[change.change_id]
    return {
        profile: [
            Entry(c.entered_at, c.from_stage, c.to_stage, c.rule, c.evidence)
            for c in sorted(history.values(), key=lambda c: (c.entered_at, c.revision))
        ]
        for profile, history in histories.items()
        if history
    }
