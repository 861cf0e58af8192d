import pytest

from journey_stream.journey.conditions import CLAUSES_MAX, Clauses
from journey_stream.journey.load import parse_model
from journey_stream.journey.model import Atom
from journey_stream.journey.where import Where
from tests.unit.journey.model_texts import changed, message_of, mistakes_of

DAY_MS = 86_400_000


def with_when(written: str) -> str:
    return changed("when: buy", f"when: {written}")


def clauses_of(written: str) -> Clauses:
    return parse_model(with_when(written), "shop.yaml").rules[0].clauses


def conditions_of(written: str) -> tuple[Where, ...]:
    return clauses_of(f"{{touchpoint: buy, where: {written}}}")[0][0].where


@pytest.mark.parametrize(
    ("written", "clauses"),
    [
        ("buy", ((Atom("buy"),),)),
        ("any", ((Atom("any"),),)),
        ("{touchpoint: buy}", ((Atom("buy"),),)),
        ("{touchpoint: buy, count: 3, within: 2w}", ((Atom("buy", (), 3, 14 * DAY_MS),),)),
        ("{any: [buy, view]}", ((Atom("buy"),), (Atom("view"),))),
        ("{all: [buy, view]}", ((Atom("buy"), Atom("view")),)),
        ("{any: [buy, {any: [view, any]}]}", ((Atom("buy"),), (Atom("view"),), (Atom("any"),))),
        ("{any: [buy, {all: [view, any]}]}", ((Atom("buy"),), (Atom("view"), Atom("any")))),
        ("{all: [any, {any: [view, buy]}]}", ((Atom("any"), Atom("view")), (Atom("any"), Atom("buy")))),
        ("{all: [buy, buy]}", ((Atom("buy"),),)),
        ("{any: [buy, {all: [buy, buy]}]}", ((Atom("buy"),),)),
    ],
)
def test_a_condition_becomes_alternatives_of_atoms(written: str, clauses: Clauses) -> None:
    assert clauses_of(written) == clauses


@pytest.mark.parametrize(
    ("written", "mistake"),
    [
        ("bought", ("rules[0].when", "'bought'")),
        ("", ("rules[0].when", "nothing")),
        ("[buy, view]", ("rules[0].when", "a list")),
        ("{any: []}", ("rules[0].when.any", "no conditions")),
        ("{all: buy}", ("rules[0].when.all", "'buy'")),
        ("{any: [buy], all: [view]}", ("rules[0].when", "any beside all")),
        ("{any: [buy], within: 3d}", ("rules[0].when", "any beside within")),
        ("{any: [buy, {all: [view, vieww]}]}", ("rules[0].when.any[1].all[1]", "'vieww'")),
        ("{touchpoint: bye}", ("rules[0].when.touchpoint", "'bye'")),
        ("{count: 2}", ("rules[0].when.touchpoint", "nothing")),
        ("{touchpoint: buy, count: 0}", ("rules[0].when.count", "0")),
        ("{touchpoint: buy, count: -1}", ("rules[0].when.count", "-1")),
        ("{touchpoint: buy, count: 2.0}", ("rules[0].when.count", "2.0")),
        ("{touchpoint: buy, count: two}", ("rules[0].when.count", "'two'")),
        ("{touchpoint: buy, count: 1001}", ("rules[0].when.count", "1001")),
        ("{touchpoint: buy, count: true}", ("rules[0].when.count", "true")),
        ("{touchpoint: buy, within: 0d}", ("rules[0].when.within", "'0d'")),
        ("{touchpoint: buy, within: 99999d}", ("rules[0].when.within", "'99999d'")),
        ("{touchpoint: buy, within: 30}", ("rules[0].when.within", "30")),
        ("{touchpoint: buy, within: }", ("rules[0].when.within", "nothing")),
        ("{touchpoint: buy, whitin: 3d}", ("rules[0].when.whitin", "an unknown field")),
    ],
)
def test_a_mistake_in_a_condition_has_its_line_and_field(written: str, mistake: tuple[str, str]) -> None:
    assert mistakes_of(with_when(written)) == [(12, *mistake)]


def test_every_part_of_a_condition_tells_its_own_mistake() -> None:
    written = "{any: [{touchpoint: bye, count: 0}, {all: [x, {touchpoint: buy, within: y}]}]}"

    fields = [field for _, field, _ in mistakes_of(with_when(written))]

    assert fields == [
        "rules[0].when.any[0].touchpoint",
        "rules[0].when.any[0].count",
        "rules[0].when.any[1].all[0]",
        "rules[0].when.any[1].all[1].within",
    ]


def test_a_list_without_a_word_before_it_comes_with_a_hint() -> None:
    assert "(say `any:` or `all:` before the list)" in message_of(with_when("[buy, view]"))


