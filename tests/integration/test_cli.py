"""The command line against a real broker, as the README has it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.integration.workers import Worker, read_config, write_config
from tests.support.kafka import Broker

DEADLINE_SECONDS = 60.0
START = datetime(2019, 3, 1, 9, tzinfo=UTC)


class Cli:
    """`journey-stream COMMAND … --config FILE`."""

    def __init__(self, config: Path) -> None:
        self._config = config

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        environ = {key: value for key, value in os.environ.items() if not key.startswith("JOURNEY_")}
        command = [sys.executable, "-m", "journey_stream.cli.main", *map(str, arguments), "--config", str(self._config)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=90, env=environ)


def history(directory: Path) -> Path:
    """Two customers of years ago; one line is broken."""
    rows = [
        ("a1", 0, "web", "product_view", "ann"),
        ("a2", 2, "store", "purchase", "ann"),
        ("b1", 1, "web", "add_to_cart", "bob"),
        ("a3", 200, "web", "product_view", "ann"),
    ]
    lines = [
        json.dumps(
            {
                "event_id": event_id,
                "occurred_at": (START + timedelta(days=days)).isoformat(),
                "channel": channel,
                "type": type_,
                "customer_id": customer,
            }
        )
        for event_id, days, channel, type_, customer in rows
    ]
    file = directory / "history.jsonl"
    file.write_text("\n".join([*lines, "garbage"]) + "\n")
    return file


def explanation_of(cli: Cli, profile: str, changes: int) -> dict[str, Any]:
    """What `explain` says once so many changes stand."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        answer = cli("explain", profile, "--json")
        found: dict[str, Any] = json.loads(answer.stdout) if answer.returncode == 0 else {"history": []}
        if len(found["history"]) == changes:
            return found
        assert time.monotonic() < deadline, f"{answer.stdout}{answer.stderr}, not yet {changes} changes"


def changes_of(file: Path, profile: str) -> list[str]:
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [change["change_id"] for change in lines if change["profile_id"] == profile]


def test_history_is_replayed_decided_and_explained_and_is_what_simulate_said(
    broker: Broker, prefix: str, tmp_path: Path
) -> None:
    config = write_config(tmp_path, broker.bootstrap, prefix, partitions=3, ticks=False)
    cli, file, end = Cli(config), history(tmp_path), "2021-01-01"
    topics = len(read_config(config).sources) + len(read_config(config).topics)

    simulated = cli("simulate", file, "--out", tmp_path / "out", "--as-of", end)
    expected = changes_of(tmp_path / "out" / "stage-changes.jsonl", "ann")
    missing = cli("topics", "check", "--history")
    created = cli("topics", "create", "--history")
    again = cli("topics", "create", "--history")
    checked = cli("topics", "check", "--history")
    with Worker(config, "worker") as worker:
        replayed = cli("replay", file, "--as-of", end)
        explained = explanation_of(cli, "ann", len(expected))
        assert worker.terminate() == 0, worker.tail()

    assert missing.returncode == 1
    assert "does not exist. Create it: journey-stream topics create." in missing.stdout
    assert (created.returncode, len(created.stdout.splitlines())) == (0, topics)
    assert (again.returncode, again.stdout.split(";")[0]) == (0, "all topics exist already")
    assert (checked.returncode, "fit to work with" in checked.stdout) == (0, True), checked.stdout
    assert (replayed.returncode, replayed.stdout) == (0, "wrote 5 touchpoints\n"), replayed.stderr
    assert "history.jsonl:5: invalid_json" in replayed.stderr
    assert simulated.returncode == 0, simulated.stderr
    assert expected == [change["change_id"] for change in explained["history"]]
    assert explained["profile"]["stage"] == "awareness"
    assert explained["history"][-1]["cause"] == "timer"
