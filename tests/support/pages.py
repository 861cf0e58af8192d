"""What stands on the pages in fenced blocks: commands that one types, and files that are shown in full."""

from __future__ import annotations

import re
import subprocess
import textwrap
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for page in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("examples/**/*.md"),
        *ROOT.glob("benchmarks/*.md"),
    ]
    if page.is_file()
)

_FENCE = re.compile(r'^( *)```(\w*)(?: title="([^"]*)")?\n(.*?)^\1```$', re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """One fenced block. `title` is the name of the file that it shows, if it shows one in full."""

    language: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    """All of them, also those in lists."""
    found = _FENCE.finditer(page.read_text(encoding="utf-8"))
    return [Block(one[2], one[3] or "", textwrap.dedent(one[4])) for one in found]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def fenced(page: Path, language: str) -> list[str]:
    """The texts of the blocks in a language."""
    return [block.text for block in blocks(page) if block.language == language]


def commands(page: Path) -> list[str]:
    """What the page has one type, in its order: the blocks of `sh`, one command after the other.

    A command ends where the shell takes what it has so far for a whole one, so a loop is one command.
    """
    found = []
    for text in fenced(page, "sh"):
        lines: list[str] = []
        for line in text.splitlines():
            lines.append(line)
            if not line.endswith("\\") and _is_whole(command := "\n".join(lines)):
                found.append(command)
                lines = []
        assert not lines, f"{page}: no shell understands {lines}"
    return [command for command in found if command.strip()]


def _is_whole(command: str) -> bool:
    return subprocess.run(["bash", "-n", "-c", command], capture_output=True, check=False).returncode == 0
