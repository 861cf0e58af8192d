"""Programs that some tests want, and that no dependency of Python's brings."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

BESIDE = (Path(sys.executable).parent, Path(__file__).parents[2] / ".cache" / "bin")
"""Where else to look: the virtual environment, and what continuous integration has built."""


def find(program: str, where_from: str) -> str:
    """The path of a program. Without it the test is skipped; in CI, where it must not be, it fails."""
    for directory in (None, *map(str, BESIDE)):
        if path := shutil.which(program, path=directory):
            return path
    missing = f"{program} is not installed; {where_from}"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)
