import json
from pathlib import Path

import pytest

from journey_stream.events.times import DAY_MS
from tests.unit.churn.customers import START, synthetic
from tests.unit.cli.conftest import Run

PNG = b"\x89PNG\r\n"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    file = tmp_path / "history.jsonl"
    with file.open("w") as lines:
        for number, one in enumerate(synthetic()):
            touchpoint = {
                "event_id": f"e{number}",
                "occurred_at": one.at,
                "channel": "store",
                "type": "purchase" if one.is_event else "coupon_redeemed",
                "customer_id": one.customer,
                "value": one.value,
            }
            lines.write(json.dumps(touchpoint) + "\n")
    return file


def test_parameters_are_fitted_and_judged_from_files(run: Run, history: Path, tmp_path: Path) -> None:
    params, picture = tmp_path / "params.yaml", tmp_path / "calibration.png"

    fitted = run("churn", "fit", history, "--until", "2026-06-01", "--out", params)
    judged = run("churn", "evaluate", history, "--params", params, "--plot", picture)

    assert (0, 0) == (fitted.code, judged.code)
    assert "history.jsonl, 2026-01-01 to 2026-06-01 (exclusive)" in fitted.out
    assert "coupon" in fitted.out
    assert "outcome          no purchase within 28d" in judged.out
    assert 10 == len([line for line in judged.out.splitlines() if line[:5].strip().isdigit()])
    assert picture.read_bytes().startswith(PNG)


def test_predictions_can_be_repeated_while_a_window_is_left(run: Run, history: Path, tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    run("churn", "fit", history, "--until", "2026-05-01", "--out", params)

    judged = run("churn", "evaluate", history, "--params", params, "--every", "28d")

    assert "predicted at     2026-05-01, 2026-05-29" in judged.out


def test_judging_on_data_that_was_fitted_to_is_called_no_hold_out(run: Run, history: Path, tmp_path: Path) -> None:
    params = tmp_path / "params.yaml"
    run("churn", "fit", history, "--until", "2026-06-01", "--out", params)

    judged = run("churn", "evaluate", history, "--params", params, "--at", "2026-05-01")

    assert "warning: fitted to data until 2026-06-01: this is no hold-out" in judged.err


def test_a_thin_history_is_refused_with_one_sentence(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "thin.jsonl"
    file.write_text(
        json.dumps(
            {"event_id": "e", "occurred_at": START + DAY_MS, "channel": "web", "type": "purchase", "customer_id": "c"}
        )
    )

    ran = run("churn", "fit", file, "--out", tmp_path / "params.yaml")

    assert 1 == ran.code
    assert "journey-stream: too little data: 1 customers, of whom 0 bought again; needed are 100 and 50\n" == ran.err


@pytest.mark.parametrize("arguments", [[], ["x.jsonl", "--dataset", "cdnow"]])
def test_files_or_a_data_set_are_needed_and_not_both(run: Run, arguments: list[str], tmp_path: Path) -> None:
    ran = run("churn", "fit", *arguments, "--out", tmp_path / "params.yaml")

    assert 1 == ran.code
    assert "expected files of touchpoints, or --dataset" in ran.err


def test_a_mistake_in_a_parameter_file_is_shown_with_its_line(run: Run, tmp_path: Path) -> None:
    shown = run("churn", "show", "cdnow")
    file = tmp_path / "mine.yaml"
    file.write_text(shown.out.replace("window: 273d", "window: 39 weeks"))

    ran = run("churn", "show", file)

    assert 0 == shown.code
    assert 1 == ran.code
    assert f"{file}:5: window: found '39 weeks'" in ran.err
