"""Mistakes in a model file: each says where it is, what was found and what was expected."""

from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake. `line` counts from 1; None speaks of the file as a whole. `field` is a path: `rules[2].when`."""

    file: str
    line: int | None
    field: str
    found: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        subject = f"{place}: {self.field}" if self.field else place
        hint = f" ({self.hint})" if self.hint else ""
        return f"{subject}: found {self.found}; expected {self.expected}{hint}"


SHOWN_MAX = 100


class ModelError(ValueError):
    """A journey model that cannot be used, with all its mistakes in the order of the file.

    As a text it shows the first SHOWN_MAX, one a line: a file that is something else altogether has thousands.
    """

    def __init__(self, mistakes: tuple[Mistake, ...]) -> None:
        self.mistakes = mistakes
        lines = [str(mistake) for mistake in mistakes[:SHOWN_MAX]]
        if len(mistakes) > SHOWN_MAX:
            lines.append(f"and {len(mistakes) - SHOWN_MAX} more")
        super().__init__("\n".join(lines))


class Mistakes:
    """Collects the mistakes of one file, so that a reader sees all of them at once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._found: list[Mistake] = []

    def add(self, line: int | None, field: str, *, found: str, expected: str, hint: str = "") -> None:
        self._found.append(Mistake(self.file, line, field, found, expected, hint))

    def __bool__(self) -> bool:
        return bool(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def error(self) -> ModelError:
        """All mistakes so far, sorted by line; those of one line stay in the order in which they were found."""
        return ModelError(tuple(sorted(self._found, key=lambda mistake: mistake.line or 0)))


def did_you_mean(written: str, names: list[str]) -> str:
    """A hint at the name that was probably meant, or nothing."""
    folded = {name.lower().replace("_", "-"): name for name in names}
    close = get_close_matches(written.lower().replace("_", "-"), list(folded), n=1, cutoff=0.6)
    return f"did you mean {folded[close[0]]!r}?" if close else ""


def quote(value: object, length_max: int = 60) -> str:
    """A value as a message shows it: on one line, short, control characters escaped."""
    shown = repr(value)
    return shown if len(shown) <= length_max else f"{shown[: length_max - 1]}…"
