"""Attribution over rows whose right credits are evident, and what becomes part of a path."""

import random
from collections import defaultdict

import pytest

from journey_stream.events.times import DAY_MS
from journey_stream.serve.queries.answers import Attribution
from journey_stream.serve.queries.attribution import attribution
from journey_stream.serve.queries.connection import DIALECTS
from journey_stream.serve.queries.filters import EVERYTHING, Filter
from journey_stream.serve.queries.reading import read
from tests.support.attribution_oracle import credits_of
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


class Crowd:
    """Some dozens of customers at random, and what they did; half-days, so that many instants are the same."""

    def __init__(self, rows: Rows, channels: int) -> None:
        chance = random.Random(channels)
        self.touched: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        self.entered: dict[str, list[int]] = {}
        self.segments: dict[str, str | None] = {}
        for number in range(channels):
            self._touch(rows, chance, f"c{chance.randrange(40)}", f"channel {number}")
        for who in (f"c{number}" for number in range(40)):
            for _ in range(chance.randrange(8)):
                self._touch(rows, chance, who, f"channel {chance.randrange(channels)}")
            self.entered[who] = sorted(at(chance.randrange(120) / 2) for _ in range(chance.choice([0, 1, 1, 2, 4])))
            for instant in self.entered[who]:
                rows.change(who, (instant - at(0)) / DAY_MS, None, "purchase")
            self.segments[who] = chance.choice([None, "loyal"])
            rows.view(who, "purchase", updated=55, segment=self.segments[who])
            # The order of those of one instant is that in which they came.
            self.touched[who].sort(key=lambda touch: touch[0])

    def _touch(self, rows: Rows, chance: random.Random, who: str, channel: str) -> None:
        half_days, campaign = chance.randrange(120), chance.choice([None, "spring", "autumn"])
        event_id = f"e{sum(map(len, self.touched.values())):04}"
        rows.touchpoint(who, half_days / 2, channel, event_id=event_id, campaign=campaign)
        self.touched[who].append((at(half_days / 2), campaign or ""))

    def paths(self, chosen: Filter, look_back_ms: int) -> tuple[list[list[tuple[int, str]]], ...]:
        """Those that converted, empty ones included, and those that did not."""
        start, end = chosen.from_ms or 0, chosen.to_ms or 2**60
        won, lost = list[list[tuple[int, str]]](), list[list[tuple[int, str]]]()
        for who, entered in self.entered.items():
            touched = self.touched[who]
            in_range = [touch for touch in touched if start <= touch[0] < end]
            if chosen.segment not in {None, self.segments[who]}:
                continue
            if chosen.campaign is not None and all(campaign != chosen.campaign for _, campaign in in_range):
                continue
            reached, before = [instant for instant in entered if instant < end], -1
            for instant in reached:
                if instant >= start:
                    since = max(before + 1, instant - look_back_ms)
                    won.append([touch for touch in touched if since <= touch[0] <= instant])
                before = instant
            since = max(before + 1, min(at(55), end - 1) - look_back_ms) if reached else 0
            lost.append([touch for touch in in_range if touch[0] >= since])
        return won, [path for path in lost if path]


@pytest.mark.parametrize("channels", [3, 70], ids=["marks for all", "more names than marks"])
def test_every_credit_of_a_crowd_is_what_its_definition_says(rows: Rows, channels: int) -> None:
    crowd = Crowd(rows, channels)
    rows.refresh()
    for chosen in (
        EVERYTHING,
        Filter(from_ms=at(20)),
        Filter(to_ms=at(25)),
        Filter(to_ms=at(58)),
        Filter(from_ms=at(15), to_ms=at(40)),
        Filter(segment="loyal"),
        Filter(campaign="spring", to_ms=at(30)),
    ):
        for look_back_days in (5, 20):
            won, lost = crowd.paths(chosen, look_back_days * DAY_MS)
            expected = credits_of(filter(None, won), lost)

            with read(rows.connect(), DIALECTS[rows.dialect], chosen) as reading:
                found = attribution(reading, "purchase", "campaign", look_back_days)

            keys = [key or "" for key in found.keys]
            assert (len(won), won.count([])) == (found.conversions, found.unattributed)
            assert found.conversions > found.unattributed > 0
            for model, credits_ in found.models.items():
                assert expected[model] == pytest.approx(dict(zip(keys, credits_, strict=True)), abs=1e-9), model
