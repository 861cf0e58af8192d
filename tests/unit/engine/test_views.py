"""Which profiles have a view on journey.profiles: those of which there is something to show, however it came about."""

from collections.abc import Sequence
from typing import Any

import pytest

from journey_stream.churn.load import SHIPPED
from journey_stream.journey.load import parse_model
from journey_stream.testing import JourneyDriver

MODEL = parse_model(
    """
model: shop
version: 1
description: One stage, which a cheap purchase does not lead to.
stages: [{id: buyer, meaning: Has bought}]
touchpoints:
  purchase: {meaning: Buys, match: [{channel: store, type: purchase}]}
rules:
  - {id: bought, to: buyer, when: {touchpoint: purchase, where: {value: {gte: 10}}}, text: Bought for at least 10}
moves: {forward: any, back: inactivity, win_back: any}
""",
    "shop",
)
CHEAP = {"channel": "store", "type": "purchase", "value": 5, "identifiers": {"email": "ann@x.org"}}
LINKED = {"channel": "web", "type": "ping", "identifiers": {"email": "ann@x.org", "device_id": "d7"}}
DEAR = {"channel": "store", "type": "purchase", "value": 50, "identifiers": {"device_id": "d7"}}
LOG_IN = {"channel": "web", "type": "ping", "identifiers": {"device_id": "d7", "customer_id": "c1"}}
UNLINK = {"channel": "identity", "type": "unlink", "identifiers": {"device_id": "d7", "customer_id": "c1"}}


def after(touchpoints: Sequence[dict[str, Any]], churn: str | None = None) -> JourneyDriver:
    driver = JourneyDriver(MODEL, churn=churn)
    for touchpoint in touchpoints:
        driver.touchpoint(touchpoint)
        driver.advance(hours=2)
    return driver


@pytest.mark.parametrize("touchpoints", [(CHEAP, LINKED), (LINKED, CHEAP)], ids=["known-first", "linked-first"])
def test_a_profile_of_which_only_churn_risk_is_known_shows_its_identifiers_too(
    touchpoints: Sequence[dict[str, Any]],
) -> None:
    view = after(touchpoints, SHIPPED[0]).profile("email:ann@x.org")

    assert (None, ["device_id:d7"]) == (view.stage, view.identifiers)


def test_a_profile_whose_only_stage_goes_back_to_where_it_came_from_has_no_view_as_if_it_had_never_come() -> None:
    never, gone = after([DEAR]), after([DEAR, LOG_IN, UNLINK])

    for driver in (never, gone):
        assert "buyer" == driver.profile("device_id:d7").stage
        with pytest.raises(KeyError):
            driver.profile("c1")
