import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journey_stream.events.outputs import RfmScores
from journey_stream.events.reasons import Reason
from journey_stream.journey.errors import ModelError
from journey_stream.journey.load import PRESETS, preset
from journey_stream.testing import JourneyDriver, Limits

VIEW = {"channel": "web", "type": "product_view", "customer_id": "c1"}
PURCHASE = {"channel": "store", "type": "purchase", "customer_id": "c1"}


def test_a_touchpoint_causes_stage_changes() -> None:
    driver = JourneyDriver()

    [change] = driver.touchpoint(VIEW)

    assert (change.kind, change.profile_id, change.from_stage, change.to_stage) == ("entered", "c1", None, "awareness")
    assert change.because.evidence == ["t000001"]
    assert driver.profile("c1").stage == "awareness"


def test_touchpoints_of_one_instant_count_in_the_order_in_which_they_were_sent() -> None:
    driver = JourneyDriver()

    driver.touchpoint(VIEW)
    driver.touchpoint(PURCHASE)

    assert [(change.kind, change.to_stage) for change in driver.stage_changes] == [
        ("entered", "awareness"),
        ("entered", "purchase"),
    ]


def test_time_stands_still_until_it_is_moved() -> None:
    driver = JourneyDriver(start="2026-03-01T00:00:00Z")
    driver.touchpoint(VIEW)
    before = driver.now

    driver.advance(days=1, hours=2)

    assert (before, driver.now) == (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, 2, tzinfo=UTC))


def test_silence_brings_changes_at_their_exact_instants() -> None:
    driver = JourneyDriver()
    driver.touchpoint(PURCHASE)
    bought_at = driver.now

    changes = driver.advance(days=365)

    assert [(change.cause, change.to_stage, change.entered_at - bought_at) for change in changes] == [
        ("timer", "consideration", timedelta(days=90)),
        ("timer", "awareness", timedelta(days=120)),
    ]


def test_moving_time_in_one_step_or_in_many_is_the_same() -> None:
    once, often = JourneyDriver(), JourneyDriver()
    for driver in (once, often):
        driver.touchpoint(PURCHASE)

    once.advance(days=200)
    for _ in range(200):
        often.advance(days=1)

    assert once.stage_changes == often.stage_changes
    assert once.profile("c1") == often.profile("c1")


def test_time_does_not_go_back() -> None:
    driver = JourneyDriver()

    with pytest.raises(ValueError, match="time does not go back"):
        driver.advance_to("2025-12-31T23:59:59Z")


def test_a_touchpoint_of_later_moves_the_clock_there() -> None:
    driver = JourneyDriver()

    driver.touchpoint(VIEW | {"occurred_at": "2026-02-01T10:00:00+01:00"})

    assert driver.now == datetime(2026, 2, 1, 9, tzinfo=UTC)


def test_a_late_touchpoint_corrects_what_was_published() -> None:
    driver = JourneyDriver()
    driver.advance(days=10)
    driver.touchpoint(PURCHASE)

    changes = driver.touchpoint(VIEW | {"occurred_at": driver.now - timedelta(days=2)})

    assert [(change.kind, change.from_stage, change.to_stage) for change in changes] == [
        ("retracted", None, "purchase"),
        ("entered", None, "awareness"),
        ("entered", "awareness", "purchase"),
    ]
    assert [change.to_stage for change in driver.history("c1")] == ["awareness", "purchase"]


def test_a_repeated_touchpoint_changes_nothing() -> None:
    driver = JourneyDriver()
    visit = VIEW | {"event_id": "e1", "occurred_at": driver.now}
    driver.touchpoint(visit)

    assert driver.touchpoint(visit) == []
    assert driver.dead_letters == ()


def test_a_touchpoint_beyond_the_lateness_bound_is_a_dead_letter() -> None:
    driver = JourneyDriver(limits=Limits(lateness_ms=86_400_000))

    driver.touchpoint(VIEW | {"occurred_at": driver.now - timedelta(days=2)})

    [letter] = driver.dead_letters
    assert (letter.reason, letter.source.topic, letter.stage) == (Reason.TOO_LATE, "touchpoints.web", "task")


