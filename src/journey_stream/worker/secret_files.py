"""Secrets out of files. What an error says of one is its file and the setting that names it, never what is in it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

SECRET_BYTES_MAX: Final = 65_536
TOKEN_CHARACTERS_MIN: Final = 16


class UnusableFile(OSError):
    """A file that a setting names is of no use. `expected` says what it should be, and why it is not."""

    def __init__(self, field: str, path: Path | None, expected: str) -> None:
        super().__init__(f"{field} {path}: expected {expected}")
        self.field, self.path, self.expected = field, path, expected


def read_secret(field: str, path: Path) -> str:
    """The text of a file without the space around it. Read anew each time, so that a new secret needs no restart.

    Raises UnusableFile.
    """
    require_file(field, path)
    try:
        with path.open("rb") as file:
            content = file.read(SECRET_BYTES_MAX + 1)
    except OSError as error:
        raise UnusableFile(field, path, f"a file that can be read ({error.strerror})") from error
    if len(content) > SECRET_BYTES_MAX:
        raise UnusableFile(field, path, f"a secret of at most {SECRET_BYTES_MAX} bytes")
    try:
        secret = content.decode().strip()
    except UnicodeDecodeError:
        # The error of the decoder holds the bytes.
        raise UnusableFile(field, path, "text in UTF-8") from None
    if not secret:
        raise UnusableFile(field, path, "a file with a secret in it (it is empty)")
    return secret


def read_tokens(field: str, path: Path | None) -> tuple[str, ...]:
    """The tokens of a file, one a line: several, so that an old one can go after a new one has come.

    Raises UnusableFile.
    """
    if path is None:
        return ()
    tokens = tuple(line.strip() for line in read_secret(field, path).splitlines() if line.strip())
    if any(len(token) < TOKEN_CHARACTERS_MIN or not token.isascii() or " " in token for token in tokens):
        expected = f"a token a line, each of at least {TOKEN_CHARACTERS_MIN} ASCII characters (openssl rand -hex 32)"
        raise UnusableFile(field, path, expected)
    return tokens


def require_apart(field: str, path: Path | None, others: Collection[str]) -> None:
    """Raise UnusableFile if a token of the file is one of the others, too, or the file is of no use."""
    if not set(read_tokens(field, path)).isdisjoint(others):
        raise UnusableFile(field, path, "tokens of its own, none of which only reads")


def require_file(field: str, path: Path) -> None:
    """Raise UnusableFile if there is no file at `path`."""
    try:
        is_file = path.is_file()
    except OSError as error:
        raise UnusableFile(field, path, f"a file that can be read ({error.strerror})") from error
    if not is_file:
        raise UnusableFile(field, path, "a file")
