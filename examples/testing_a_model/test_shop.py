"""The journey model itself: which touchpoints lead where, and when."""

from datetime import timedelta
from pathlib import Path

import pytest

from journey_stream.testing import JourneyDriver

ANN = {"customer_id": "ann"}


@pytest.fixture
def driver() -> JourneyDriver:
    return JourneyDriver(Path(__file__).with_name("shop.yaml"), start="2026-03-01T09:00:00Z")


def test_somebody_who_looks_around_is_a_visitor(driver: JourneyDriver) -> None:
    driver.touchpoint({"channel": "web", "type": "page_view", **ANN})

    assert driver.profile("ann").stage == "visitor"


def test_a_cart_that_is_paid_within_minutes_is_never_published(driver: JourneyDriver) -> None:
    driver.touchpoint({"channel": "web", "type": "add_to_cart", **ANN})
    driver.advance(minutes=5)
    driver.touchpoint({"channel": "web", "type": "purchase", "value": 59.9, "currency": "EUR", **ANN})
    driver.advance(hours=1)

    assert driver.profile("ann").stage == "customer"
    assert [change.kind for change in driver.stage_changes] == ["entered"] * len(driver.stage_changes)


def test_a_cart_left_for_two_days_is_abandoned_at_that_very_instant(driver: JourneyDriver) -> None:
    driver.touchpoint({"channel": "web", "type": "add_to_cart", **ANN})
    filled_at = driver.now

    driver.advance(days=7)

    change = driver.stage_changes[-1]
    assert (change.from_stage, change.to_stage, change.cause) == ("cart", "visitor", "timer")
    assert change.entered_at == filled_at + timedelta(days=2)
    assert change.because.silent_since == filled_at


def test_a_purchase_that_arrives_late_takes_the_abandoned_cart_back(driver: JourneyDriver) -> None:
    driver.touchpoint({"channel": "web", "type": "add_to_cart", **ANN})
    driver.advance(days=3)

    driver.touchpoint({"channel": "store", "type": "purchase", "occurred_at": driver.now - timedelta(days=2), **ANN})

    assert [change.to_stage for change in driver.history("ann")] == ["cart", "customer"]
