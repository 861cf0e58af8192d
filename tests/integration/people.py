"""What made-up people do, for tests on a real broker: mostly as customers, at times without saying who they are."""

from __future__ import annotations

import json
import random
import time
from typing import Any

from tests.integration.journeys import DAY_MS, HOUR_MS, SILENCE_MS, Sent

_KINDS = [("web", "view"), ("web", "add_to_cart"), ("email", "opened"), ("crm", "quote"), ("store", "purchase")]

_NAMED_BY = {
    ("customer_id",): 60,
    ("device_id",): 12,
    ("email",): 6,
    ("anonymous_id",): 5,
    ("customer_id", "device_id"): 9,
    ("customer_id", "email"): 3,
    ("customer_id", "email", "device_id"): 1,
    ("email", "device_id"): 2,
    ("device_id", "anonymous_id"): 2,
}
"""What touchpoints carry, in percent."""

CUSTOMERS_PER_KIOSK = 50
CUSTOMERS_PER_OPERATION = 50


def touchpoints(count: int, sources: dict[str, int], seed: int, customers: int = 500) -> list[Sent]:
    """`count` touchpoints of the last twenty days in the order of arrival, 3 % of them once more, and some operations.

    `sources` holds the partition count per source topic, whose last part is the channel. Some arrive hours or days
    late. Nobody falls silent within an hour of now: whether a timer has rung then would depend on the second.
    """
    rng = random.Random(seed)
    now = int(time.time() * 1000)
    topics = {name.rsplit(".", 1)[1]: name for name in sources}
    found: list[Sent] = []
    logins: list[tuple[int, dict[str, str]]] = []
    for number in range(count):
        at = now - 20 * DAY_MS + rng.randrange(20 * DAY_MS - 2 * HOUR_MS)
        if abs(now - SILENCE_MS - at) < HOUR_MS:
            at -= 3 * HOUR_MS
        channel, kind = rng.choices(_KINDS, [10, 2, 4, 1, 2])[0]
        names = _names(rng, rng.randrange(customers), at)
        if {"customer_id", "device_id"} <= names.keys():
            logins.append((at, names))
        delay = rng.choices([rng.randrange(60_000), rng.randrange(6 * HOUR_MS), rng.randrange(10 * DAY_MS)], [90, 9, 1])
        value = {
            "event_id": f"e{number}",
            "occurred_at": at,
            "channel": channel,
            "type": kind,
            "identifiers": names,
            "value": rng.choice([5, 10, 99.5]),
        }
        topic = topics[channel]
        key = rng.choice([None, next(iter(names.values())).encode(), b"anything"])
        arrived = min(now, at + delay[0])
        found.append(Sent(topic, rng.randrange(sources[topic]), arrived, key, json.dumps(value).encode()))
    for number in range(customers // CUSTOMERS_PER_OPERATION):
        topic = rng.choice(list(sources))
        operation = _operation(rng, number, *rng.choice(logins), now)
        arrived = operation["occurred_at"] + rng.randrange(60_000)
        found.append(Sent(topic, rng.randrange(sources[topic]), arrived, None, json.dumps(operation).encode()))
    again = [one for one in found if rng.random() < 0.03]
    found += [
        one._replace(partition=rng.randrange(sources[one.topic]), timestamp=min(now, one.timestamp + 60_000))
        for one in again
    ]
    found.sort(key=lambda sent: sent.timestamp)
    return found


def customers_of(sent: list[Sent]) -> dict[str, str]:
    """The customer of each touchpoint that names one, by event_id."""
    found = {}
    for one in sent:
        touchpoint = json.loads(one.value or b"")
        if touchpoint["channel"] != "identity" and "customer_id" in touchpoint["identifiers"]:
            found[touchpoint["event_id"]] = touchpoint["identifiers"]["customer_id"]
    return found


def decided_on(sent: list[Sent]) -> set[str]:
    """The identifiers of which people have said something, as profile ids."""
    touchpoints = [json.loads(one.value or b"") for one in sent]
    return {f"device_id:{one['identifiers']['device_id']}" for one in touchpoints if one["channel"] == "identity"}


def _names(rng: random.Random, number: int, at: int) -> dict[str, str]:
    """What a touchpoint of a customer says of who it is; at times no more than a cookie."""
    # Everybody has a device, every two a tablet, and there are kiosks in the shops that all of the town use.
    device = rng.choices([f"d{number}", f"t{number // 2}", f"k{number // CUSTOMERS_PER_KIOSK}"], [14, 5, 1])[0]
    known = {
        "customer_id": f"c{number}",
        "email": rng.choice([f"Box{number}@Example.org", f"box{number}@example.org "]),
        "device_id": device,
        "anonymous_id": f"{device}-{at // (7 * DAY_MS)}",
    }
    return {name: known[name] for name in rng.choices(list(_NAMED_BY), list(_NAMED_BY.values()))[0]}


def _operation(rng: random.Random, number: int, seen_at: int, names: dict[str, str], now: int) -> dict[str, Any]:
    """Somebody undoes a log-in, says that a device is somebody's, or that it is nobody's."""
    kind = ("unlink", "link", "unlink", "block")[number % 4]
    named = dict(names)
    named.pop("email", None)
    if kind == "block":
        del named["customer_id"]
    properties: dict[str, Any] = {"who": "kim", "why": "somebody complained"}
    if rng.random() < 0.5:
        properties["at" if kind == "link" else "since"] = seen_at - rng.randrange(48) * HOUR_MS
    return {
        "event_id": f"op{number}",
        "occurred_at": min(seen_at + rng.randrange(5 * DAY_MS), now - 2 * HOUR_MS),
        "channel": "identity",
        "type": kind,
        "identifiers": named,
        "properties": properties,
    }
