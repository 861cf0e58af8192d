from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

pytest_plugins = ["tests.support.fixtures"]

# How long an example takes says more about the machine than about the code. Where the variable CI is set, Hypothesis
# would try the same examples in every run: they are to be new ones there, too.
settings.register_profile("journey-stream", deadline=None, derandomize=False)
settings.load_profile("journey-stream")


_TESTS = Path(__file__).parent
_LONG = ("e2e", "integration", "simulation", "property")


class _ByFile(LoadFileScheduling):
    """A file's tests go to one process, so that what it starts is started once; demos, which all want the same port for
    their map, to the same one.
    """

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return "demo" if file.endswith("_demo.py") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFile:
    return _ByFile(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where tests run in several processes, what takes long comes first, so that all of them have work to the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.path.relative_to(_TESTS).parts[0] not in _LONG)


def pytest_configure() -> None:
    """Refuse to test modules that were compiled from older sources (`make compile`)."""
    root = Path(__file__).parents[1] / "src"
    sources = ((built, built.with_name(built.name.split(".")[0] + ".py")) for built in root.rglob("*.so"))
    stale = [s for built, s in sources if s.exists() and s.stat().st_mtime > built.stat().st_mtime]
    if stale:
        raise pytest.UsageError(f"{stale[0]} is newer than its compiled form; run make compile or make clean-compiled")
