"""What a machine cannot test is told in the table of recoveries, and is a failure where nobody looks at tables."""

from __future__ import annotations

import pytest

from tests.integration import recoveries


@pytest.mark.parametrize(("ci", "ends"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_what_cannot_be_run_is_a_row_of_the_table(
    monkeypatch: pytest.MonkeyPatch, ci: str, ends: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(recoveries, "RECOVERIES", [])

    with pytest.raises(ends, match="no such program"):
        recoveries.not_run("a wrong clock", "no such program")

    assert ["a wrong clock", "-", "-", "not run: no such program"] == [
        cell.strip() for cell in recoveries.table()[1].split("  ") if cell
    ]
