import pytest

from journey_stream.churn import bands
from journey_stream.journey.describe import markdown
from journey_stream.journey.load import PRESETS, parse_model, preset
from journey_stream.journey.model import Model
from journey_stream.journey.segments import (
    BANDS,
    Condition,
    Counted,
    Elapsed,
    InBand,
    InStage,
    Returned,
    Scored,
    Unfollowed,
)
from journey_stream.journey.where import Where
from tests.unit.journey.model_texts import GOOD, good_model, message_of, mistakes_of

DAY_MS = 86_400_000


def text(*whens: str) -> str:
    """The good model with a segment for each condition."""
    lines = [f"  - {{id: s{number}, meaning: M, when: {when}}}\n" for number, when in enumerate(whens)]
    return f"{GOOD}segments:\n{''.join(lines)}"


def model_with(*whens: str) -> Model:
    return parse_model(text(*whens), "shop.yaml")


def clauses(when: str) -> tuple[tuple[Condition, ...], ...]:
    return model_with(when).segments[0].clauses


def test_the_bands_are_those_of_churn_risk() -> None:
    assert BANDS == bands.BANDS


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_the_seven_segments(name: str) -> None:
    ids = [segment.id for segment in preset(name).segments]

    assert sorted(ids) == ["abandoned-cart", "active", "at-risk", "lapsed", "loyal", "new", "returning"]


@pytest.mark.parametrize(
    ("when", "condition"),
    [
        ("buy", Counted("buy", (), 1)),
        ("{touchpoint: buy}", Counted("buy", (), 1)),
        ("{touchpoint: any, at_least: 3}", Counted("any", (), 3)),
        ("{touchpoint: buy, at_most: 0}", Counted("buy", (), 1, negated=True)),
        ("{touchpoint: buy, last_within: 2d}", Elapsed("buy", (), "last", 2 * DAY_MS)),
        ("{touchpoint: buy, nothing_for: 2d}", Elapsed("buy", (), "last", 2 * DAY_MS, negated=True)),
        ("{touchpoint: buy, first_within: 2d}", Elapsed("buy", (), "first", 2 * DAY_MS)),
        ("{touchpoint: buy, known_for: 2d}", Elapsed("buy", (), "first", 2 * DAY_MS, negated=True)),
        ("{touchpoint: view, not_followed_by: buy, for: 2d}", Unfollowed("view", (), "buy", 2 * DAY_MS)),
        ("{touchpoint: buy, back_after: 9d, back_within: 2d}", Returned("buy", (), 9 * DAY_MS, 2 * DAY_MS)),
        ("{stage: [warm, customer]}", InStage(frozenset({1, 2}))),
        ("{stage: warm}", InStage(frozenset({1}))),
        ("{risk: [high, critical]}", InBand(frozenset({2, 3}))),
        ("{rfm: {recency: 5}}", Scored("recency", 5, 5)),
        ("{rfm: {monetary: {gte: 4}}}", Scored("monetary", 4, 5)),
        ("{rfm: {frequency: {lte: 2}}}", Scored("frequency", 1, 2)),
    ],
)
def test_what_a_segment_may_ask_for(when: str, condition: Condition) -> None:
    assert clauses(when) == ((condition,),)


def test_fields_of_one_touchpoint_are_joined_by_and() -> None:
    where = (Where("channel", "eq", "web"),)

    assert clauses("{touchpoint: buy, where: {channel: web}, at_least: 2, at_most: 4, last_within: 2d}") == (
        (Counted("buy", where, 2), Counted("buy", where, 5, negated=True), Elapsed("buy", where, "last", 2 * DAY_MS)),
    )


def test_all_and_any_nest_as_in_rules() -> None:
    found = clauses("{all: [buy, {any: [{stage: warm}, {rfm: {recency: 5, monetary: 4}}]}]}")

    assert found == (
        (Counted("buy", (), 1), InStage(frozenset({1}))),
        (Counted("buy", (), 1), Scored("recency", 5, 5), Scored("monetary", 4, 4)),
    )


def test_segments_are_no_part_of_the_fingerprint_of_a_model_without_any() -> None:
    assert good_model().fingerprint == "09c060017f52dd27fad3b26f7ed8eff516c93275f7a56c1cbaae117ca62b762f"


def test_what_segments_ask_for_is_part_of_the_fingerprint_and_their_meaning_is_not() -> None:
    fingerprint = model_with("{touchpoint: buy, last_within: 2d}").fingerprint

    other = parse_model(text("{touchpoint: buy, last_within: 2d}").replace("meaning: M", "meaning: N"), "shop.yaml")

    assert other.fingerprint == fingerprint
    assert model_with("{touchpoint: buy, last_within: 3d}").fingerprint != fingerprint