def test_as_many_alternatives_as_allowed_are_accepted() -> None:
    counts = ", ".join(f"{{touchpoint: buy, count: {count}}}" for count in range(1, CLAUSES_MAX + 1))

    assert len(clauses_of(f"{{any: [{counts}]}}")) == CLAUSES_MAX


def test_a_condition_that_unfolds_into_too_many_alternatives_is_refused_before_it_is_unfolded() -> None:
    pair = "{any: [buy, view]}"
    written = f"{{all: [{', '.join([pair] * 40)}]}}"

    assert mistakes_of(with_when(written)) == [
        (12, "rules[0].when", "all/any that unfold into millions of alternatives with millions of conditions")
    ]


@pytest.mark.parametrize(
    ("written", "conditions"),
    [
        ("{value: 10}", (Where("value", "eq", 10),)),
        ("{value: {gte: 10, lt: 99.5}}", (Where("value", "gte", 10), Where("value", "lt", 99.5))),
        ("{currency: [EUR, SEK]}", (Where("currency", "in", ("EUR", "SEK")),)),
        ("{currency: NO}", (Where("currency", "eq", "NO"),)),
        ("{campaign: 2024}", (Where("campaign", "eq", "2024"),)),
        ("{campaign: {ne: spring}}", (Where("campaign", "ne", "spring"),)),
        ("{channel: {in: [web]}}", (Where("channel", "in", ("web",)),)),
        ("{properties.score: {gte: 9}}", (Where("properties.score", "gte", 9),)),
        ("{properties.a.b-c: true}", (Where("properties.a.b-c", "eq", True),)),
        ("{properties.plan: [1, one, true]}", (Where("properties.plan", "in", (1, "one", True)),)),
        ("{properties.vip: {exists: false}}", (Where("properties.vip", "exists", False),)),
        ("{value: {exists: true}, type: buy}", (Where("value", "exists", True), Where("type", "eq", "buy"))),
        ("{properties.note: ''}", (Where("properties.note", "eq", ""),)),
    ],
)
def test_a_condition_on_a_field_is_read(written: str, conditions: tuple[Where, ...]) -> None:
    assert conditions_of(written) == conditions


@pytest.mark.parametrize(
    ("written", "field", "found"),
    [
        ("{}", "", "an empty mapping"),
        ("{value: !x 1}", ".value", "the tag '!x'"),
        ("[value]", "", "a list"),
        ("big", "", "'big'"),
        ("{amount: 10}", ".amount", "an unknown field of a touchpoint"),
        ("{properties: 10}", ".properties", "an unknown field of a touchpoint"),
        ("{properties.: 10}", ".properties.", "an unknown field of a touchpoint"),
        ("{properties.a..b: 10}", ".properties.a..b", "an unknown field of a touchpoint"),
        ("{value: ten}", ".value", "'ten'"),
        ("{value: true}", ".value", "true"),
        ("{value: }", ".value", "nothing"),
        ("{value: []}", ".value", "no values"),
        ("{value: {}}", ".value", "an empty mapping"),
        ("{value: [1, ten]}", ".value[1]", "'ten'"),
        ("{value: {at_least: 10}}", ".value.at_least", "an unknown operator"),
        ("{value: {gte: ten}}", ".value.gte", "'ten'"),
        ("{value: {in: 10}}", ".value.in", "10"),
        ("{value: {exists: 1}}", ".value.exists", "1"),
        ("{currency: {gt: 5}}", ".currency.gt", "5"),
        ("{currency: {gt: [5]}}", ".currency.gt", "a list"),
        ("{properties.x: {gt: '5'}}", ".properties.x.gt", "'5'"),
        ("{properties.x: {eq: {a: 1}}}", ".properties.x.eq", "a mapping"),
        (f"{{properties.x: {'y' * 513}}}", ".properties.x", "513 characters"),
    ],
)
def test_a_mistake_in_a_condition_on_a_field_has_its_path(written: str, field: str, found: str) -> None:
    text = with_when(f"{{touchpoint: buy, where: {written}}}")

    assert mistakes_of(text) == [(12, f"rules[0].when.where{field}", found)]


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("{valu: 1}", "did you mean 'value'?"),
        ("{score: 1}", "did you mean 'properties.score'?"),
        ("{value: {gtee: 1}}", "did you mean 'gte'?"),
        ("{value: {'>=': 1}}", "did you mean 'gte'?"),
    ],
)
def test_an_unknown_field_or_operator_comes_with_a_hint(written: str, hint: str) -> None:
    assert hint in message_of(with_when(f"{{touchpoint: buy, where: {written}}}"))
