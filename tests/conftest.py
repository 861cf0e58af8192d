from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.support.fixtures"]

# How long an example takes says more about the machine than about the code.
settings.register_profile("journey-stream", deadline=None)
settings.load_profile("journey-stream")


def pytest_configure() -> None:
    """Refuse to test modules that were compiled from older sources (`make compile`)."""
    root = Path(__file__).parents[1] / "src"
    sources = ((built, built.with_name(built.name.split(".")[0] + ".py")) for built in root.rglob("*.so"))
    stale = [s for built, s in sources if s.exists() and s.stat().st_mtime > built.stat().st_mtime]
    if stale:
        raise pytest.UsageError(f"{stale[0]} is newer than its compiled form; run make compile or make clean-compiled")
