import pytest

from journey_stream.journey.load import parse_model
from journey_stream.journey.model import Moves, Pattern
from journey_stream.journey.where import Where
from tests.unit.journey.model_texts import GOOD, changed, message_of, mistakes_of


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("{id: aware, meaning: Knows us}", "{id: aware}", (5, "stages[0].meaning", "nothing")),
        ("{id: aware, meaning: Knows us}", "{id: aware, meaning: ' '}", (5, "stages[0].meaning", "' '")),
        ("{id: customer, meaning", "{id: Ünder, meaning", (7, "stages[2].id", "'Ünder'")),
        ("{id: customer, meaning", "{id: aware, meaning", (7, "stages[2].id", "'aware'")),
        ("settle: 10m", "settle: 10", (6, "stages[1].settle", "10")),
        ("settle: 10m", "settle: -1m", (6, "stages[1].settle", "'-1m'")),
        ("settle: 10m", "settle: [10m]", (6, "stages[1].settle", "a list")),
        ("settle: 10m", "settles: 10m", (6, "stages[1].settles", "an unknown field")),
        ("meaning: Looks closer", "meaning: {a: b}", (6, "stages[1].meaning", "a mapping")),
    ],
)
def test_a_mistake_in_a_stage_has_its_line_and_field(old: str, new: str, mistake: tuple[int, str, str]) -> None:
    assert mistake in mistakes_of(changed(old, new))


def test_a_stage_with_a_mistake_can_still_be_referred_to() -> None:
    assert mistakes_of(changed("settle: 10m", "settle: x")) == [(6, "stages[1].settle", "'x'")]


def test_two_stages_of_one_id_on_one_line_are_a_mistake() -> None:
    start, end = GOOD.index("stages:"), GOOD.index("touchpoints:")
    text = GOOD[:start] + "stages: [{id: aware, meaning: a}, {id: aware, meaning: b}]\n" + GOOD[end:]

    assert (4, "stages[1].id", "'aware'") in mistakes_of(text)


@pytest.mark.parametrize("stages", ["stages:\n", "stages: []\n", "stages: {a: b}\n", "stages: aware\n"])
def test_stages_that_are_no_list_are_one_mistake(stages: str) -> None:
    start, end = GOOD.index("stages:"), GOOD.index("touchpoints:")

    found = [(line, field) for line, field, _ in mistakes_of(GOOD[:start] + stages + GOOD[end:])]

    assert found == [(4, "stages")]


def test_a_wrong_duration_is_told_with_the_one_that_was_meant() -> None:
    assert message_of(changed("settle: 10m", "settle: 10 minutes")) == (
        "shop.yaml:6: stages[1].settle: found '10 minutes'; "
        "expected a duration such as 10m, 24h, 30d or 2w (did you mean 10m?)"
    )


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("  view: {", "  any: {", (9, "touchpoints.any", "the name 'any'")),
        ("  view: {", "  a view: {", (9, "touchpoints.a view", "the name 'a view'")),
        ("  view: {", "  buy: {", (10, "touchpoints.buy", "the same key again")),
        ("match: [{channel: web, type: [view, search]}]", "match: []", (9, "touchpoints.view.match", "no patterns")),
        (
            "match: [{channel: web, type: [view, search]}]",
            "matches: []",
            (9, "touchpoints.view.matches", "an unknown field"),
        ),
        (
            "{channel: web, type: [view, search]}",
            "{}",
            (9, "touchpoints.view.match[0]", "a pattern that every touchpoint matches"),
        ),
        ("{channel: web, type: [view, search]}", "web", (9, "touchpoints.view.match[0]", "'web'")),
        ("channel: web,", "chanel: web,", (9, "touchpoints.view.match[0].chanel", "an unknown field")),
        ("channel: web,", "channel: {a: b},", (9, "touchpoints.view.match[0].channel", "a mapping")),
        ("type: [view, search]", "type: [view, view]", (9, "touchpoints.view.match[0].type[1]", "'view'")),
        ("type: [view, search]", "type: []", (9, "touchpoints.view.match[0].type", "no names")),
        ("type: [view, search]", f"type: {'x' * 65}", (9, "touchpoints.view.match[0].type", "65 characters")),
    ],
)
def test_a_mistake_in_a_kind_has_its_line_and_field(old: str, new: str, mistake: tuple[int, str, str]) -> None:
    assert mistake in mistakes_of(changed(old, new))


def test_an_unknown_field_comes_with_the_one_that_was_meant() -> None:
    assert "(did you mean 'channel'?)" in message_of(changed("channel: web,", "chanel: web,"))


def test_a_pattern_may_name_a_channel_alone_and_conditions() -> None:
    text = changed("{channel: web, type: [view, search]}", "{channel: 24, where: {value: {gt: 5}}}")

    model = parse_model(text, "shop.yaml")

    assert model.kinds[0].patterns == (Pattern(frozenset({"24"}), None, (Where("value", "gt", 5),)),)


@pytest.mark.parametrize(
    ("written", "mistake"),
    [
        ("{forward: all}", (17, "moves.forward", "'all'")),
        ("{back: no}", (17, "moves.back", "'no'")),
        ("{win_back: true}", (17, "moves.win_back", "'true'")),
        ("{backward: any}", (17, "moves.backward", "an unknown field")),
        ("any", (17, "moves", "'any'")),
    ],
)
def test_a_mistake_in_the_moves_has_its_line_and_field(written: str, mistake: tuple[int, str, str]) -> None:
    text = changed("{forward: any, back: inactivity, win_back: any}", written)

    assert [(line, field) for line, field, _ in mistakes_of(text)] == [mistake[:2]]


def test_moves_that_are_not_said_keep_their_defaults() -> None:
    text = changed("{forward: any, back: inactivity, win_back: any}", "{win_back: next}")

    assert parse_model(text, "shop.yaml").moves == Moves("any", "inactivity", "next")
