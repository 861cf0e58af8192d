"""Customers and parameters for the tests."""

from dataclasses import replace
from random import Random

from journey_stream.churn.load import shipped
from journey_stream.churn.panel import Observation, Panel
from journey_stream.churn.score import Scorer
from journey_stream.churn.summary import Summary
from journey_stream.events.times import DAY_MS

START = 1_767_225_600_000
"""2026-01-01"""

GROCERY = shipped("completejourney")
SCORER = Scorer(GROCERY)
REGULAR = Summary(first=START, last=START + 200 * DAY_MS, repeats=28, spent=1_000.0)
NEWCOMER = Summary(first=START, last=START, repeats=0, spent=20.0)


def synthetic(customers: int = 400, days: int = 200, *, until: int | None = None) -> list[Observation]:
    """Customers who buy at random with a rhythm of their own and may stop for good after any purchase."""
    found = []
    for number in range(customers):
        chance = Random(number)
        rhythm = 4 + number % 23
        day = chance.uniform(0, 20)
        while day < days:
            at = START + int(day * DAY_MS)
            if until is None or at < until:
                found.append(Observation(f"c{number}", at, True, 10.0 + number % 7, ()))
                if number % 4 == 0 and chance.random() < 0.3:
                    found.append(Observation(f"c{number}", at, False, 0.0, ("coupon",)))
            if chance.random() < 0.1:
                break
            day += chance.expovariate(1 / rhythm)
    return found


def panel(observations: list[Observation]) -> Panel:
    return Panel(observations, unit_ms=GROCERY.unit_ms, occasion_ms=GROCERY.occasion_ms)


def without_signals():
    return replace(GROCERY, signals=())
