"""YAML text as plain values that remember their line.

Only the plain part of YAML is read: mappings, lists and scalars in one document. Scalars follow YAML 1.2, so `no` and
`on` are words, not booleans. Aliases and tags are refused: a file of a few lines must not unfold into millions.
"""

import math
import re
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml
from yaml.events import AliasEvent

from journey_stream.journey.errors import Mistakes, quote
from journey_stream.journey.where import Scalar

DEPTH_MAX = 64
INTEGER_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A single value; `value` is None for null or nothing, `written` is the text as it stands in the file."""

    line: int
    value: Scalar | None
    written: str


@dataclass(frozen=True, slots=True)
class ListNode:
    """Items in order; None stands for one that could not be read, so that the others keep their index."""

    line: int
    items: tuple["Node | None", ...]


@dataclass(frozen=True, slots=True)
class MapNode:
    """Named values in the order of the file, each with the line of its key.

    `keys` also holds the names whose values could not be read, so that nobody calls them missing.
    """

    line: int
    entries: dict[str, tuple[int, "Node"]]
    keys: frozenset[str]


Node = ScalarNode | ListNode | MapNode


def read_yaml(text: str, mistakes: Mistakes) -> Node | None:
    """The document in `text`; None if it is empty or not YAML, which is then one of the `mistakes`."""
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position if isinstance(error.position, int) else 0) + 1
        mistakes.add(line, "", found=f"the character {quote(_character(error))}", expected="printable text")
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        mistakes.add(mark.line + 1 if mark else None, "", found=_problem(error), expected="YAML")
        return None
    if root is None:
        mistakes.add(None, "", found="an empty file", expected="a journey model")
        return None
    return _located(root, "", mistakes)


def _problem(error: yaml.MarkedYAMLError) -> str:
    """What was found, in words that go after "found"; some of the parser's begin with that themselves."""
    problem = error.problem or error.context or "a syntax error"
    for beginning in ("but found ", "found "):
        if problem.startswith(beginning):
            return problem.removeprefix(beginning)
    return problem if isinstance(error, _Refused) else f"a syntax error: {problem}"


class _Refused(yaml.composer.ComposerError):
    """What YAML allows and we do not."""


def _character(error: yaml.reader.ReaderError) -> str:
    return error.character if isinstance(error.character, str) else chr(error.character)


class _Loader(yaml.SafeLoader):
    """Composes nodes; its scalars are YAML 1.2's."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own attribute

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(AliasEvent):
            self._refuse("an alias, and aliases are not read: write it out")
        if self._depth >= DEPTH_MAX:
            self._refuse(f"more than {DEPTH_MAX} levels of nesting")
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def _refuse(self, problem: str) -> NoReturn:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        raise _Refused(None, None, problem, event.start_mark)


_TAG = "tag:yaml.org,2002:"
for _name, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), list(_first))


def _located(node: yaml.Node, path: str, mistakes: Mistakes) -> Node | None:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode) and node.tag.startswith(_TAG):
        return _scalar(node, line, path, mistakes)
    if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
        items = [_located(item, f"{path}[{index}]", mistakes) for index, item in enumerate(node.value)]
        return ListNode(line, tuple(items))
    if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
        return _mapping(node, line, path, mistakes)
    mistakes.add(line, path, found=f"the tag {quote(node.tag)}", expected="a value without a tag")
    return None


def _mapping(node: yaml.MappingNode, line: int, path: str, mistakes: Mistakes) -> MapNode:
    entries: dict[str, tuple[int, Node]] = {}
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        key_line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            mistakes.add(key_line, path, found="a list or mapping as a key", expected="a name")
            continue
        key = key_node.value
        if not _is_text(key):
            mistakes.add(key_line, path, found=f"{quote(key)} as a key", expected=_A_TEXT)
            continue
        inner = f"{path}.{key}" if path else key
        if key in seen:
            mistakes.add(key_line, inner, found="the same key again", expected=f"it once (it is on line {seen[key]})")
            continue
        seen[key] = key_line
        value = _located(value_node, inner, mistakes)
        if value is not None:
            entries[key] = (key_line, value)
    return MapNode(line, entries, frozenset(seen))


_A_TEXT = "a text that can be written in UTF-8: half of a surrogate pair cannot"


def _is_text(written: str) -> bool:
    """Tell whether it could have stood in the file; by an escape, anything can be said."""
    try:
        written.encode()
    except UnicodeEncodeError:
        return False
    return True


def _scalar(node: yaml.ScalarNode, line: int, path: str, mistakes: Mistakes) -> ScalarNode | None:
    written: str = node.value
    if not _is_text(written):
        mistakes.add(line, path, found=quote(written), expected=_A_TEXT)
        return None
    value: Scalar | None
    try:
        match node.tag.removeprefix(_TAG):
            case "str":
                value = written
            case "null":
                value = None
            case "bool":
                value = {"true": True, "false": False}[written.lower()]
            case "int":
                value = int(written)
            case "float":
                value = float(written.lower().replace(".inf", "inf").replace(".nan", "nan"))
            case _:
                mistakes.add(line, path, found=f"the tag {quote(node.tag)}", expected="a value without a tag")
                return None
    except (KeyError, ValueError):
        mistakes.add(line, path, found=f"{quote(written)} with the tag {quote(node.tag)}", expected="a matching value")
        return None
    if (isinstance(value, float) and not math.isfinite(value)) or (isinstance(value, int) and abs(value) > INTEGER_MAX):
        mistakes.add(line, path, found=quote(written), expected="a finite number, or a whole one of at most 64 bits")
        return None
    return ScalarNode(line, value, written)
