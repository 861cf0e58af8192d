"""The oracle of the map against what the engine says, so that what holds the map to account is held to account."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec
import pytest

from journey_stream.engine.limits import Limits
from journey_stream.history.record import HistoryRecord
from journey_stream.history.simulate import simulate_records
from journey_stream.serve.projection.files import project_files
from journey_stream.serve.queries.attribution import attribution
from journey_stream.serve.queries.connection import DIALECTS
from journey_stream.serve.queries.facts import Facts
from journey_stream.serve.queries.filters import EVERYTHING
from journey_stream.serve.queries.journey_map import journey_map
from journey_stream.serve.queries.reading import read
from journey_stream.serve.store.duckdb_store import DuckDBStore
from journey_stream.serve.store.meta import Origin
from journey_stream.serve.store.postgres_store import PostgresStore
from tests.integration.journeys import model, scorer
from tests.integration.map_history import END_MS, MODEL, arrivals
from tests.support.map_oracle import Asked, MapOracle, differences


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


@pytest.mark.parametrize("dialect", ["duckdb", "postgresql"])
def test_files_that_are_projected_have_the_numbers_of_the_oracle(oracle, tmp_path, request, dialect):
    origin = Origin("test", "")
    if dialect == "duckdb":
        opened = DuckDBStore(None, origin)
    else:
        opened = PostgresStore(request.getfixturevalue("postgres").database(), origin)
    records = [HistoryRecord(one.at, one.value, "test", number) for number, one in enumerate(oracle.arrivals)]
    with contextlib.closing(opened) as store:
        project_files(store, tmp_path, records, oracle.model, order="file")
        connection = store.connect()
        Facts(DIALECTS[dialect]).refresh(connection)
        with read(connection, DIALECTS[dialect], EVERYTHING) as reading:
            credited = attribution(reading, "purchase", "type", 30)
            shown = journey_map(reading, oracle.model.stages)

    expected = {"version": 1, **oracle.attribution(Asked(), "purchase", "type", 30)}
    assert [] == differences(expected, msgspec.to_builtins(credited))
    assert [] == differences({"version": 1, **oracle.map(Asked())}, msgspec.to_builtins(shown))
