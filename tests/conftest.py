from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.support.fixtures"]

# How long an example takes says more about the machine than about the code. Where the variable CI is set, Hypothesis
# would try the same examples in every run: they are to be new ones there, too.
settings.register_profile("journey-stream", deadline=None, derandomize=False)
settings.load_profile("journey-stream")


_SYSTEM = tuple(Path(__file__).parent / name for name in ("integration", "e2e"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run in several processes, one of them has all that starts brokers, services and browsers."""
    for item in items:
        if any(directory in item.path.parents for directory in _SYSTEM):
            item.add_marker(pytest.mark.xdist_group("system"))


def pytest_configure() -> None:
    """Refuse to test modules that were compiled from older sources (`make compile`)."""
    root = Path(__file__).parents[1] / "src"
    sources = ((built, built.with_name(built.name.split(".")[0] + ".py")) for built in root.rglob("*.so"))
    stale = [s for built, s in sources if s.exists() and s.stat().st_mtime > built.stat().st_mtime]
    if stale:
        raise pytest.UsageError(f"{stale[0]} is newer than its compiled form; run make compile or make clean-compiled")
