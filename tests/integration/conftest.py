from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.guarded import Guarded, guarded_broker
from tests.integration.recoveries import RECOVERIES, table


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this directory talks to a real broker."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.kafka)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The times of recovery, if faults were tested."""
    if RECOVERIES:
        terminalreporter.section("recovery after faults")
        for line in table():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A broker that asks who comes, and lets nobody do what they were not granted; one for the session."""
    with guarded_broker(tmp_path_factory.mktemp("strict")) as made:
        yield made
