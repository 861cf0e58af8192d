"""A worker with a model that is of no use ends before it asks a broker for anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import TWO_STAGES, Run

NOBODY = "127.0.0.1:1"
"""Where no broker answers: whoever asked there would complain of that."""

BROKEN = f"""\
{TWO_STAGES.replace("to: customer", "to: custumer")}inactivity:
  - {{id: gone, in: [customer], nothing_for: 30 days, of: visit, to: visitor, text: Did nothing for a month}}
"""


def complaints(file: Path) -> list[str]:
    stage = "found 'custumer'; expected a stage: visitor, customer (did you mean 'customer'?)"
    length = "found '30 days'; expected a duration such as 10m, 24h, 30d or 2w (did you mean 30d?)"
    return [
        f"journey-stream: {file}:8: rules[0].to: {stage}",
        f"{file}:11: inactivity[0].nothing_for: {length}",
    ]


@pytest.mark.parametrize("role", ["all", "router", "tasks"])
def test_a_broken_model_ends_a_worker_with_file_line_and_field_of_every_mistake(
    run: Run, tmp_path: Path, role: str
) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(BROKEN)

    ran = run("worker", "--role", role, "--model", file, "--bootstrap-servers", NOBODY)

    assert ran.code == 1
    assert ran.err.splitlines() == complaints(file)
    assert ran.out == ""


def test_so_does_one_that_the_settings_name(run: Run, tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(BROKEN)
    config = tmp_path / "journey.yaml"
    config.write_text(f"model: shop.yaml\nbootstrap_servers: [{NOBODY!r}]\n")

    ran = run("worker", "--config", config)

    assert ran.code == 1
    assert ran.err.splitlines() == complaints(tmp_path / "shop.yaml")


def test_a_file_that_is_no_yaml_is_named_with_the_line_where_it_ceases_to_be(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(BROKEN.replace("rules:\n", "rules: [\n"))

    ran = run("worker", "--model", file, "--bootstrap-servers", NOBODY)

    assert ran.code == 1
    assert ran.err.startswith(f"journey-stream: {file}:8: ")
    assert "Traceback" not in ran.err
