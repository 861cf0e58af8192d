"""Attribution over rows whose right credits are evident, and what becomes part of a path."""

import pytest

from journey_stream.serve.queries.answers import Attribution
from journey_stream.serve.queries.attribution import attribution
from journey_stream.serve.queries.connection import DIALECTS
from journey_stream.serve.queries.filters import EVERYTHING, Filter
from journey_stream.serve.queries.reading import read
from tests.unit.serve.rows import Rows, at


def look(rows: Rows, chosen: Filter = EVERYTHING, *, by: str = "channel", look_back_days: int = 30) -> Attribution:
    rows.refresh()
    with read(rows.connect(), DIALECTS[rows.dialect], chosen) as reading:
        return attribution(reading, "purchase", by, look_back_days)


def buyer(rows: Rows, name: str, bought: float, *touched: tuple[float, str]) -> None:
    for day, channel in touched:
        rows.touchpoint(name, day, channel, f"{channel}_type", campaign="spring" if channel == "email" else None)
    rows.view(name, "purchase", updated=200)
    rows.change(name, bought, None, "purchase")


def test_credit_goes_to_what_came_before_the_conversion(rows: Rows) -> None:
    buyer(rows, "ann", 3, (1, "email"), (2, "web"), (3, "store"), (4, "social"))

    found = look(rows)

    assert (found.conversions, found.unattributed, found.keys) == (1, 0, ["email", "store", "web"])
    assert found.models["first"] == [1, 0, 0]
    assert found.models["last"] == [0, 1, 0]
    assert found.models["linear"] == [1 / 3, 1 / 3, 1 / 3]


def test_touchpoints_at_one_instant_are_in_the_order_of_their_ids(rows: Rows) -> None:
    rows.touchpoint("ann", 1, "web", event_id="b")
    rows.touchpoint("ann", 1, "store", event_id="B")
    buyer(rows, "ann", 1)

    found = look(rows)

    assert dict(zip(found.keys, found.models["first"], strict=True)) == {"store": 1, "web": 0}


def test_a_conversion_with_nothing_within_the_look_back_is_nobodys_credit(rows: Rows) -> None:
    buyer(rows, "ann", 100, (1, "email"))

    found = look(rows, look_back_days=10)

    assert (found.conversions, found.unattributed) == (1, 1)
    assert look(rows, look_back_days=99).unattributed == 0


def test_every_model_shares_out_all_conversions(rows: Rows) -> None:
    buyer(rows, "ann", 5, (1, "email"), (2, "web"))
    buyer(rows, "bob", 5, (1, "web"), (4, "store"))
    rows.view("cleo", "awareness")
    rows.touchpoint("cleo", 3, "email")

    found = look(rows)

    assert {name: round(sum(shares), 9) for name, shares in found.models.items()} == dict.fromkeys(found.models, 2)
    assert len(found.models) == 7


def test_a_range_keeps_the_conversions_in_it_and_what_led_to_them(rows: Rows) -> None:
    buyer(rows, "ann", 5, (1, "email"), (20, "web"))
    rows.change("ann", 21, "awareness", "purchase", after_days=3)
    rows.change("ann", 60, "awareness", "purchase", after_days=3)

    found = look(rows, Filter(from_ms=at(20.5), to_ms=at(60)))

    assert (found.conversions, found.keys, found.models["last"]) == (1, ["web"], [1])


def test_a_filter_chooses_customers_and_their_whole_path_counts(rows: Rows) -> None:
    buyer(rows, "ann", 5, (1, "email"), (2, "web"))
    buyer(rows, "bob", 5, (1, "store"))

    found = look(rows, Filter(channel="web"))

    assert (found.conversions, found.keys) == (1, ["email", "web"])


def test_credit_is_by_channel_by_type_or_by_campaign(rows: Rows) -> None:
    buyer(rows, "ann", 5, (1, "email"), (2, "web"))

    assert look(rows, by="channel").keys == ["email", "web"]
    assert look(rows, by="type").keys == ["email email_type", "web web_type"]
    assert look(rows, by="campaign").keys == [None, "spring"]


