"""Lists of customers against the numbers that lead to them."""

import pytest

from journey_stream.serve.queries.connection import DIALECTS
from journey_stream.serve.queries.customers import LIMIT_MAX, Search, customers
from journey_stream.serve.queries.facts_tables import BITS
from journey_stream.serve.queries.filters import EVERYTHING, Filter
from journey_stream.serve.queries.journey_map import journey_map
from journey_stream.serve.queries.reading import read
from tests.unit.serve.rows import MODEL, Rows, at

FILTERS = [
    EVERYTHING,
    Filter(from_ms=at(3)),
    Filter(channel="store"),
    Filter(campaign="spring"),
    Filter(channel="store", campaign="spring"),
    Filter(segment="loyal"),
    Filter(channel="store", segment="loyal"),
    Filter(from_ms=at(3), to_ms=at(6), channel="store"),
    Filter(to_ms=at(3), campaign="spring"),
    Filter(from_ms=at(3), to_ms=at(6), channel="store", campaign="spring", segment="loyal"),
    Filter(channel="nowhere"),
    Filter(campaign=f"c{BITS + 5}"),
]


@pytest.fixture
def shop(rows: Rows) -> Rows:
    """Customers of all sorts, and more campaigns than a mark has bits."""
    channels, campaigns, segments = ("web", "store", "email"), ("spring", None), ("loyal", "new", None)
    for number in range(36):
        who = f"p{number:02d}"
        rows.touchpoint(who, number % 9, channels[number % 3], campaign=campaigns[number % 2])
        rows.touchpoint(who, (number + 4) % 9, channels[number // 3 % 3], campaign=campaigns[number // 2 % 2])
        rows.view(
            who, ("awareness", "purchase", None)[number % 5 % 3], entered=number % 9, segment=segments[number % 4 % 3]
        )
    for number in range(BITS + 10):
        rows.touchpoint(f"p{number % 36:02d}", 1, campaign=f"c{number}")
    rows.refresh()
    return rows


@pytest.mark.parametrize("chosen", FILTERS, ids=str)
def test_as_many_are_listed_as_the_map_counts(shop: Rows, chosen: Filter) -> None:
    with read(shop.connect(), DIALECTS[shop.dialect], chosen) as reading:
        shown = journey_map(reading, MODEL.stages)
        everybody = customers(reading, Search(limit=LIMIT_MAX)).customers
        listed = {one.id: customers(reading, Search(one.id, limit=LIMIT_MAX)).customers for one in shown.stages}

    assert shown.totals.customers == len(everybody)
    assert {one.id: one.customers_now for one in shown.stages} == {id_: len(rows) for id_, rows in listed.items()}
    assert all(row.stage == id_ for id_, rows in listed.items() for row in rows)
    assert shown.totals.customers > 0 or chosen.channel == "nowhere"


def test_the_list_names_those_with_such_a_touchpoint_in_the_range(rows: Rows) -> None:
    rows.touchpoint("ann", 2, "email", campaign="spring")
    rows.touchpoint("bob", 2, "email")
    rows.touchpoint("bob", 2, "store", campaign="spring")
    rows.touchpoint("cleo", 7, "email", campaign="spring")
    for who in ("ann", "bob", "cleo"):
        rows.view(who)
    rows.refresh()

    def found(**chosen: object) -> list[str]:
        with read(rows.connect(), DIALECTS[rows.dialect], Filter(**chosen)) as reading:  # type: ignore[arg-type]
            return [row.profile_id for row in customers(reading, Search()).customers]

    assert ["ann", "bob", "cleo"] == found()
    assert ["ann", "bob", "cleo"] == found(channel="email")
    assert ["ann", "cleo"] == found(channel="email", campaign="spring")
    assert ["ann", "bob"] == found(campaign="spring", to_ms=at(5))
    assert ["cleo"] == found(channel="email", from_ms=at(5))
