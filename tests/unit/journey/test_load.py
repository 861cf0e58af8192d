from pathlib import Path

import pytest

from journey_stream.journey.errors import ModelError
from journey_stream.journey.load import FILE_BYTES_MAX, load_model, parse_model
from journey_stream.journey.model import Atom, Inactivity, Kind, Moves, Pattern, Rule, Stage
from tests.unit.journey.model_texts import GOOD, changed, good_model, message_of, mistakes_of

DAY_MS = 86_400_000


def test_a_good_file_becomes_a_model() -> None:
    model = good_model()

    assert (model.name, model.version, model.description) == ("shop", 1, "A small shop")
    assert model.stages == (
        Stage("aware", "Knows us"),
        Stage("warm", "Looks closer", settle_ms=600_000),
        Stage("customer", "Bought"),
    )
    assert model.kinds == (
        Kind("view", "Looked", (Pattern(frozenset({"web"}), frozenset({"view", "search"})),)),
        Kind("buy", "Bought", (Pattern(frozenset({"web", "store"}), frozenset({"buy"})),)),
    )
    assert model.rules == (
        Rule("bought", 2, None, ((Atom("buy"),),), "Bought"),
        Rule("looks", 1, frozenset({0}), ((Atom("view", (), 2, 7 * DAY_MS),),), "Looked twice"),
        Rule("hello", 0, None, ((Atom("any"),),), "First contact"),
    )
    assert model.inactivity == (Inactivity("quiet", frozenset({1}), "view", (), 30 * DAY_MS, 0, "Quiet"),)
    assert model.moves == Moves("any", "inactivity", "any")


def test_a_file_is_read_whatever_its_line_ends_and_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())

    assert load_model(file) == good_model()


def test_moves_inactivity_and_texts_have_defaults() -> None:
    text = "".join(line for line in GOOD.splitlines(keepends=True) if not line.startswith(("moves", "description")))
    text = text.replace(", text: Looked twice", "").replace(", text: Quiet", "").replace("of: view, ", "")

    model = parse_model(text, "shop.yaml")

    assert model.moves == Moves("any", "inactivity", "any")
    assert model.rules[1].text == "2 times view within 7d"
    assert (model.inactivity[0].kind, model.inactivity[0].text) == ("any", "no touchpoint for 30d")


def test_inactivity_may_be_left_out_or_empty() -> None:
    start, end = GOOD.index("inactivity:"), GOOD.index("moves:")

    without, empty = GOOD[:start] + GOOD[end:], GOOD[:start] + "inactivity: []\n" + GOOD[end:]

    assert parse_model(without, "a").inactivity == parse_model(empty, "b").inactivity == ()


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = (
        GOOD.replace("settle: 10m", "settle: ten")
        .replace("when: buy", "when: bought")
        .replace("back: inactivity", "back: sometimes")
        .replace("version: 1", "version: one")
    )

    assert mistakes_of(text) == [
        (2, "version", "'one'"),
        (6, "stages[1].settle", "'ten'"),
        (12, "rules[0].when", "'bought'"),
        (17, "moves.back", "'sometimes'"),
    ]


def test_a_mistake_reads_as_a_sentence() -> None:
    message = message_of(changed("when: buy", "when: bye"))

    assert message == (
        "shop.yaml:12: rules[0].when: found 'bye'; expected a kind of touchpoint: view, buy, any (did you mean 'buy'?)"
    )


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("just words", (1, "", "'just words'")),
        ("- a\n- b\n", (1, "", "a list")),
        (GOOD + "extra: 1\n", (18, "extra", "an unknown field")),
        (changed("model: shop\n", ""), (1, "model", "nothing")),
        (changed("version: 1", "version: 0"), (2, "version", "0")),
        (changed("version: 1", "version: true"), (2, "version", "true")),
        (changed("version: 1", "version:"), (2, "version", "nothing")),
        (changed("model: shop", "model: my shop"), (1, "model", "'my shop'")),
        (changed("description: A small shop", "description: [a]"), (3, "description", "a list")),
    ],
)
def test_a_mistake_at_the_top_has_its_line_and_field(text: str, mistake: tuple[int | None, str, str]) -> None:
    assert mistakes_of(text) == [mistake]


def test_a_file_without_sections_names_each_that_is_missing() -> None:
    assert mistakes_of("model: x\n") == [
        (1, "version", "nothing"),
        (1, "stages", "nothing"),
        (1, "touchpoints", "nothing"),
        (1, "rules", "nothing"),
    ]


def test_a_missing_section_does_not_make_every_reference_to_it_a_mistake() -> None:
    start, end = GOOD.index("touchpoints:"), GOOD.index("rules:")

    assert mistakes_of(GOOD[:start] + GOOD[end:]) == [(1, "touchpoints", "nothing")]


def test_a_stage_without_a_way_in_is_a_mistake() -> None:
    text = changed("{id: bought, to: customer,", "{id: bought, to: warm,")

    assert mistakes_of(text) == [(7, "stages[2].id", "no way into 'customer' that `moves` allows")]


def test_a_stage_that_only_unreached_stages_lead_to_is_a_mistake() -> None:
    text = changed("to: customer, when", "to: customer, after: [warm], when").replace(
        "after: [aware]", "after: [customer]"
    )

    found = [(line, field) for line, field, _ in mistakes_of(text.replace("back: inactivity", "back: any"))]

    assert found == [(6, "stages[1].id"), (7, "stages[2].id")]


def test_a_first_stage_that_customers_may_not_skip_is_needed_by_all_others() -> None:
    text = changed("  - {id: hello, to: aware, when: any, text: First contact}\n", "").replace(
        "forward: any", "forward: next"
    )

    found = [(line, field) for line, field, _ in mistakes_of(text)]

    assert found == [(5, "stages[0].id"), (6, "stages[1].id"), (7, "stages[2].id")]


@pytest.mark.parametrize(
    ("content", "line", "found"),
    [
        (b"", None, "an empty file"),
        (b"\n\n", None, "an empty file"),
        (b"model: caf\xe9\n", 1, "the byte 0xe9"),
        (b"a: 1\nb: \xff\xfe\n", 2, "the byte 0xff"),
        (b"a: 1\nb: \x00\n", 2, "the character '\\x00'"),
        (b"#" * (FILE_BYTES_MAX + 1), None, "a larger file"),
    ],
)
def test_a_file_that_is_no_text_or_too_large_is_a_mistake(
    tmp_path: Path, content: bytes, line: int | None, found: str
) -> None:
    file = tmp_path / "model.yaml"
    file.write_bytes(content)

    with pytest.raises(ModelError) as caught:
        load_model(file)

    assert [(one.file, one.line, one.found) for one in caught.value.mistakes] == [(str(file), line, found)]


def test_a_missing_file_and_a_directory_are_mistakes_too(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file or directory"):
        load_model(tmp_path / "none.yaml")
    with pytest.raises(ModelError, match="is a directory"):
        load_model(tmp_path)
    with pytest.raises(ModelError, match="null"):
        load_model("a\0b")
