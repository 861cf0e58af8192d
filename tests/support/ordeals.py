"""Hard lives for the engine: late, repeated and contradictory touchpoints, tight bounds, a clock that jumps."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Literal

from journey_stream.churn.score import Scorer
from journey_stream.engine.limits import Limits
from journey_stream.events.log import AsOf, Record, Tick, TouchpointRecord
from journey_stream.events.times import HOUR_MS
from journey_stream.journey.load import parse_model
from journey_stream.journey.model import Model
from tests.support.identity_oracle import is_admitted
from tests.support.journeys import START, tricky_model
from tests.support.risks import nervous_scorer

WILD = """
model: wild
version: 1
stages:
  - {id: a, meaning: a}
  - {id: b, meaning: b SETTLE}
  - {id: c, meaning: c}
  - {id: d, meaning: d SETTLE}
touchpoints:
  view: {meaning: v, match: [{type: view}]}
  cart: {meaning: c, match: [{type: cart}]}
  buy: {meaning: b, match: [{type: buy}]}
  big: {meaning: b, match: [{type: buy, where: {value: {gte: 50}}}]}
rules:
  - {id: big, to: d, when: {touchpoint: big, count: 2, within: 40h}}
  - id: cart-buy
    to: c
    when: {any: [{all: [cart, {touchpoint: buy, within: 10h}]}, {touchpoint: cart, count: 3, within: 30h}]}
  - {id: back, to: a, after: [d, c], when: view}
  - {id: views, to: b, after: [a], when: {touchpoint: view, count: 2, within: 12h}}
  - {id: hello, to: a, when: any}
inactivity:
  - {id: no-view, in: [b], nothing_for: 6h, of: view, to: a}
  - {id: nothing, in: [c, d], nothing_for: 12h, of: any, to: b}
  - {id: no-buy, in: [d], nothing_for: 12h, of: buy, to: c}
moves: {forward: any, back: any, win_back: any}
"""

Conflicts = Literal["none", "at one instant", "at other instants"]


@dataclass(frozen=True, slots=True)
class Ordeal:
    """What may befall a life; times in hours, of which one is drawn.

    `settles`: for how long two stages wait. `spans`: the time over which touchpoints happen. `pause`: they happen in
    three bursts with so much silence between them.
    """

    settles: tuple[str | None, ...] = (None,)
    conflicts: Conflicts = "none"
    lateness: tuple[int, ...] = (12, 48)
    allowance: tuple[int, ...] = (6, 24)
    spans: tuple[int, ...] = (24, 72, 240, 800)
    pause: int = 0
    touchpoints: int = 60
    held: tuple[int, ...] = (1_000_000,)


@dataclass(frozen=True, slots=True)
class Life:
    """What one partition has to go through; without a `scorer` churn risk is switched off."""

    model: Model
    scorer: Scorer | None
    limits: Limits
    records: list[Record]


@cache
def wild_model(settle: str | None) -> Model:
    """Every move is allowed, silences overlap and windows are short, so that nearly every touchpoint moves somebody."""
    return parse_model(WILD.replace(" SETTLE", f", settle: {settle}" if settle else ""), "wild.yaml")


@cache
def nervous() -> Scorer:
    """Nearly every touchpoint and every day of silence changes the band."""
    return nervous_scorer()


def draw_life(ordeal: Ordeal, rng: Random) -> Life:
    settle = rng.choice(ordeal.settles)
    model = rng.choice([wild_model(settle), tricky_model(settle=settle, segments=True)])
    limits = Limits(
        lateness_ms=rng.choice(ordeal.lateness) * HOUR_MS,
        allowance_ms=rng.choice(ordeal.allowance) * HOUR_MS,
        skew_ms=rng.choice([0, 3]) * HOUR_MS,
        touchpoints_max=rng.choice(ordeal.held),
    )
    records = [r for r in _touchpoints(ordeal, limits, rng) if is_admitted(limits, r.arrived_at, r.occurred_at)]
    if ordeal.conflicts == "at other instants":
        records = list(_while_rivals_are_held(records, limits))
    lag = rng.choice([0, limits.allowance_ms])
    records.sort(key=lambda r: r.arrived_at + rng.random() * lag)
    scorer = rng.choice([None, nervous(), nervous()])
    return Life(model, scorer, limits, list(_with_time(records, rng)))


def _touchpoints(ordeal: Ordeal, limits: Limits, rng: Random) -> Iterator[TouchpointRecord]:
    profiles, span = rng.choice([1, 2, 3]), rng.choice(ordeal.spans)
    for number in range(rng.randrange(1, ordeal.touchpoints)):
        hour = rng.randrange(span) + rng.randrange(3) * ordeal.pause
        event_id = f"e{rng.randrange(10**6):07d}{number}"
        profile = f"c{rng.randrange(profiles)}"
        record = _touchpoint(profile, event_id, START + hour * HOUR_MS, [5, 3, 2, 1], limits, rng)
        yield record
        if ordeal.conflicts != "none" and rng.random() < 0.15:
            for _ in range(rng.choice([1, 2])):
                away = 0 if ordeal.conflicts == "at one instant" else rng.choice([-8, -1, 0, 0, 1, 2, 5])
                yield _touchpoint(profile, event_id, record.occurred_at + away * HOUR_MS, [1, 1, 1, 1], limits, rng)
        if rng.random() < 0.1:
            yield _arriving(record, record.occurred_at + int(rng.random() * limits.lateness_ms))


def _touchpoint(
    profile: str, event_id: str, at: int, weights: list[int], limits: Limits, rng: Random
) -> TouchpointRecord:
    late = int(rng.choice([0, 0, rng.random(), 1.0]) * limits.lateness_ms)
    if late == 0 and rng.random() < 0.1:
        late = -rng.randrange(limits.skew_ms + 1)
    type_ = rng.choices(["view", "cart", "buy", "note"], weights)[0]
    value = rng.choice([None, 10, 50, 80.5]) if type_ == "buy" else None
    return TouchpointRecord(profile, at + late, at, event_id, rng.choice(["web", "store"]), type_, value)


def _arriving(record: TouchpointRecord, at: int) -> TouchpointRecord:
    return TouchpointRecord(
        record.profile_id, at, record.occurred_at, record.event_id, record.channel, record.type, record.value
    )


def _while_rivals_are_held(records: Iterable[TouchpointRecord], limits: Limits) -> Iterator[TouchpointRecord]:
    """Without the rivals that arrive after the lateness bound of the earliest: they are touchpoints of their own."""
    rivals: dict[str, list[TouchpointRecord]] = {}
    for record in records:
        rivals.setdefault(record.event_id, []).append(record)
    for group in rivals.values():
        earliest = min(record.occurred_at for record in group)
        yield from (record for record in group if record.arrived_at - earliest <= limits.lateness_ms)


def _with_time(records: list[TouchpointRecord], rng: Random) -> Iterator[Record]:
    """Ticks between the touchpoints, none later than the clock may be at the next; in the end a long silence."""
    clock = START
    for record in records:
        if rng.random() < 0.3 and record.arrived_at > clock:
            clock += rng.randrange(record.arrived_at - clock + 1)
            yield Tick(clock)
        clock = max(clock, record.arrived_at)
        yield record
    yield AsOf(clock + rng.randrange(30 * 24) * HOUR_MS)
