"""Programs that some tests want, and that no dependency of Python's brings."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

BESIDE = (Path(sys.executable).parent, Path(__file__).parents[2] / ".cache" / "bin")
"""Where else to look: the virtual environment, and what continuous integration has built."""


def find(program: str, where_from: str) -> str:
    """The path of a program. Without it the test is `not_here`."""
    places = (None, *map(str, BESIDE))
    found = next(filter(None, (shutil.which(program, path=place) for place in places)), None)
    if found is None:
        not_here(f"{program} is not installed; {where_from}")
    return found


def not_here(why: str) -> NoReturn:
    """End a test that this machine cannot run: it is skipped; in CI, where all tests have to run, it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(why, pytrace=False)
    pytest.skip(why)
