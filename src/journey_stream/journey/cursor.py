"""A place in a model file, with its path: reads what stands there, or notes what should have stood there.

Every reader returns None after noting a mistake, so that reading goes on and finds the next one.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from journey_stream.journey.durations import DURATION_MS_MAX, likely_duration, parse_duration
from journey_stream.journey.errors import Mistakes, did_you_mean, quote
from journey_stream.journey.where import Scalar
from journey_stream.journey.yaml_positions import ListNode, MapNode, Node, ScalarNode

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
A_NAME = "a name of up to 64 letters, digits, '-', '_' and '.', a letter or digit first"
TEXT_LENGTH_MAX = 2_000
LIST_LENGTH_MAX = 512


@dataclass(frozen=True, slots=True)
class Cursor:
    """`line` is where the key stands if there is one: the line a person would look at."""

    node: Node
    path: str
    line: int
    mistakes: Mistakes

    def wrong(self, expected: str, *, found: str | None = None, hint: str = "") -> None:
        """Note a mistake at this place."""
        self.mistakes.add(self.line, self.path, found=found or self.describe(), expected=expected, hint=hint)

    def describe(self) -> str:
        """What stands here, in the words of a message."""
        match self.node:
            case ScalarNode(value=None):
                return "nothing"
            case ScalarNode(value=str(), written=written):
                return quote(written)
            case ScalarNode(written=written):
                return written if len(written) <= 60 else quote(written)
            case ListNode():
                return "a list"
            case MapNode():
                return "a mapping"

    def fields(self, known: Sequence[str], required: Collection[str] = ()) -> "dict[str, Cursor] | None":
        """The named values of a mapping. Unknown names and missing ones are mistakes."""
        if not isinstance(self.node, MapNode):
            self.wrong(f"a mapping with {listed(known)}")
            return None
        present = dict(self.named())
        for name, cursor in present.items():
            if name not in known:
                cursor.wrong(f"one of {listed(known)}", found="an unknown field", hint=did_you_mean(name, list(known)))
        for name in required:
            if name not in self.node.keys:
                path = f"{self.path}.{name}" if self.path else name
                self.mistakes.add(self.line, path, found="nothing", expected="this field")
        return {name: cursor for name, cursor in present.items() if name in known}

    def named(self) -> "Iterator[tuple[str, Cursor]]":
        """The entries of a mapping with any names; nothing if this is not a mapping."""
        if isinstance(self.node, MapNode):
            for name, (line, node) in self.node.entries.items():
                yield name, Cursor(node, f"{self.path}.{name}" if self.path else name, line, self.mistakes)

    def is_mapping(self) -> bool:
        return isinstance(self.node, MapNode)

    def is_empty(self) -> bool:
        """Tell whether this is a mapping without any key, good or bad."""
        return isinstance(self.node, MapNode) and not self.node.keys

    def is_list(self) -> bool:
        return isinstance(self.node, ListNode)

    def items(self, of: str, *, least: int = 1) -> "list[Cursor] | None":
        """The items of a list of at least so many."""
        if not isinstance(self.node, ListNode):
            self.wrong(f"a list of {of}")
            return None
        if not least <= len(self.node.items) <= LIST_LENGTH_MAX:
            self.wrong(f"{least} to {LIST_LENGTH_MAX} {of}", found=f"{len(self.node.items) or 'no'} {of}")
            return None
        return [
            Cursor(node, f"{self.path}[{index}]", node.line, self.mistakes)
            for index, node in enumerate(self.node.items)
            if node is not None
        ]

    def one_or_more(self, of: str) -> "list[Cursor] | None":
        """One scalar, or a list."""
        return [self] if isinstance(self.node, ScalarNode) and self.node.value is not None else self.items(of)

    def scalar_text(self) -> str | None:
        """A single value as it is written, whatever it is; None for anything else."""
        return self.node.written if isinstance(self.node, ScalarNode) else None

    def scalar(self) -> Scalar | None:
        if isinstance(self.node, ScalarNode) and self.node.value is not None:
            return self.node.value
        self.wrong("a text, a number, true or false")
        return None

    def text(self, *, length_max: int = TEXT_LENGTH_MAX) -> str | None:
        """Words for people, or a channel or type, which may look like a number: the text as it is written."""
        if not isinstance(self.node, ScalarNode) or self.node.value is None or not self.node.written.strip():
            self.wrong("a text")
            return None
        if len(self.node.written) > length_max:
            self.wrong(f"at most {length_max} characters", found=f"{len(self.node.written)} characters")
            return None
        return self.node.written

    def name(self) -> str | None:
        """An id."""
        if isinstance(self.node, ScalarNode) and NAME.fullmatch(self.node.written):
            return self.node.written
        self.wrong(A_NAME)
        return None

    def new_name(self, seen: dict[str, int]) -> str | None:
        """An id that nobody has yet; it joins those `seen`, each with its line."""
        name = self.name()
        if name in seen:
            self.wrong(f"an id of its own (line {seen[name]} has this one)")
            return None
        if name is not None:
            seen[name] = self.line
        return name

    def one_of(self, names: Sequence[str], what: str) -> str | None:
        """A name that must be one of `names`. Without any names nothing is noted: why there are none has been said."""
        if not names:
            return None
        if isinstance(self.node, ScalarNode) and self.node.written in names:
            return self.node.written
        written = self.node.written if isinstance(self.node, ScalarNode) else ""
        self.wrong(f"{what}: {listed(names)}", hint=did_you_mean(written, list(names)))
        return None

    def integer(self, least: int, most: int) -> int | None:
        value = self.node.value if isinstance(self.node, ScalarNode) else None
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self.wrong(f"a whole number from {least} to {most}")
        return None

    def duration_ms(self, *, least_ms: int = 1) -> int | None:
        if isinstance(self.node, ScalarNode):
            length_ms = parse_duration(self.node.written)
            if length_ms is not None and least_ms <= length_ms <= DURATION_MS_MAX:
                return length_ms
            if length_ms is not None:
                self.wrong("a duration of more than nothing and at most ten years")
                return None
            likely = likely_duration(self.node.written)
            self.wrong("a duration such as 10m, 24h, 30d or 2w", hint=f"did you mean {likely}?" if likely else "")
            return None
        self.wrong("a duration such as 10m, 24h, 30d or 2w")
        return None


def listed(names: Collection[str], most: int = 24) -> str:
    """Names in the order given, cut short when there are very many."""
    shown = list(names)[:most]
    return ", ".join(shown) + (f" and {len(names) - most} more" if len(names) > most else "") if shown else "(none)"
