import json
from pathlib import Path

from journey_stream.journey.load import PRESETS
from tests.unit.cli.conftest import TWO_STAGES, Run


def test_a_good_model_is_ok(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(TWO_STAGES)

    ran = run("model", "check", file)

    assert ran.code == 0
    assert ran.out.startswith(f"{file}: ok: shop version 3, 2 stages, 2 kinds of touchpoints, 2 rules")


def test_every_mistake_is_shown_with_file_line_and_field(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(TWO_STAGES.replace("to: customer", "to: custumer").replace("version: 3", "version: three"))

    ran = run("model", "check", file)

    assert ran.code == 1
    assert [line.split(": ")[0] for line in ran.out.splitlines()] == [f"{file}:2", f"{file}:8"]
    assert "did you mean 'customer'?" in ran.out


def test_one_bad_file_among_good_ones_fails_and_the_others_are_still_checked(run: Run, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(TWO_STAGES)
    bad.write_text("model: [")

    ran = run("model", "check", bad, good)

    assert ran.code == 1
    assert f"{good}: ok" in ran.out


def test_the_presets_are_listed(run: Run) -> None:
    assert [line.split()[0] for line in run("model", "list").out.splitlines()] == list(PRESETS)


def test_a_preset_is_shown_as_markdown_json_or_a_diagram(run: Run) -> None:
    assert run("model", "show", "four-stages").out.startswith("# four-stages")
    assert json.loads(run("model", "show", "four-stages", "--json").out)["model"] == "four-stages"
    assert run("model", "show", "four-stages", "--mermaid").out.startswith("stateDiagram-v2")


def test_a_preset_that_does_not_exist_suggests_one(run: Run) -> None:
    ran = run("model", "show", "six-stage")

    assert ran.code == 1
    assert "did you mean 'six-stages'?" in ran.err
