import pytest

from journey_stream.journey.load import parse_model
from tests.unit.journey.model_texts import GOOD, changed, message_of, mistakes_of

QUIET = "{id: quiet, in: [warm], nothing_for: 30d, of: view, to: aware, text: Quiet}"
LOOKS = "{id: looks, to: warm, after: [aware], when: {touchpoint: view, count: 2, within: 7d}, text: Looked twice}"


def with_quiet(written: str) -> str:
    return changed(QUIET, written)


def with_looks(written: str) -> str:
    return changed(LOOKS, written)


@pytest.mark.parametrize(
    ("written", "mistake"),
    [
        ("{to: warm, when: view}", ("rules[1].id", "nothing")),
        ("{id: looks, when: view}", ("rules[1].to", "nothing")),
        ("{id: looks, to: warm}", ("rules[1].when", "nothing")),
        ("{id: bought, to: warm, when: view}", ("rules[1].id", "'bought'")),
        ("{id: a b, to: warm, when: view}", ("rules[1].id", "'a b'")),
        ("{id: looks, to: warmer, when: view}", ("rules[1].to", "'warmer'")),
        ("{id: looks, to: [warm], when: view}", ("rules[1].to", "a list")),
        ("{id: looks, to: warm, after: [awake], when: view}", ("rules[1].after[0]", "'awake'")),
        ("{id: looks, to: warm, after: [], when: view}", ("rules[1].after", "no stages")),
        ("{id: looks, to: warm, after: , when: view}", ("rules[1].after", "nothing")),
        ("{id: looks, to: warm, after: [aware, aware], when: view}", ("rules[1].after[1]", "'aware'")),
        ("{id: looks, to: warm, when: view, test: x}", ("rules[1].test", "an unknown field")),
        ("{id: looks, to: warm, when: view, text: }", ("rules[1].text", "nothing")),
        ("looks", ("rules[1]", "'looks'")),
    ],
)
def test_a_mistake_in_a_rule_has_its_line_and_field(written: str, mistake: tuple[str, str]) -> None:
    assert mistakes_of(with_looks(written)) == [(13, *mistake)]


@pytest.mark.parametrize(
    ("written", "mistake"),
    [
        ("{in: [warm], nothing_for: 30d, to: aware}", ("inactivity[0].id", "nothing")),
        ("{id: quiet, nothing_for: 30d, to: aware}", ("inactivity[0].in", "nothing")),
        ("{id: quiet, in: [warm], to: aware}", ("inactivity[0].nothing_for", "nothing")),
        ("{id: quiet, in: [warm], nothing_for: 30d}", ("inactivity[0].to", "nothing")),
        ("{id: hello, in: [warm], nothing_for: 30d, to: aware}", ("inactivity[0].id", "'hello'")),
        ("{id: quiet, in: [warn], nothing_for: 30d, to: aware}", ("inactivity[0].in[0]", "'warn'")),
        ("{id: quiet, in: [warm], nothing_for: 0d, to: aware}", ("inactivity[0].nothing_for", "'0d'")),
        ("{id: quiet, in: [warm], nothing_for: a month, to: aware}", ("inactivity[0].nothing_for", "'a month'")),
        ("{id: quiet, in: [warm], nothing_for: 30d, of: vue, to: aware}", ("inactivity[0].of", "'vue'")),
        ("{id: quiet, in: [warm], nothing_for: 30d, to: awful}", ("inactivity[0].to", "'awful'")),
        ("{id: quiet, in: warm, nothing_for: 30d, to: aware, where: 3}", ("inactivity[0].where", "3")),
        ("{id: quiet, in: warm, nothing_for: 30d, to: aware, when: view}", ("inactivity[0].when", "an unknown field")),
    ],
)
def test_a_mistake_in_an_inactivity_rule_has_its_line_and_field(written: str, mistake: tuple[str, str]) -> None:
    assert mistakes_of(with_quiet(written)) == [(16, *mistake)]


def test_one_stage_may_be_written_without_a_list() -> None:
    text = with_quiet(QUIET.replace("[warm]", "warm")).replace("after: [aware]", "after: aware")

    model = parse_model(text, "shop.yaml")

    assert (model.inactivity[0].stages, model.rules[1].after) == (frozenset({1}), frozenset({0}))


@pytest.mark.parametrize(
    ("moves", "rule", "found"),
    [
        (
            "{back: inactivity}",
            "{id: looks, to: warm, after: [aware, customer], when: view}",
            (13, "rules[1].after[1]", "a move back from 'customer' to 'warm'"),
        ),
        (
            "{back: any}",
            "{id: looks, to: warm, after: [warm], when: view}",
            (13, "rules[1].after[0]", "a move from 'warm' to 'warm'"),
        ),
        (
            "{forward: next, win_back: next}",
            "{id: looks, to: customer, after: [aware], when: view}",
            (13, "rules[1].after[0]", "a move forward from 'aware' to 'customer'"),
        ),
    ],
)
def test_a_rule_that_the_moves_never_allow_is_a_mistake(moves: str, rule: str, found: tuple[int, str, str]) -> None:
    text = with_looks(rule).replace("{forward: any, back: inactivity, win_back: any}", moves)

    assert found in mistakes_of(text)


def test_inactivity_that_leads_back_while_nobody_moves_back_is_a_mistake() -> None:
    message = message_of(changed("back: inactivity", "back: never"))

    assert message == (
        "shop.yaml:16: inactivity[0].in[0]: found a move back from 'warm' to 'aware'; "
        "expected a move that `moves` can allow (moves.back is 'never')"
    )


def test_a_move_forward_that_only_a_win_back_allows_is_no_mistake() -> None:
    text = with_looks("{id: looks, to: warm, when: view}\n  - {id: return, to: customer, after: [aware], when: buy}")

    assert mistakes_of(text.replace("forward: any", "forward: next")) == []


def test_moves_that_are_mistaken_judge_no_rule() -> None:
    text = changed("back: inactivity", "back: nevver").replace("after: [aware]", "after: [customer]")

    assert mistakes_of(text) == [(17, "moves.back", "'nevver'")]


@pytest.mark.parametrize("rules", ["rules:\n", "rules: []\n", "rules: {a: b}\n"])
def test_rules_that_are_no_list_are_one_mistake(rules: str) -> None:
    start, end = GOOD.index("rules:"), GOOD.index("inactivity:")

    assert [line for line, _, _ in mistakes_of(GOOD[:start] + rules + GOOD[end:])] == [11]


def test_silence_that_moves_a_customer_in_a_circle_is_a_mistake_of_the_rule_that_closes_it() -> None:
    restless = "{id: restless, in: [aware], nothing_for: 1d, to: warm}"

    message = message_of(with_quiet(f"{QUIET}\n  - {restless}"))

    assert message == (
        "shop.yaml:17: inactivity[1].to: found a circle of silence ('restless' to 'warm', 'quiet' to 'aware'); "
        "expected a silent customer to come to rest in some stage"
    )
