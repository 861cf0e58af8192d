"""The oracle of the map against what the engine says, so that what holds the map to account is held to account."""

from __future__ import annotations

from pathlib import Path

import pytest

from journey_stream.engine.limits import Limits
from journey_stream.history.record import HistoryRecord
from journey_stream.history.simulate import simulate_records
from tests.integration.journeys import model, scorer
from tests.integration.map_history import END_MS, MODEL, arrivals
from tests.support.map_oracle import Asked, MapOracle


@pytest.fixture(params=range(4))
def oracle(request: pytest.FixtureRequest, tmp_path: Path) -> MapOracle:
    journey, limits = model(MODEL), Limits()
    found = arrivals(journey, request.param)
    records = [HistoryRecord(one.at, one.value, "test", number) for number, one in enumerate(found)]
    simulate_records(records, journey, tmp_path, scorer=scorer(), limits=limits, order="file", as_of=END_MS)
    return MapOracle(tmp_path, found, journey, limits)


def test_every_touchpoint_that_is_cited_counts_for_the_customer_who_cites_it(oracle):
    for one in oracle.standing:
        assert set(one["because"]["evidence"]) <= {met.event_id for met in oracle.met[one["profile_id"]]}


def test_what_standing_changes_lead_to_is_where_customers_are(oracle):
    for stage in oracle.map(Asked())["stages"]:
        assert stage["entered"] - stage["left"] == stage["customers_now"]


def test_the_history_holds_everything_that_a_map_can_show(oracle):
    found = oracle.map(Asked())

    assert all(found["totals"].values())
    assert found["drop_offs"]
    assert all(found["options"].values())
    assert any(stall["count"] for stall in found["stalls"])
    assert any(band["unscored"] == 0 or band["high"] for band in found["bands"])
    assert {one["reason"] for one in oracle.dead_letters} >= {"too_late", "conflicting_duplicate"}
    assert any(oracle.person(who)["merged_into"] for who in oracle.everybody())
    assert oracle.attribution(Asked(), "purchase", "type", 30)["conversions"] > 30
