import pytest

from journey_stream.journey.errors import Mistakes
from journey_stream.journey.yaml_positions import DEPTH_MAX, ListNode, MapNode, ScalarNode, read_yaml


def read(text: str) -> tuple[object, list[tuple[int | None, str, str]]]:
    mistakes = Mistakes("m.yaml")
    node = read_yaml(text, mistakes)
    return node, [(one.line, one.field, one.found) for one in mistakes.error().mistakes]


def test_every_value_knows_its_line() -> None:
    node, mistakes = read("a: 1\nb:\n  - x\n")

    assert node == MapNode(
        1,
        {"a": (1, ScalarNode(1, 1, "1")), "b": (2, ListNode(3, (ScalarNode(3, "x", "x"),)))},
        frozenset({"a", "b"}),
    )
    assert mistakes == []


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("2024-01-01", "2024-01-01"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("true", True),
        ("False", False),
        ("010", 10),
        ("-3", -3),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("~", None),
        ("null", None),
        ("", None),
        ("'5'", "5"),
        ("!!str 5", "5"),
    ],
)
def test_scalars_are_what_they_look_like(written: str, value: object) -> None:
    node, mistakes = read(f"[{written}, z]" if written else "[~, z]")

    assert isinstance(node, ListNode)
    first = node.items[0]
    assert isinstance(first, ScalarNode)
    assert (first.value, type(first.value)) == (value, type(value))
    assert mistakes == []


def test_a_key_without_a_value_is_null() -> None:
    node, _ = read("a:\n")

    assert isinstance(node, MapNode)
    assert node.entries["a"] == (1, ScalarNode(1, None, ""))


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("a: 1\nb: 2\na: 3\n", (3, "a", "the same key again")),
        ("x:\n  a: 1\n  a: 1\n", (3, "x.a", "the same key again")),
        ("? [a]\n: 1\n", (1, "", "a list or mapping as a key")),
        ("a: !secret x\n", (1, "a", "the tag '!secret'")),
        ("a: !!python/name:os.system x\n", (1, "a", "the tag 'tag:yaml.org,2002:python/name:os.system'")),
        ("a: !!set {x}\n", (1, "a", "the tag 'tag:yaml.org,2002:set'")),
        ("a: !!int x\n", (1, "a", "'x' with the tag 'tag:yaml.org,2002:int'")),
        ("a: .nan\n", (1, "a", "'.nan'")),
        ("a: 1e999\n", (1, "a", "'1e999'")),
        ("a: 99999999999999999999\n", (1, "a", "'99999999999999999999'")),
        ("a: &x 1\nb: *x\n", (2, "", "an alias, and aliases are not read: write it out")),
        ("[" * (DEPTH_MAX + 1), (1, "", f"more than {DEPTH_MAX} levels of nesting")),
        ("[" * 100_000, (1, "", f"more than {DEPTH_MAX} levels of nesting")),
        ("a: 1\n b: 2\n", (2, "", "a syntax error: mapping values are not allowed here")),
        ("a: [1\n", (2, "", "a syntax error: expected ',' or ']', but got '<stream end>'")),
        ("a: 1\n---\nb: 2\n", (2, "", "another document")),
        ("a:\n\tb: 1\n", (2, "", "character '\\t' that cannot start any token")),
        ('a: "\\ud800"\n', (1, "a", "'\\ud800'")),
        ('a: {"b\\udfff": 1}\n', (1, "a", "'b\\udfff' as a key")),
        ("a: 1\nb: \x07\n", (2, "", "the character '\\x07'")),
        ("", (None, "", "an empty file")),
        ("# only a comment\n", (None, "", "an empty file")),
    ],
)
def test_what_is_not_plain_yaml_is_a_mistake_with_its_line(text: str, mistake: tuple[int | None, str, str]) -> None:
    _, mistakes = read(text)

    assert mistakes == [mistake]


def test_an_unreadable_value_does_not_hide_later_mistakes() -> None:
    _, mistakes = read("a: !x 1\nb: .inf\nb: 2\n")

    assert [(line, field) for line, field, _ in mistakes] == [(1, "a"), (2, "b"), (3, "b")]


def test_an_unreadable_item_leaves_the_others_their_index() -> None:
    _, mistakes = read("[!x 1, !y 2]")

    assert [field for _, field, _ in mistakes] == ["[0]", "[1]"]


def test_an_integer_of_many_digits_does_not_stop_the_reader() -> None:
    _, mistakes = read(f"a: {'9' * 10_000}\n")

    assert [(line, field) for line, field, _ in mistakes] == [(1, "a")]
