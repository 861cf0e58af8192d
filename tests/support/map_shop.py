"""A made-up shop whose customers browse, buy, come back and fall silent: touchpoints for the journey map to show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from journey_stream.events.times import DAY_MS, HOUR_MS, rfc3339

START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
DAYS = 240
CAMPAIGNS = ("new-year", "spring-sale", "friends-week", "summer-sale")


class Arrival(NamedTuple):
    """A touchpoint as a source carries it, and when it gets there (ms)."""

    at: int
    value: bytes


@dataclass
class _Customer:
    number: int
    random: Random
    day: float
    taste: float
    """How much the shop suits this customer, from 0 to 1."""
    known: bool = False
    arrivals: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    def meet(
        self, channel: str, type_: str, *, campaign: str | None = None, value: float | None = None, **more: Any
    ) -> None:
        """One touchpoint a little later; some of the web's arrive days after they happened."""
        self.day += self.random.uniform(0.002, 0.02)
        if self.day >= DAYS:
            return
        at = START_MS + int(self.day * DAY_MS)
        identifiers = {"customer_id": f"c-{self.number:04d}"} if self.known else {}
        if channel == "web":
            identifiers["anonymous_id"] = f"browser-{self.number:04d}"
        elif not self.known:
            identifiers["email"] = f"visitor{self.number:04d}@example.org"
        content = {
            "event_id": f"{self.number:04d}-{len(self.arrivals) + 1:03d}",
            "occurred_at": rfc3339(at),
            "channel": channel,
            "type": type_,
            "identifiers": identifiers,
        }
        if campaign is not None:
            content["campaign"] = campaign
        if value is not None:
            content |= {"value": value, "currency": "EUR"}
        if more:
            content["properties"] = more
        late_ms = int(self.random.uniform(1, 9) * DAY_MS) if channel == "web" and self.random.random() < 0.01 else 0
        self.arrivals.append((at + late_ms, content))

    def wait(self, low: float, high: float) -> None:
        self.day += self.random.uniform(low, high)


def arrivals(customers: int = 900, seed: int = 11) -> list[Arrival]:
    """All touchpoints in the order of their arrival, the same for the same seed."""
    found: list[tuple[int, dict[str, Any]]] = []
    for number in range(1, customers + 1):
        random = Random(f"{seed}:{number}")
        customer = _Customer(number, random, DAYS * random.random() ** 1.15, random.betavariate(2, 2.4))
        _live(customer)
        found += customer.arrivals
    found.sort(key=lambda one: (one[0], one[1]["event_id"]))
    return [Arrival(at, json.dumps(content).encode()) for at, content in found]


def newcomers(numbers: range, at: int) -> Iterator[Arrival]:
    """People who buy at once, each from `at` (ms) on: what a live map must show."""
    for number in numbers:
        for step, (channel, type_) in enumerate(
            (("web", "product_view"), ("web", "checkout_started"), ("web", "purchase"))
        ):
            happened = at + step * HOUR_MS // 60
            content = {
                "event_id": f"new-{number}-{step}",
                "occurred_at": rfc3339(happened),
                "channel": channel,
                "type": type_,
                "identifiers": {"customer_id": f"new-{number}"},
            }
            yield Arrival(happened, json.dumps(content).encode())


def _live(customer: _Customer) -> None:
    random = customer.random
    _arrive(customer)
    while customer.day < DAYS:
        if not _look_around(customer):
            return
        if not _buy(customer):
            customer.wait(6, 45)
            if random.random() > 0.35 + customer.taste / 2:
                return
            _return_by_mail(customer)
            continue
        while customer.day < DAYS and random.random() < 0.45 + 0.52 * customer.taste:
            customer.wait(3, 44 - 34 * customer.taste)
            _return_by_mail(customer)
            _buy_again(customer)
        if random.random() < 0.6:
            return
        customer.wait(30, 110)


def _arrive(customer: _Customer) -> None:
    random = customer.random
    way = random.random()
    campaign = CAMPAIGNS[min(3, int(customer.day / DAYS * 4))] if random.random() < 0.7 else None
    if way < 0.38:
        customer.meet("ads", "click", campaign=campaign)
    elif way < 0.6:
        customer.meet("social", "follow" if random.random() < 0.3 else "view")
    elif way < 0.72:
        customer.meet("email", "opened", campaign=campaign)
    elif way < 0.82:
        customer.meet("store", "visit")
    customer.meet("web", "page_view")


def _look_around(customer: _Customer) -> bool:
    random = customer.random
    for _ in range(1 + int(random.expovariate(0.55 - 0.3 * customer.taste))):
        customer.meet("web", random.choice(("product_view", "product_view", "category_view", "search", "page_view")))
        if random.random() < 0.3:
            customer.wait(0.4, 6)
    return random.random() < 0.3 + 0.6 * customer.taste


def _buy(customer: _Customer) -> bool:
    random = customer.random
    if random.random() < 0.14:
        customer.meet("store", "visit")
        customer.known = True
        customer.meet("store", "purchase", value=round(random.uniform(12, 90), 2))
        return True
    customer.meet("web", "add_to_cart")
    if random.random() < 0.38 - 0.2 * customer.taste:
        return False
    customer.known = True
    customer.meet("web", "login")
    customer.meet("web", "checkout_started")
    if random.random() < 0.2:
        return False
    customer.meet("web", "purchase", value=round(random.uniform(15, 140), 2))
    return True


def _return_by_mail(customer: _Customer) -> None:
    random = customer.random
    campaign = CAMPAIGNS[min(3, int(customer.day / DAYS * 4))]
    customer.meet("email", "sent", campaign=campaign)
    if random.random() < 0.55:
        customer.wait(0.1, 1.5)
        customer.meet("email", "opened", campaign=campaign)
        if random.random() < 0.6:
            customer.meet("email", "clicked", campaign=campaign)
            customer.meet("web", "product_view")


def _buy_again(customer: _Customer) -> None:
    random = customer.random
    at_the_till = random.random() < 0.3
    customer.meet("store" if at_the_till else "web", "purchase", value=round(random.uniform(10, 120), 2))
    if at_the_till and random.random() < 0.25:
        customer.meet("store", "coupon_redeemed", campaign=CAMPAIGNS[min(3, int(customer.day / DAYS * 4))])
    if random.random() < 0.09:
        customer.wait(1, 5)
        customer.meet("support", "complaint" if random.random() < 0.5 else "ticket_opened")
    if random.random() < 0.16:
        customer.wait(1, 6)
        customer.meet("survey", "nps", score=int(2 + 9 * min(0.99, customer.taste + 0.15)))
    if random.random() < 0.1 * customer.taste:
        customer.meet("social", "share")
