"""What made-up customers do in half a year: late, twice, in conflict, and at times without saying who they are."""

from __future__ import annotations

import json
import random
from typing import Any

from journey_stream.events.admission import Refused, read_touchpoint
from journey_stream.journey.model import Model
from tests.integration.journeys import WITH_IDENTITY
from tests.support.map_oracle import Arrival

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
START_MS = 1_483_574_400_000  # 2017-01-05
DAYS = 150
END_MS = START_MS + (DAYS + 20) * DAY_MS

MODEL = f"""{WITH_IDENTITY}
segments:
  - {{id: buyer, meaning: Has bought in the last month, when: {{touchpoint: purchase, last_within: 30d}}}}
  - {{id: hesitant, meaning: Is about to buy, when: {{stage: [decision, interest]}}}}
"""

KINDS = [("web", "view"), ("web", "add_to_cart"), ("email", "opened"), ("crm", "quote"), ("store", "purchase")]
CAMPAIGNS = ["spring", "summer", None, None]
NAMED_BY = {
    ("customer_id",): 50,
    ("device_id",): 20,
    ("email",): 6,
    ("customer_id", "device_id"): 12,
    ("customer_id", "email", "device_id"): 3,
    ("email", "device_id"): 4,
    ("device_id", "anonymous_id"): 5,
}


def arrivals(model: Model, seed: int, customers: int = 60, touchpoints: int = 2_500) -> list[Arrival]:
    """Records in the order of their arrival, each at the latest instant that has occurred so far."""
    rng = random.Random(seed)
    queue: list[tuple[int, bytes]] = []
    logins: list[tuple[int, dict[str, str]]] = []
    lives = [sorted(rng.uniform(0, DAYS) for _ in range(2)) for _ in range(customers)]
    for number in range(touchpoints):
        who = rng.randrange(customers)
        at = START_MS + int(rng.uniform(*lives[who]) * DAY_MS)
        document = _touchpoint(rng, number, who, at)
        if {"customer_id", "device_id"} <= document["identifiers"].keys():
            logins.append((at, document["identifiers"]))
        delay = rng.choices([0, rng.randrange(6 * HOUR_MS), rng.randrange(25 * DAY_MS), 45 * DAY_MS], [80, 14, 5, 1])
        _put(queue, at + delay[0], document)
        if rng.random() < 0.04:
            _put(queue, at + delay[0] + rng.randrange(2 * DAY_MS), document)
        if rng.random() < 0.01:
            _put(queue, at + delay[0] + HOUR_MS, {**document, "occurred_at": at + HOUR_MS, "type": "view"})
    for number in range(12):
        at, names = rng.choice(logins)
        operation = _operation(rng, number, at, names)
        _put(queue, operation["occurred_at"], operation)
    queue += [(START_MS + day * DAY_MS, b'{"event_id": "broken%d"' % day) for day in range(10, DAYS, 30)]
    queue.sort(key=lambda one: one[0])
    found, now = [], START_MS
    for _, value in queue:
        said = read_touchpoint(value, model.policy())
        if not isinstance(said, Refused):
            now = max(now, said.occurred_at)
        found.append(Arrival(now, value))
    return found


def _put(queue: list[tuple[int, bytes]], at: int, document: dict[str, Any]) -> None:
    queue.append((at, json.dumps(document).encode()))


def _touchpoint(rng: random.Random, number: int, who: int, at: int) -> dict[str, Any]:
    channel, kind = rng.choices(KINDS, [10, 2, 5, 1, 3])[0]
    device = rng.choices([f"d{who}", f"t{who // 2}", f"k{who // 20}"], [14, 4, 1])[0]
    known = {
        "customer_id": f"c{who}",
        "email": rng.choice([f"Box{who}@Example.org", f"box{who}@example.org "]),
        "device_id": device,
        "anonymous_id": f"{device}-{at // (9 * DAY_MS)}",
    }
    names = rng.choices(list(NAMED_BY), list(NAMED_BY.values()))[0]
    document: dict[str, Any] = {
        "event_id": f"e{number}",
        "occurred_at": at,
        "channel": channel,
        "type": kind,
        "identifiers": {name: known[name] for name in names},
        "value": rng.choice([5, 10, 99.5]),
    }
    if kind == "purchase":
        document["currency"] = "EUR"
    if (campaign := rng.choice(CAMPAIGNS)) is not None:
        document["campaign"] = campaign
    return document


def _operation(rng: random.Random, number: int, seen_at: int, names: dict[str, str]) -> dict[str, Any]:
    named = {name: names[name] for name in ("device_id", "customer_id")}
    kind = ("unlink", "link", "block")[number % 3]
    if kind == "block":
        del named["customer_id"]
    properties: dict[str, Any] = {"who": "kim", "why": "somebody complained"}
    if kind != "block" and rng.random() < 0.5:
        properties["at" if kind == "link" else "since"] = seen_at - rng.randrange(48) * HOUR_MS
    return {
        "event_id": f"op{number}",
        "occurred_at": seen_at + rng.randrange(5 * DAY_MS),
        "channel": "identity",
        "type": kind,
        "identifiers": named,
        "properties": properties,
    }
