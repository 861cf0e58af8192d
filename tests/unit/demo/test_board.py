from itertools import pairwise

from journey_stream.demo.board import TREND_SAMPLES
from journey_stream.events.times import DAY_MS
from tests.unit.demo.helpers import NEW_YEAR_MS, board, change, risk, view


def test_a_customer_is_counted_in_the_stage_of_the_last_view():
    shown = board()

    for stage in ("awareness", "purchase", "purchase", "retention"):
        shown.profile_changed(view("c1", stage))
    shown.profile_changed(view("c2", "purchase"))

    assert {"retention": 1, "purchase": 1} == {stage: count for stage, count in shown.customers.items() if count}
    assert 2 == shown.profiles


def test_a_customer_without_a_stage_is_known_but_counted_in_none():
    shown = board()

    shown.profile_changed(view("c1", "awareness"))
    shown.profile_changed(view("c1", None))

    assert 0 == shown.customers["awareness"]
    assert 1 == shown.profiles


def test_a_retraction_takes_its_flow_and_its_line_back():
    shown = board()
    entered = change("c1", None, "purchase", day=1)

    shown.stage_changed(entered)
    shown.stage_changed(change("c1", "purchase", "retention", day=2))
    shown.stage_changed(change("c1", "purchase", "retention", day=2, kind="retracted"))

    assert 0 == shown.flows["purchase", "retention"]
    assert 1 == shown.flows[None, "purchase"]
    assert [entered] == shown.journeys["c1"]
    assert (2, 1) == (shown.entered, shown.retracted)


def test_the_clock_never_goes_back_and_tells_how_much_is_over():
    shown = board()

    shown.profile_changed(view("c1", "purchase", day=73))
    shown.profile_changed(view("c2", "purchase", day=10))

    assert NEW_YEAR_MS + 73 * DAY_MS == shown.clock
    assert 0.2 == shown.fraction


def test_the_trend_fills_quiet_parts_with_the_last_known_number():
    shown = board()

    shown.profile_changed(view("c1", "purchase", day=0))
    shown.profile_changed(view("c2", "purchase", day=364))

    samples = shown.trend["purchase"]
    assert [1] * (len(samples) - 1) + [2] == samples
    assert TREND_SAMPLES - 1 == len(samples)
    assert {0} == set(shown.trend["advocacy"])


def test_times_before_the_year_count_as_its_beginning():
    shown = board()

    shown.profile_changed(view("c1", "awareness", day=-30))

    assert 0.0 == shown.fraction
    assert [1] == shown.trend["awareness"]


def test_dead_letters_are_counted_by_reason():
    shown = board()

    for reason in ("invalid_json", "too_late", "invalid_json"):
        shown.dead_letter(reason)

    assert {"invalid_json": 2, "too_late": 1} == shown.dead_letters


def test_the_example_is_the_journey_through_most_stages():
    shown = board()
    for customer, stages in {
        "c1": ["purchase"],
        "c2": ["awareness", "purchase", "retention"],
        "c3": ["purchase"] * 9,
    }.items():
        before = None
        for day, stage in enumerate(stages):
            shown.stage_changed(change(customer, before, stage, day=day))
            before = stage

    assert ["awareness", "purchase", "retention"] == [item.to_stage for item in shown.example()]


def test_without_changes_there_is_no_example():
    assert [] == board().example()


def test_a_customer_is_counted_in_the_band_of_the_last_view():
    shown = board()

    for band in ("low", "high", "high", "critical"):
        shown.profile_changed(view("c1", "purchase", band=band))
    shown.profile_changed(view("c2", "purchase", band="low"))
    shown.profile_changed(view("c3", "purchase"))

    assert {"low": 1, "critical": 1} == {band: count for band, count in shown.bands.items() if count}


def test_rising_and_falling_risks_are_counted_and_the_first_score_is_neither():
    shown = board()

    for day, (before, after) in enumerate([(None, "low"), ("low", "high"), ("high", "critical"), ("critical", "low")]):
        shown.risk_changed(risk("c1", before, after, day=day))

    assert (2, 1) == (shown.rises, shown.falls)
    assert ["high", "critical", "low"] == [one.band for one in shown.latest_risks]


def test_a_retracted_risk_leaves_the_history():
    shown = board()
    shown.risk_changed(risk("c1", None, "low"))
    shown.risk_changed(risk("c1", "low", "high", day=1))

    shown.risk_changed(risk("c1", "low", "high", day=1, kind="retracted"))

    assert ["low"] == [one.band for one in shown.risks["c1"]]


def test_the_risk_to_tell_of_is_one_that_rose_and_fell():
    shown = board()
    for customer, bands in {
        "c1": [None, "low", "medium", "low"],
        "c2": [None, "low", "high", "critical", "low"],
        "c3": [None, "low", "medium", "high"],
    }.items():
        for day, (before, after) in enumerate(pairwise(bands)):
            shown.risk_changed(risk(customer, before, str(after), day=day))

    assert {"c2"} == {one.profile_id for one in shown.risk_example()}


def test_segments_are_counted_where_everybody_is_now():
    shown = board()

    shown.profile_changed(view("c1", "purchase", segment="new"))
    shown.profile_changed(view("c1", "purchase", segment="loyal"))
    shown.profile_changed(view("c2", "purchase", segment="loyal"))
    shown.profile_changed(view("c3", "purchase", segment="new"))
    shown.profile_changed(view("c3", "purchase"))

    assert {"loyal": 2} == {segment: count for segment, count in shown.segments.items() if count}