def test_a_slip_in_a_touchpoint_is_an_error_at_once() -> None:
    driver = JourneyDriver()

    with pytest.raises(ValueError, match=r"invalid_touchpoint: type: Field required"):
        driver.touchpoint({"channel": "web", "customer_id": "c1"})
    assert driver.dead_letters == ()


def test_bad_bytes_of_a_topic_become_a_dead_letter_as_they_are() -> None:
    driver = JourneyDriver()

    driver.pipe("touchpoints.crm", b"garbage", key=b"k", headers=[("h", b"1")])

    [letter] = driver.dead_letters
    assert (letter.reason, letter.value, letter.key, letter.headers) == (
        "invalid_json",
        b"garbage",
        b"k",
        (("h", b"1"),),
    )


def test_a_record_may_arrive_long_before_what_it_says_happened() -> None:
    driver = JourneyDriver()
    value = json.dumps(VIEW | {"event_id": "e1", "occurred_at": "2027-01-01T00:00:00Z"}).encode()

    driver.pipe("touchpoints.web", value, "2026-01-02T00:00:00Z")

    assert [letter.reason for letter in driver.dead_letters] == [Reason.FROM_THE_FUTURE]
    assert driver.now == datetime(2026, 1, 2, tzinfo=UTC)


def test_reading_new_changes_returns_each_once() -> None:
    driver = JourneyDriver()
    driver.touchpoint(VIEW)
    first = driver.read_new()
    driver.touchpoint(PURCHASE)

    assert [change.to_stage for change in first] == ["awareness"]
    assert [change.to_stage for change in driver.read_new()] == ["purchase"]
    assert driver.read_new() == []


def test_an_unknown_profile_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        JourneyDriver().profile("nobody")


def test_an_instant_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="has no offset"):
        JourneyDriver(start="2026-01-01T00:00:00")


@pytest.mark.parametrize("name", PRESETS)
def test_a_model_may_be_a_name_a_file_or_an_object(name: str) -> None:
    file = Path(__file__).parents[3] / "src/journey_stream/journey/presets" / f"{name}.yaml"

    assert JourneyDriver(name).model == JourneyDriver(file).model == JourneyDriver(preset(name)).model


def test_a_model_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ModelError):
        JourneyDriver("no-such-model")


_steps = st.lists(st.tuples(st.sampled_from([VIEW, PURCHASE]), st.integers(0, 20), st.integers(0, 50)), max_size=8)


@given(_steps)
@settings(max_examples=50, deadline=None)
def test_the_history_is_the_same_whether_touchpoints_come_late_or_in_time(
    steps: list[tuple[dict[str, str], int, int]],
) -> None:
    """`steps`: a touchpoint, days until it happens, and by how many hours it arrives later."""
    happened, day = [], timedelta()
    for number, (fields, days, late) in enumerate(steps):
        day += timedelta(days=days, minutes=1)
        occurred_at = datetime(2026, 1, 1, tzinfo=UTC) + day
        happened.append(
            (occurred_at + timedelta(hours=late), fields | {"event_id": f"e{number:03}", "occurred_at": occurred_at})
        )
    in_time, late_too = JourneyDriver(), JourneyDriver()

    for _, fields in happened:
        in_time.touchpoint(fields)
    for arrives, fields in sorted(happened, key=lambda item: item[0]):
        late_too.advance_to(max(arrives, late_too.now))
        late_too.touchpoint(fields)
    end = "2028-01-01T00:00:00Z"
    in_time.advance_to(end)
    late_too.advance_to(end)

    facts = [[change.change_id for change in driver.history("c1")] for driver in (in_time, late_too)]
    assert facts[0] == facts[1]


