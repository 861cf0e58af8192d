"""Cohorts over rows whose right numbers are evident."""

from journey_stream.serve.queries.answers import Cohort
from journey_stream.serve.queries.cohorts import cohorts
from journey_stream.serve.queries.connection import DIALECTS
from journey_stream.serve.queries.filters import EVERYTHING, Filter
from journey_stream.serve.queries.reading import read
from tests.unit.serve.rows import Rows, at

JANUARY, FEBRUARY, MARCH = 0.0, 31.0, 59.0


def look(rows: Rows, chosen: Filter = EVERYTHING) -> list[Cohort]:
    rows.refresh()
    with read(rows.connect(), DIALECTS[rows.dialect], chosen) as reading:
        return cohorts(reading).cohorts


def test_customers_are_retained_in_the_months_in_which_they_had_a_touchpoint(rows: Rows) -> None:
    rows.view("ann", updated=MARCH)
    rows.view("bob", updated=MARCH)
    for name, day in (("ann", JANUARY), ("ann", JANUARY + 1), ("ann", MARCH), ("bob", JANUARY + 30.999)):
        rows.touchpoint(name, day)
    rows.change("ann", JANUARY, None, "awareness")
    rows.change("bob", JANUARY + 30.999, None, "awareness")
    rows.change("bob", MARCH, "awareness", "purchase", after_days=28)

    assert look(rows) == [Cohort("2017-01", 2, [2, 0, 1])]


def test_the_last_instant_of_a_month_belongs_to_it_and_the_next_one_does_not(rows: Rows) -> None:
    rows.view("ann", updated=FEBRUARY)
    rows.view("bob", updated=FEBRUARY)
    rows.change("ann", FEBRUARY - 0.000_000_1, None, "awareness")
    rows.change("bob", FEBRUARY, None, "awareness")

    assert look(rows) == [Cohort("2017-01", 1, [0, 0]), Cohort("2017-02", 1, [0])]


def test_a_year_is_told_and_no_more(rows: Rows) -> None:
    rows.view("ann", updated=800)
    rows.change("ann", JANUARY, None, "awareness")
    rows.touchpoint("ann", 334)
    rows.touchpoint("ann", 365)

    assert look(rows) == [Cohort("2017-01", 1, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])]


def test_a_range_does_not_move_where_a_journey_began(rows: Rows) -> None:
    rows.view("ann", updated=FEBRUARY)
    rows.change("ann", JANUARY, None, "awareness")
    rows.touchpoint("ann", FEBRUARY, "store")

    chosen = Filter(from_ms=at(FEBRUARY), channel="store")

    assert look(rows, chosen) == [Cohort("2017-01", 1, [0, 1])]
    assert look(rows, Filter(channel="web")) == []


def test_who_never_entered_a_stage_is_in_no_cohort(rows: Rows) -> None:
    rows.view("ann", None)
    rows.touchpoint("ann", JANUARY)

    assert look(rows) == []