@pytest.mark.parametrize(
    ("when", "field", "found"),
    [
        ("bought", "segments[0].when", "'bought'"),
        ("{}", "segments[0].when", "an empty mapping"),
        ("[buy]", "segments[0].when", "a list"),
        ("{touchpoint: by}", "segments[0].when.touchpoint", "'by'"),
        ("{touchpoint: buy, count: 2}", "segments[0].when.count", "an unknown field"),
        ("{at_least: 2}", "segments[0].when", "at_least alone"),
        ("{kind: buy}", "segments[0].when.kind", "an unknown field"),
        ("{touchpoint: buy, at_least: 0}", "segments[0].when.at_least", "0"),
        ("{touchpoint: buy, at_least: 3, at_most: 2}", "segments[0].when.at_most", "2"),
        ("{touchpoint: buy, last_within: 30}", "segments[0].when.last_within", "30"),
        ("{touchpoint: buy, last_within: 2d, nothing_for: 2d}", "segments[0].when.nothing_for", "'2d'"),
        ("{touchpoint: buy, first_within: 2d, known_for: 3d}", "segments[0].when.known_for", "'3d'"),
        ("{touchpoint: view, not_followed_by: buy}", "segments[0].when.not_followed_by", "`not_followed_by` alone"),
        ("{touchpoint: view, for: 2d}", "segments[0].when.for", "`for` alone"),
        ("{touchpoint: buy, back_after: 2d}", "segments[0].when.back_after", "`back_after` alone"),
        ("{touchpoint: view, not_followed_by: by, for: 2d}", "segments[0].when.not_followed_by", "'by'"),
        ("{stage: hot}", "segments[0].when.stage", "'hot'"),
        ("{stage: [warm, warm]}", "segments[0].when.stage[1]", "'warm'"),
        ("{stage: warm, risk: high}", "segments[0].when.risk", "an unknown field"),
        ("{risk: severe}", "segments[0].when.risk", "'severe'"),
        ("{rfm: 5}", "segments[0].when.rfm", "5"),
        ("{rfm: {}}", "segments[0].when.rfm", "an empty mapping"),
        ("{rfm: {recency: 6}}", "segments[0].when.rfm.recency", "6"),
        ("{rfm: {recency: {gt: 3}}}", "segments[0].when.rfm.recency.gt", "an unknown field"),
        ("{rfm: {recency: {gte: 4, lte: 3}}}", "segments[0].when.rfm.recency.lte", "3"),
        ("{rfm: {recency: {}}}", "segments[0].when.rfm.recency", "an empty mapping"),
        ("{rfm: {money: 3}}", "segments[0].when.rfm.money", "an unknown field"),
    ],
)
def test_each_mistake_is_told_with_its_line_and_field(when: str, field: str, found: str) -> None:
    line = GOOD.count("\n") + 2

    assert mistakes_of(text(when)) == [(line, field, found)]


def test_mistakes_of_the_section_itself() -> None:
    line = GOOD.count("\n") + 2

    assert mistakes_of(f"{GOOD}segments: none\n") == [(line - 1, "segments", "'none'")]
    assert mistakes_of(f"{GOOD}segments:\n  - {{id: s, when: buy}}\n") == [(line, "segments[0].meaning", "nothing")]
    assert "an id of its own" in message_of(text("buy", "view").replace("id: s1", "id: s0"))


def test_alternatives_are_limited_as_those_of_rules_are() -> None:
    many = ", ".join("{any: [buy, view, {stage: warm}]}" for _ in range(4))

    assert "split it into several segments" in message_of(text(f"{{all: [{many}]}}"))


def test_segments_are_described_in_words() -> None:
    page = markdown(
        model_with(
            "{touchpoint: view, where: {channel: web}, not_followed_by: buy, for: 2h, last_within: 7d}",
            "{any: [{all: [{touchpoint: buy, at_least: 3}, {touchpoint: any, known_for: 9d}]}, {stage: warm}]}",
            "{touchpoint: buy, at_most: 2, back_after: 60d, back_within: 30d}",
            "{all: [{risk: [high, critical]}, {rfm: {recency: {gte: 4}, frequency: {lte: 2}, monetary: 3}}]}",
            "{any: [buy, {touchpoint: buy, at_most: 0}, {rfm: {recency: {gte: 2, lte: 4}}}]}",
        )
    )

    table = [line.split(" | ")[2].removesuffix(" |") for line in page.splitlines() if line.startswith("| s")]
    assert table[-5:] == [
        "no buy since the last view (channel = web), 2h ago or longer and last view (channel = web) less than 7d ago",
        "at least 3 buy and first touchpoint at least 9d ago, or in stage warm",
        "at most 2 buy and buy again after 60d or more without, less than 30d ago",
        "churn risk high or critical and recency ≥ 4 and frequency ≤ 2 and monetary 3",
        "any buy so far, or no buy so far, or recency 2 to 4",
    ]
