import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Run


def touchpoint(event_id: str, day: int, type_: str = "page_view", customer: str = "c1") -> str:
    occurred_at = f"2026-01-{day:02d}T12:00:00Z"
    fields = {
        "event_id": event_id,
        "occurred_at": occurred_at,
        "channel": "web",
        "type": type_,
        "customer_id": customer,
    }
    return json.dumps(fields)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def history(tmp_path: Path) -> Path:
    file = tmp_path / "history.jsonl"
    file.write_text("\n".join([touchpoint("b", 9, "purchase"), touchpoint("a", 2), "garbage"]) + "\n")
    return file


def test_files_become_stage_changes_profiles_and_dead_letters(run: Run, history: Path, tmp_path: Path) -> None:
    ran = run("simulate", history, "--out", tmp_path / "out")

    assert ran.code == 0
    changes = lines(tmp_path / "out" / "stage-changes.jsonl")
    assert [(change["kind"], change["to_stage"]) for change in changes] == [
        ("entered", "awareness"),
        ("entered", "purchase"),
    ]
    assert [view["stage"] for view in lines(tmp_path / "out" / "profiles.jsonl")] == ["purchase"]
    assert [letter["reason"] for letter in lines(tmp_path / "out" / "dead-letters.jsonl")] == ["invalid_json"]
    assert "history.jsonl:3: invalid_json" in ran.err


def test_the_order_of_the_file_can_be_the_order_of_arrival(run: Run, history: Path, tmp_path: Path) -> None:
    run("simulate", history, "--out", tmp_path / "out", "--order", "file")

    changes = lines(tmp_path / "out" / "stage-changes.jsonl")
    assert [(change["kind"], change["from_stage"], change["to_stage"]) for change in changes] == [
        ("entered", None, "purchase"),
        ("retracted", None, "purchase"),
        ("entered", None, "awareness"),
        ("entered", "awareness", "purchase"),
    ]


@pytest.mark.parametrize("missing", ["gone.jsonl", "dataset:gone"])
def test_an_input_that_is_not_there_leaves_earlier_results_alone(
    run: Run, history: Path, tmp_path: Path, missing: str
) -> None:
    run("simulate", history, "--out", tmp_path / "out")
    before = (tmp_path / "out" / "profiles.jsonl").read_bytes()

    ran = run("simulate", history, missing, "--out", tmp_path / "out")

    assert ran.code == 1
    assert "gone" in ran.err
    assert (tmp_path / "out" / "profiles.jsonl").read_bytes() == before != b""


def test_results_are_not_written_over_what_they_come_from(run: Run, history: Path, tmp_path: Path) -> None:
    given = history.rename(tmp_path / "dead-letters.jsonl")
    before = given.read_bytes()

    ran = run("simulate", given, "--out", tmp_path)

    assert ran.code == 1
    assert "would overwrite this input" in ran.err
    assert given.read_bytes() == before


def test_a_bad_line_cannot_steer_the_terminal(run: Run, history: Path, tmp_path: Path) -> None:
    touch = json.loads(touchpoint("a", 2)) | {"identifiers": {"\x1b[2J": [1]}}
    history.write_text(json.dumps(touch))

    ran = run("simulate", history, "--out", tmp_path / "out")

    assert r"history.jsonl:1: invalid_touchpoint: identifiers.\x1b[2J: " in ran.err
    assert "\x1b" not in ran.err


def test_silence_counts_until_the_instant_that_is_given(run: Run, history: Path, tmp_path: Path) -> None:
    run("simulate", history, "--out", tmp_path / "out", "--as-of", "2026-12-31")

    [view] = lines(tmp_path / "out" / "profiles.jsonl")
    assert view["updated_at"] == "2026-12-31T00:00:00.000Z"
    assert view["stage"] != "purchase"


@pytest.mark.parametrize("instant", ["tomorrow", "2026-01-31T09:30:00"])
def test_an_instant_that_cannot_be_read_says_what_is_expected(run: Run, history: Path, instant: str) -> None:
    ran = run("simulate", history, "--out", "out", "--as-of", instant)

    assert ran.code == 1
    assert instant in ran.err
    assert "2026-01-31" in ran.err or "offset" in ran.err


def test_a_model_can_be_named_or_given_as_a_file(run: Run, history: Path, tmp_path: Path) -> None:
    ran = run("simulate", history, "--out", tmp_path / "out", "--model", "four-stages")

    assert ran.code == 0
    assert {change["model"]["name"] for change in lines(tmp_path / "out" / "stage-changes.jsonl")} == {"four-stages"}


def test_a_file_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    ran = run("simulate", tmp_path / "nowhere.jsonl", "--out", tmp_path / "out")

    assert ran.code == 1
    assert "nowhere.jsonl: no such file" in ran.err


def test_only_the_first_few_bad_lines_are_shown(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text("garbage\n" * 20)

    ran = run("simulate", file, "--out", tmp_path / "out")

    assert len(ran.err.splitlines()) == 6
    assert ran.err.splitlines()[-1] == "… and 15 more like these"
    assert "invalid_json             20" in ran.out


def test_churn_risk_is_written_and_counted(run: Run, history: Path, tmp_path: Path) -> None:
    ran = run("simulate", history, "--out", tmp_path / "out", "--as-of", "2026-12-31")

    changes = lines(tmp_path / "out" / "churn-risk.jsonl")
    assert [change["band"] for change in changes] == ["low", "medium", "high", "critical"]
    assert "risk changes     4 (0 of them retractions)" in ran.out
    assert "critical                 1" in ran.out


def test_churn_risk_can_be_left_out(run: Run, history: Path, tmp_path: Path) -> None:
    ran = run("simulate", history, "--out", tmp_path / "out", "--churn", "none")

    assert ran.code == 0
    assert [] == lines(tmp_path / "out" / "churn-risk.jsonl")
    assert [None] == [view["risk"] for view in lines(tmp_path / "out" / "profiles.jsonl")]


def test_unknown_churn_parameters_are_refused_with_those_that_ship(run: Run, history: Path, tmp_path: Path) -> None:
    ran = run("simulate", history, "--out", tmp_path / "out", "--churn", "groceries")

    assert ran.code != 0
    assert "expected one of completejourney, cdnow" in ran.err


def test_the_segments_at_the_end_are_counted(run: Run, history: Path, tmp_path: Path) -> None:
    ran = run("simulate", history, "--out", tmp_path / "out", "--as-of", "2100-01-01T00:00:00Z")

    assert "customers per segment at the end\n  lapsed                   1\n" in ran.out
    assert [view["segment"] for view in lines(tmp_path / "out" / "profiles.jsonl")] == ["lapsed"]
