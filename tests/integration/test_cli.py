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

from journey_stream.events.outputs import IdentityChange, StageChange
from journey_stream.subscribe.history import StageHistory
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
    """Three customers of years ago, one of whom is known by her address at first; one line is broken."""
    rows: list[tuple[str, int, str, str, dict[str, str]]] = [
        ("a1", 0, "web", "product_view", {"customer_id": "ann"}),
        ("a2", 2, "store", "purchase", {"customer_id": "ann"}),
        ("b1", 1, "web", "add_to_cart", {"customer_id": "bob"}),
        ("a3", 200, "web", "product_view", {"customer_id": "ann"}),
        ("e1", 0, "web", "product_view", {"email": "Eve@X.org"}),
        ("e2", 3, "store", "purchase", {"customer_id": "eve", "email": "eve@x.org"}),
    ]
    lines = [
        json.dumps(
            {
                "event_id": event_id,
                "occurred_at": (START + timedelta(days=days)).isoformat(),
                "channel": channel,
                "type": type_,
                "identifiers": identifiers,
            }
        )
        for event_id, days, channel, type_, identifiers in rows
    ]
    file = directory / "history.jsonl"
    file.write_text("\n".join([*lines, "garbage"]) + "\n")
    return file


def explanation_of(cli: Cli, profile: str, changes: int) -> dict[str, Any]:
    """What `explain` says once so many changes stand; with none, once the profile is somebody else's."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        answer = cli("explain", profile, "--json")
        found: dict[str, Any] | None = json.loads(answer.stdout) if answer.returncode == 0 else None
        if found is not None and len(found["history"]) == changes and (changes or found["merged_into"]):
            return found
        assert time.monotonic() < deadline, f"{answer.stdout}{answer.stderr}, not yet {changes} changes"


def messages_of(file: Path, profile: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [line for line in lines if line["profile_id"] == profile]


def changes_of(file: Path, profile: str) -> list[str]:
    """The changes that stand, in the order in which they happened."""
    history = StageHistory(map(StageChange.model_validate, messages_of(file, profile)))
    return [change.change_id for change in history.changes]


def test_history_is_replayed_decided_and_explained_and_is_what_simulate_said(
    broker: Broker, prefix: str, tmp_path: Path
) -> None:
    config = write_config(tmp_path, broker.bootstrap, prefix, partitions=3, ticks=False)
    cli, file, end = Cli(config), history(tmp_path), "2021-01-01"
    topics = len(read_config(config).sources) + len(read_config(config).topics)

    simulated = cli("simulate", file, "--out", tmp_path / "out", "--as-of", end)
    changes = tmp_path / "out" / "stage-changes.jsonl"
    expected, expected_of_eve = changes_of(changes, "ann"), changes_of(changes, "eve")
    [line] = messages_of(tmp_path / "out" / "identity-changes.jsonl", "email:eve@x.org")
    linked = IdentityChange.model_validate(line).model_dump(mode="json")
    missing = cli("topics", "check", "--history")
    created = cli("topics", "create", "--history")
    again = cli("topics", "create", "--history")
    checked = cli("topics", "check", "--history")
    with Worker(config, "worker") as worker:
        replayed = cli("replay", file, "--as-of", end)
        explained = explanation_of(cli, "ann", len(expected))
        eve = explanation_of(cli, "eve", len(expected_of_eve))
        address = explanation_of(cli, "email:EVE@x.org", 0)
        shown = cli("explain", "eve")
        assert worker.terminate() == 0, worker.tail()

    assert missing.returncode == 1
    assert "does not exist. Create it: journey-stream topics create." in missing.stdout
    assert (created.returncode, len(created.stdout.splitlines())) == (0, topics)
    assert (again.returncode, again.stdout.split(";")[0]) == (0, "all topics exist already")
    assert (checked.returncode, "fit to work with" in checked.stdout) == (0, True), checked.stdout
    assert (replayed.returncode, replayed.stdout) == (0, "wrote 7 touchpoints\n"), replayed.stderr
    assert "history.jsonl:7: invalid_json" in replayed.stderr
    assert simulated.returncode == 0, simulated.stderr
    assert expected == [change["change_id"] for change in explained["history"]]
    assert explained["profile"]["stage"] == "awareness"
    assert explained["history"][-1]["cause"] == "timer"
    assert expected_of_eve == [change["change_id"] for change in eve["history"]]
    assert [["e1"], ["e2"]] == [change["because"]["evidence"] for change in eve["history"]][:2]
    assert ("linked", "eve", ["e2"]) == (linked["kind"], linked["parent"], linked["evidence"])
    assert [linked] == address["identity_messages"] == eve["linked_messages"]
    assert (None, "eve") == (address["profile"], address["merged_into"])
    assert "email:eve@x.org was seen together with eve" in shown.stdout
