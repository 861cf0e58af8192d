import json
from pathlib import Path
from typing import Any

import pytest

from journey_stream.serve.store.duckdb_store import DuckDBStore
from journey_stream.serve.store.meta import Origin
from tests.unit.cli.conftest import Run

MODEL = """
model: shop
version: 1
description: Looks and buys.
stages: [{id: interest, meaning: Looks}, {id: purchase, meaning: Has bought}]
touchpoints:
  view: {meaning: Looks, match: [{channel: web}]}
  buy: {meaning: Buys, match: [{channel: store}]}
rules:
  - {id: looks, to: interest, when: view, text: Looks.}
  - {id: buys, to: purchase, when: buy, text: Buys.}
moves: {forward: any}
"""


def touchpoint(number: int, day: int, channel: str, campaign: str | None = None, **identifiers: str) -> str:
    document: dict[str, Any] = {
        "event_id": f"e{number}",
        "occurred_at": f"2026-01-{day:02d}T12:00:00Z",
        "channel": channel,
        "type": "met",
        "identifiers": identifiers,
    }
    return json.dumps(document if campaign is None else {**document, "campaign": campaign})


@pytest.fixture
def history(run: Run, tmp_path: Path) -> Path:
    """c1 looks on a device before the log-in and buys; c2 only looks; c3 buys at once."""
    (tmp_path / "model.yaml").write_text(MODEL)
    file = tmp_path / "history.jsonl"
    lines = [
        touchpoint(1, 1, "web", "spring", device_id="d1"),
        touchpoint(2, 2, "web", customer_id="c1", device_id="d1"),
        touchpoint(3, 8, "store", customer_id="c1"),
        touchpoint(4, 9, "web", "spring", customer_id="c2"),
        touchpoint(5, 10, "store", customer_id="c3"),
        touchpoint(5, 10, "store", customer_id="c3"),
    ]
    file.write_text("\n".join([*lines, "garbage"]) + "\n")
    run("simulate", file, "--model", tmp_path / "model.yaml", "--out", tmp_path / "out")
    return file


def test_credits_are_printed_for_machines(run: Run, history: Path, tmp_path: Path) -> None:
    options = ("--by", "channel", "--format", "csv", "--model", tmp_path / "model.yaml")
    ran = run("attribution", history, "--results", tmp_path / "out", *options)

    assert ran.code == 0
    header, store, web = ran.out.splitlines()
    assert header == "channel,first,last,linear,position,time_decay,markov,shapley"
    assert [float(one) for one in store.split(",")[1:5]] == pytest.approx([1, 2, 1 + 1 / 3, 1.4])
    assert [float(one) for one in web.split(",")[1:5]] == pytest.approx([1, 0, 2 / 3, 0.6])
    assert float(store.split(",")[7]) == pytest.approx(1.5)


def test_credits_are_printed_for_people(run: Run, history: Path, tmp_path: Path) -> None:
    options = ("--by", "campaign", "--look-back", "1w", "--model", tmp_path / "model.yaml")
    ran = run("attribution", history, "--results", tmp_path / "out", *options)

    first, header, *rows = ran.out.splitlines()
    assert first == "2 entries to purchase, 0 of them with nothing in the look-back"
    assert header.split() == ["campaign", "first", "last", "linear", "position", "time_decay", "markov", "shapley"]
    assert [row.split()[:2] for row in rows] == [["(none)", "1.0"], ["spring", "1.0"]]


def test_credits_are_drawn(run: Run, history: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "credits.png"
    run("attribution", history, "--results", tmp_path / "out", "--png", drawn, "--model", tmp_path / "model.yaml")

    assert drawn.read_bytes().startswith(b"\x89PNG")


def test_a_database_is_read_and_left_as_it_is(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "map.duckdb"
    DuckDBStore(path, Origin("app", "")).close()
    before = path.read_bytes()

    ran = run("attribution", "--database", path)

    assert ran.code == 0
    assert ran.out.startswith("0 entries to purchase, 0 of them")
    assert before == path.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["h.jsonl"], "expected either --database FILE, or inputs and the folder"),
        (["--database", "absent.duckdb"], "There is no database absent.duckdb"),
        (["absent.jsonl", "--results", "absent"], "absent.jsonl: no such file"),
        (["h.jsonl", "--results", "absent"], "expected the folder that journey-stream simulate wrote with --out"),
        (["--database", "x", "--goal", "fame"], "--goal is 'fame', which is no stage of"),
        (["--database", "x", "--look-back", "90m"], "expected whole days or weeks, such as 30d"),
    ],
)
def test_what_is_missing_or_wrong_is_said(run: Run, arguments: list[str], said: str) -> None:
    Path("h.jsonl").touch()

    ran = run("attribution", *arguments)

    assert ran.code == 1
    assert said in ran.err
    assert "unexpected" not in ran.err


@pytest.mark.parametrize("line", ['{"change_id": "17e', "{}", "[]"])
def test_results_that_were_cut_short_are_named_with_the_line(run: Run, tmp_path: Path, line: str) -> None:
    Path("h.jsonl").touch()
    run("simulate", "h.jsonl", "--out", tmp_path)
    (tmp_path / "stage-changes.jsonl").write_text(f"{line}\n")

    ran = run("attribution", "h.jsonl", "--results", tmp_path)

    assert ran.code == 1
    assert f"{tmp_path}/stage-changes.jsonl:1: is no message" in ran.err


def test_a_file_that_is_no_database_of_ours_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other.duckdb").write_bytes(b"x" * 5_000)

    ran = run("attribution", "--database", tmp_path / "other.duckdb")

    assert ran.code == 1
    assert "other.duckdb cannot be read" in ran.err
    assert "Expected one that journey-stream serve has made." in ran.err
