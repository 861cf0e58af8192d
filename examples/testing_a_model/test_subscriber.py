"""A subscriber of our own, without a broker: real stage changes, time moved by hand (pytest-asyncio)."""

from datetime import timedelta
from pathlib import Path

import pytest
from subscriber import CallBack

from journey_stream.testing import JourneyDriver

ANN = {"customer_id": "ann"}


class FakeCallList:
    def __init__(self) -> None:
        self.names: list[str] = []

    async def add(self, profile_id: str, why: str) -> None:
        assert why == "Left a full cart for 2 days"
        self.names.append(profile_id)

    async def remove(self, profile_id: str) -> None:
        self.names.remove(profile_id)


@pytest.fixture
def driver() -> JourneyDriver:
    return JourneyDriver(Path(__file__).with_name("shop.yaml"))


@pytest.fixture
def calls() -> FakeCallList:
    return FakeCallList()


@pytest.fixture
def call_back(calls: FakeCallList) -> CallBack:
    return CallBack(calls)


async def test_an_abandoned_cart_puts_the_customer_on_the_call_list(
    driver: JourneyDriver, calls: FakeCallList, call_back: CallBack
) -> None:
    driver.touchpoint({"channel": "web", "type": "add_to_cart", **ANN})
    driver.advance(days=3)

    for change in driver.read_new():
        await call_back.receive(change)

    assert calls.names == ["ann"]


async def test_what_is_delivered_twice_is_called_once(
    driver: JourneyDriver, calls: FakeCallList, call_back: CallBack
) -> None:
    driver.touchpoint({"channel": "web", "type": "add_to_cart", **ANN})
    driver.advance(days=3)

    for change in [*driver.stage_changes, *driver.stage_changes]:
        await call_back.receive(change)

    assert calls.names == ["ann"]


async def test_a_purchase_that_we_hear_of_too_late_takes_the_customer_off_the_list(
    driver: JourneyDriver, calls: FakeCallList, call_back: CallBack
) -> None:
    driver.touchpoint({"channel": "web", "type": "add_to_cart", **ANN})
    driver.advance(days=3)
    for change in driver.read_new():
        await call_back.receive(change)

    driver.touchpoint({"channel": "store", "type": "purchase", "occurred_at": driver.now - timedelta(days=2), **ANN})
    for change in driver.read_new():
        await call_back.receive(change)

    assert calls.names == []