def test_one_connection_can_be_asked_for_every_credit_again_and_again(rows: Rows) -> None:
    buyer(rows, "ann", 3, (1, "email"), (2, "web"))
    rows.refresh()
    connection, found = rows.connect(), list[str]()

    # PostgreSQL's driver prepares a statement that it has seen often.
    for _ in range(4):
        for by in ("type", "channel", "campaign"):
            with read(connection, DIALECTS[rows.dialect], EVERYTHING) as reading:
                found.append(attribution(reading, "purchase", by, 30).by)

    assert ["type", "channel", "campaign"] * 4 == found


def test_an_entry_ahead_of_now_is_a_conversion_as_it_is_on_the_map(rows: Rows) -> None:
    buyer(rows, "ann", 201, (1, "email"))

    assert look(rows).conversions == 1


def test_only_standing_entries_are_conversions(rows: Rows) -> None:
    buyer(rows, "ann", 5, (1, "email"))
    rows.change("ann", 6, None, "purchase", standing=False)
    rows.change("ann", 6, None, "purchase", kind="retracted", standing=False)

    assert look(rows).conversions == 1


def test_without_anything_there_is_no_credit(rows: Rows) -> None:
    found = look(rows)

    assert (found.conversions, found.keys, found.models["shapley"]) == (0, [], [])


def lasts(rows: Rows, *, look_back_days: int = 10) -> tuple[dict[str | None, float], int]:
    """What was met last before a conversion, and how many conversions met nothing."""
    found = look(rows, look_back_days=look_back_days)
    credits_ = dict(zip(found.keys, found.models["last"], strict=True))
    return credits_, found.unattributed


def test_both_ends_of_the_look_back_are_included(rows: Rows) -> None:
    buyer(rows, "ann", 12, (1.9, "social"), (2, "email"), (5, "web"), (12, "store"))

    found = look(rows, look_back_days=10)

    assert dict(zip(found.keys, found.models["linear"], strict=True)) == dict.fromkeys(("email", "store", "web"), 1 / 3)


def test_a_path_begins_after_the_conversion_before_even_if_that_is_within_the_look_back(rows: Rows) -> None:
    buyer(rows, "ann", 2, (1, "email"), (2, "web"), (3, "store"), (4, "social"))
    rows.change("ann", 4, "awareness", "purchase", after_days=1)

    found = look(rows, look_back_days=10)

    assert dict(zip(found.keys, found.models["first"], strict=True)) == {"email": 1, "social": 0, "store": 1, "web": 0}
    assert lasts(rows)[0] == {"email": 0, "social": 1, "store": 0, "web": 1}


def test_a_conversion_at_the_instant_of_another_has_no_touch_left(rows: Rows) -> None:
    buyer(rows, "ann", 2, (2, "web"))
    rows.change("ann", 2, "awareness", "purchase", after_days=0)

    assert lasts(rows) == ({"web": 1}, 1)


def test_what_came_after_the_last_conversion_counts_as_far_as_one_looks_back_from_now(rows: Rows) -> None:
    buyer(rows, "ann", 2, (1, "email"), (150, "web"), (195, "store"))

    assert lasts(rows) == ({"email": 1, "store": 0}, 0)


def test_of_a_customer_who_never_converted_everything_is_one_path(rows: Rows) -> None:
    buyer(rows, "ann", 2, (1, "email"))
    rows.view("bob", "awareness")
    for day, channel in ((1, "web"), (50, "store")):
        rows.touchpoint("bob", day, channel)

    assert lasts(rows) == ({"email": 1, "store": 0, "web": 0}, 0)


def test_a_touch_one_half_life_earlier_gets_half_as_much(rows: Rows) -> None:
    buyer(rows, "ann", 15, (1, "email"), (8, "web"), (15, "store"))

    found = look(rows)

    shares = dict(zip(found.keys, found.models["time_decay"], strict=True))
    assert shares == pytest.approx({"email": 1 / 7, "web": 2 / 7, "store": 4 / 7}, abs=1e-12)


def test_touches_of_long_before_share_a_conversion_like_those_of_yesterday(rows: Rows) -> None:
    buyer(rows, "ann", 180, (1, "email"), (8, "web"))

    found = look(rows, look_back_days=180)

    shares = dict(zip(found.keys, found.models["time_decay"], strict=True))
    assert shares == pytest.approx({"email": 1 / 3, "web": 2 / 3}, abs=1e-12)
