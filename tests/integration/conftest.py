from __future__ import annotations

from pathlib import Path

import pytest

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
