"""The numbers of the map over rows whose right numbers are evident."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from journey_stream.events.times import DAY_MS
from journey_stream.serve.queries.answers import Bands, DropOff, Flow, JourneyMap, StageNumbers, Stall, Trigger
from journey_stream.serve.queries.connection import DIALECTS
from journey_stream.serve.queries.facts_tables import BITS
from journey_stream.serve.queries.filters import EVERYTHING, Filter
from journey_stream.serve.queries.journey_map import journey_map
from journey_stream.serve.queries.reading import Reading, read
from tests.unit.serve.rows import MODEL, Rows, at

DAY_SECONDS = DAY_MS / 1000


@contextmanager
def reading(rows: Rows, chosen: Filter = EVERYTHING) -> Iterator[Reading]:
    rows.refresh()
    with read(rows.connect(), DIALECTS[rows.dialect], chosen) as found:
        yield found


def look(rows: Rows, chosen: Filter = EVERYTHING) -> JourneyMap:
    with reading(rows, chosen) as found:
        return journey_map(found, MODEL.stages)


def stage(found: JourneyMap, id_: str) -> StageNumbers:
    return next(one for one in found.stages if one.id == id_)


def test_without_customers_every_number_is_there_and_nought(rows: Rows) -> None:
    found = look(rows)

    assert (found.version, found.now, found.flows, found.drop_offs) == (0, None, [], [])
    assert found.totals.customers == 0
    assert [one.id for one in found.stages] == ["awareness", "purchase", "advocacy"]
    assert stage(found, "purchase") == StageNumbers("purchase", "Has bought", 0, 0, 0, None, [], [])
    assert found.bands[0] == Bands("awareness", 0, 0, 0, 0, 0)
    assert found.options.channels == []


def test_customers_are_counted_where_their_view_says(rows: Rows) -> None:
    rows.view("ann", "purchase", band="low")
    rows.view("bob", "purchase")
    rows.view("cleo", "awareness", band="critical")

    found = look(rows)

    assert [one.customers_now for one in found.stages] == [1, 2, 0]
    assert found.bands[:2] == [Bands("awareness", 0, 0, 0, 1, 0), Bands("purchase", 1, 0, 0, 0, 1)]


def test_a_customer_in_no_stage_yet_counts_among_all_and_in_no_stage(rows: Rows) -> None:
    rows.view("ann", None)

    found = look(rows)

    assert found.totals.customers == 1
    assert [one.customers_now for one in found.stages] == [0, 0, 0]


def test_a_stage_that_only_history_knows_comes_after_those_of_the_model(rows: Rows) -> None:
    rows.view("ann", "zeal")
    rows.change("ann", 0, "belief", "zeal", after_days=1)

    found = look(rows)

    assert [(one.id, one.meaning) for one in found.stages[3:]] == [("belief", None), ("zeal", None)]


def test_only_standing_changes_count_and_retracted_messages_are_corrections(rows: Rows) -> None:
    rows.view("ann")
    rows.change("ann", 1, None, "awareness", standing=False)
    rows.change("ann", 1, None, "awareness", kind="retracted", standing=False)
    rows.change("ann", 0, None, "awareness")

    found = look(rows)

    assert (found.totals.changes, found.totals.corrections) == (1, 1)
    assert found.flows == [Flow(None, "awareness", 1, None)]


def test_a_profile_without_a_view_counts_nowhere(rows: Rows) -> None:
    rows.touchpoint("merged", 0)
    rows.change("merged", 0, None, "awareness")

    found = look(rows)

    assert (found.totals.customers, found.totals.touchpoints, found.totals.changes) == (0, 0, 0)


def test_a_refused_touchpoint_counts_nowhere(rows: Rows) -> None:
    rows.view("ann")
    refused = rows.touchpoint("ann", 0, "social", refused=True)
    rows.change("ann", 0, None, "awareness", evidence=[refused])

    found = look(rows)

    assert found.totals.touchpoints == 0
    assert found.options.channels == []
    assert stage(found, "awareness").brought_by == [Trigger(None, None, 1)]
    assert look(rows, Filter(channel="social")).totals.customers == 0


def test_what_brought_a_change_is_the_latest_of_its_evidence(rows: Rows) -> None:
    rows.view("ann")
    early, late = rows.touchpoint("ann", 1, "email", "clicked"), rows.touchpoint("ann", 2, "store", "visit")
    rows.change("ann", 2, None, "awareness", evidence=[late, early])

    assert stage(look(rows), "awareness").brought_by == [Trigger("store", "visit", 1)]


def test_of_evidence_at_one_instant_the_greater_event_id_is_the_latest(rows: Rows) -> None:
    rows.view("ann")
    greater = rows.touchpoint("ann", 1, "email", "clicked", event_id="b")
    smaller = rows.touchpoint("ann", 1, "store", "visit", event_id="B")
    rows.change("ann", 1, None, "awareness", evidence=[greater, smaller])

    assert stage(look(rows), "awareness").brought_by == [Trigger("email", "clicked", 1)]


def test_another_customers_touchpoint_of_the_same_id_is_no_evidence(rows: Rows) -> None:
    rows.view("ann")
    rows.touchpoint("bob", 5, "social", "follow", event_id="same")
    rows.touchpoint("ann", 1, "web", "search", event_id="same")
    rows.change("ann", 1, None, "awareness", evidence=["same"])

    assert stage(look(rows), "awareness").brought_by == [Trigger("web", "search", 1)]


def test_triggers_are_ranked_by_count_and_then_by_name(rows: Rows) -> None:
    for name, channel, type_ in (("a", "web", "b"), ("b", "web", "a"), ("c", "email", "z"), ("d", "email", "z")):
        rows.view(name)
        rows.change(name, 0, None, "awareness", evidence=[rows.touchpoint(name, 0, channel, type_)])

    brought_by = stage(look(rows), "awareness").brought_by

    assert brought_by == [Trigger("email", "z", 2), Trigger("web", "a", 1), Trigger("web", "b", 1)]


def test_a_silence_is_a_drop_off_and_tells_what_came_last(rows: Rows) -> None:
    for name in ("ann", "bob", "cleo"):
        rows.view(name)
    last = rows.touchpoint("ann", 0, "store", "purchase")
    rows.change("ann", 30, "purchase", "awareness", after_days=30, silent=True, evidence=[last])
    rows.change("bob", 30, "purchase", "awareness", after_days=30, silent=True)
    rows.change("cleo", 5, "purchase", "advocacy", after_days=4)

    found = look(rows)

    assert found.drop_offs == [DropOff("purchase", "awareness", 2, 2 / 3)]
    assert stage(found, "purchase").left_after == [Trigger("store", "purchase", 1), Trigger(None, None, 1)]
    assert stage(found, "awareness").brought_by == []
    assert (stage(found, "awareness").entered, stage(found, "purchase").left) == (2, 3)


@pytest.mark.parametrize(("days", "median_days"), [([3], 3), ([1, 2], 1.5), ([9, 1, 2], 2), ([4, 1, 2, 9], 3)])
def test_the_median_is_exact(rows: Rows, days: list[int], median_days: float) -> None:
    for number, stayed in enumerate(days):
        rows.view(f"c{number}")
        rows.change(f"c{number}", 20, "awareness", "purchase", after_days=stayed)

    found = look(rows)

    assert found.flows == [Flow("awareness", "purchase", len(days), median_days * DAY_SECONDS)]
    assert stage(found, "awareness").median_seconds == median_days * DAY_SECONDS


def test_the_median_of_a_stage_is_over_all_ways_out_of_it(rows: Rows) -> None:
    for name, to, stayed in (("a", "purchase", 1), ("b", "purchase", 2), ("c", "advocacy", 9)):
        rows.view(name)
        rows.change(name, 10, "awareness", to, after_days=stayed)

    found = look(rows)

    assert stage(found, "awareness").median_seconds == 2 * DAY_SECONDS
    assert [flow.median_seconds for flow in found.flows] == [1.5 * DAY_SECONDS, 9 * DAY_SECONDS]


def test_flows_with_as_many_changes_are_in_the_order_of_their_names(rows: Rows) -> None:
    rows.view("ann")
    rows.change("ann", 0, None, "awareness")
    rows.change("ann", 2, "purchase", "advocacy", after_days=1)
    rows.change("ann", 1, "awareness", "purchase", after_days=1)

    assert [flow.to for flow in look(rows).flows] == ["awareness", "purchase", "advocacy"]


def test_customers_stall_who_stay_longer_than_nine_of_ten_who_left(rows: Rows) -> None:
    for number in range(10):
        rows.view(f"gone{number}", "purchase", entered=50)
        rows.change(f"gone{number}", 50, "awareness", "purchase", after_days=number + 1)
    rows.view("at-the-bound", "awareness", entered=91, updated=100)
    rows.view("beyond", "awareness", entered=90.9)
    rows.view("fresh", "awareness", entered=99)

    stalls = look(rows).stalls

    assert stalls[0] == Stall("awareness", 1, 1 / 3, 9 * DAY_SECONDS)
    assert stalls[1:] == [Stall("purchase", None, None, None), Stall("advocacy", None, None, None)]


def test_with_four_leavings_a_stall_is_not_told_and_with_five_it_is(rows: Rows) -> None:
    for number in range(4):
        rows.view(f"c{number}", "purchase")
        rows.change(f"c{number}", 9, "awareness", "purchase", after_days=1)
    before = look(rows).stalls[0]

    rows.change("c0", 10, "awareness", "purchase", after_days=1)

    assert before == Stall("awareness", None, None, None)
    assert look(rows).stalls[0] == Stall("awareness", 0, 0.0, DAY_SECONDS)


def test_the_range_includes_its_start_and_excludes_its_end(rows: Rows) -> None:
    rows.view("ann")
    rows.touchpoint("ann", 1)
    rows.touchpoint("ann", 2)
    rows.change("ann", 1, None, "awareness")
    rows.change("ann", 2, "awareness", "purchase", after_days=1)

    found = look(rows, Filter(from_ms=at(1), to_ms=at(2)))

    assert found.flows == [Flow(None, "awareness", 1, None)]
    assert (found.totals.touchpoints, found.totals.customers) == (1, 1)


def test_a_range_without_anything_leaves_where_customers_are_now(rows: Rows) -> None:
    rows.view("ann", "purchase")
    rows.change("ann", 1, None, "purchase")

    found = look(rows, Filter(from_ms=at(100)))

    assert (found.totals.customers, found.totals.changes, found.flows) == (1, 0, [])
    assert stage(found, "purchase").customers_now == 1


def test_one_and_the_same_touchpoint_must_have_channel_campaign_and_range(rows: Rows) -> None:
    for name in ("both", "apart", "outside"):
        rows.view(name)
        rows.change(name, 1, None, "awareness")
    rows.touchpoint("both", 1, "email", campaign="spring")
    rows.touchpoint("apart", 1, "email", campaign="autumn")
    rows.touchpoint("apart", 1, "mail", campaign="spring")
    rows.touchpoint("outside", 9, "email", campaign="spring")

    chosen = Filter(from_ms=at(0), to_ms=at(5), channel="email", campaign="spring")

    assert (look(rows, chosen).totals.customers, look(rows, chosen).totals.changes) == (1, 1)
    assert look(rows, Filter(channel="email", campaign="spring")).totals.customers == 2
    assert look(rows, Filter(campaign="spring")).totals.customers == 3


def test_a_campaign_is_found_however_many_there_are(rows: Rows) -> None:
    for number in range(BITS + 20):
        rows.view(f"c{number:02}", segment=f"s{number:02}")
        rows.touchpoint(f"c{number:02}", 1, "email", campaign=f"k{number:02}")

    for number in (0, BITS - 1, BITS, BITS + 19):
        assert look(rows, Filter(campaign=f"k{number:02}")).totals.customers == 1
        assert look(rows, Filter(channel="email", segment=f"s{number:02}")).totals.touchpoints == 1
        assert look(rows, Filter(campaign=f"k{number:02}", segment="s01")).totals.customers == 0


def test_a_segment_is_where_customers_are_now(rows: Rows) -> None:
    rows.view("ann", segment="loyal")
    rows.view("bob")
    rows.change("ann", 0, None, "awareness")
    rows.change("bob", 0, None, "awareness")
    rows.touchpoint("ann", 0, "store")

    assert look(rows, Filter(segment="loyal")).totals.changes == 1
    assert look(rows, Filter(segment="loyal", channel="web")).totals.customers == 0
    assert look(rows, Filter(segment="nobody")).totals.customers == 0
    assert look(rows).options.segments == ["loyal"]


def test_values_from_outside_are_only_values(rows: Rows) -> None:
    rows.view("ann", segment="it's")
    rows.touchpoint("ann", 0, channel="' OR TRUE --")

    assert look(rows, Filter(channel="' OR TRUE --", segment="it's")).totals.customers == 1
    assert look(rows, Filter(channel="x' OR 'a'='a")).totals.customers == 0


def test_now_is_the_newest_view_of_all_whatever_the_filter(rows: Rows) -> None:
    rows.view("ann", updated=3)
    rows.view("bob", updated=40, segment="loyal")

    assert look(rows, Filter(segment="nobody")).now == "2017-02-10T00:00:00.000Z"


def test_dead_letters_are_told_whatever_the_filter(rows: Rows) -> None:
    rows.insert("meta", key="dead_letters", value="12")

    assert look(rows, Filter(channel="web")).totals.dead_letters == 12