def test_churn_risk_is_told_with_its_reasons_and_rises_in_silence():
    driver = JourneyDriver()
    driver.touchpoint(PURCHASE | {"event_id": "paid"})

    driver.advance(days=120)

    assert [change.band for change in driver.risk_history("c1")] == ["low", "medium", "high", "critical"]
    last = driver.risk_changes[-1]
    assert (last.cause, last.because.evidence, last.current) == ("timer", ["paid"], True)
    assert last.contributions[0].evidence == ["paid"]
    assert driver.profile("c1").risk.band == "critical"


def test_a_survey_with_a_bad_rating_raises_the_risk_and_a_purchase_lowers_it():
    driver = JourneyDriver()
    for _ in range(8):
        driver.touchpoint(PURCHASE | {"value": 25.0})
        driver.advance(days=7)
    driver.advance(days=14)

    driver.touchpoint(
        {"channel": "survey", "type": "nps", "customer_id": "c1", "event_id": "asked", "properties": {"score": 2}}
    )
    driver.touchpoint({"channel": "crm", "type": "complaint", "customer_id": "c1", "event_id": "angry"})
    angry = driver.profile("c1").risk.band
    driver.advance(days=7)
    driver.touchpoint(PURCHASE | {"value": 25.0})

    first, rise, fall = driver.risk_history("c1")
    assert ("low", "medium", "medium", "low") == (first.band, rise.band, angry, fall.band)
    evidence = {one.factor: one.evidence for one in rise.contributions}
    assert (evidence["low_rating"], evidence["complaint"]) == (["asked"], ["angry"])


def test_a_journey_may_do_without_churn_risk():
    driver = JourneyDriver(churn=None)

    driver.touchpoint({"channel": "store", "type": "purchase", "customer_id": "c1"})
    driver.advance(days=90)

    assert driver.risk_changes == ()
    assert driver.profile("c1").risk is None


def test_unknown_churn_parameters_are_told_with_those_that_ship():
    with pytest.raises(ModelError, match="expected one of completejourney, cdnow"):
        JourneyDriver(churn="completejurney")


def test_the_segment_and_the_scores_are_in_the_profile() -> None:
    driver = JourneyDriver()
    driver.touchpoint({"channel": "web", "type": "add_to_cart", "customer_id": "c1"})
    driver.advance(hours=3)
    assert driver.profile("c1").segment == "abandoned-cart"

    driver.touchpoint(
        {"channel": "web", "type": "purchase", "customer_id": "c1", "value": 300, "occurred_at": driver.now}
    )
    assert driver.profile("c1").segment == "new"
    assert driver.profile("c1").rfm == RfmScores(recency=5, frequency=1, monetary=2)

    driver.advance(days=200)
    assert driver.profile("c1").segment == "lapsed"


def test_what_an_address_did_before_its_owner_was_known_is_the_owners() -> None:
    driver = JourneyDriver("six-stages", churn=None)
    driver.touchpoint({"channel": "store", "type": "purchase", "identifiers": {"email": " Ann@X.org"}})
    assert driver.profile("email:ann@x.org").stage == "purchase"

    driver.touchpoint(
        {"channel": "web", "type": "page_view", "identifiers": {"customer_id": "c1", "email": "ann@x.org"}}
    )

    assert driver.profile("c1").stage == "purchase"
    assert ["purchase"] == [change.to_stage for change in driver.history("c1")]
    assert [] == driver.history("email:ann@x.org")
    with pytest.raises(KeyError):
        driver.profile("email:ann@x.org")


def test_an_operation_by_hand_undoes_a_link() -> None:
    driver = JourneyDriver("six-stages", churn=None)
    seen = {"customer_id": "c1", "email": "ann@x.org"}
    driver.touchpoint({"channel": "web", "type": "page_view", "identifiers": seen})
    driver.advance(minutes=1)
    driver.touchpoint({"channel": "identity", "type": "unlink", "identifiers": seen})
    driver.advance(minutes=1)

    driver.touchpoint({"channel": "store", "type": "purchase", "identifiers": {"email": "ann@x.org"}})

    assert ("awareness", "purchase") == (driver.profile("c1").stage, driver.profile("email:ann@x.org").stage)
