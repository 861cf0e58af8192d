"""Every number of every endpoint, of what a real worker told and a real projection took in, against the oracle."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from journey_stream.churn.load import find_scorer
from journey_stream.history.record import HistoryRecord
from journey_stream.history.simulate import simulate_records
from journey_stream.worker.config import Settings
from journey_stream.worker.replay import end_history
from journey_stream.worker.topics import create_topics
from tests.integration.journeys import DAY_MS, Sent, model
from tests.integration.map_history import DAYS, END_MS, MODEL, START_MS, arrivals
from tests.integration.reading import read_all, views
from tests.integration.running import send
from tests.integration.serving import Service
from tests.integration.test_replay import until_settled
from tests.integration.workers import Worker, read_config, until, write_config
from tests.support.kafka import Broker
from tests.support.map_oracle import Arrival, Asked, Json, MapOracle, differences

SEED = 20_170_105
MARCH = (START_MS + 60 * DAY_MS, START_MS + 90 * DAY_MS)
FILTERS = [
    Asked(),
    Asked(from_=MARCH[0]),
    Asked(to=MARCH[1]),
    Asked(*MARCH),
    Asked(channel="email"),
    Asked(campaign="spring"),
    Asked(*MARCH, channel="store", campaign="summer"),
    Asked(segment="buyer"),
    Asked(*MARCH, channel="web", campaign="spring", segment="hesitant"),
    Asked(to=START_MS + 2 * DAYS * DAY_MS),
    Asked(channel="nowhere"),
]


@pytest.fixture(params=["duckdb", "postgresql"])
async def config(request: pytest.FixtureRequest, broker: Broker, prefix: str, tmp_path: Path) -> Path:
    is_postgres = request.param == "postgresql"
    (tmp_path / "model.yaml").write_text(MODEL)
    path = write_config(
        tmp_path,
        broker.bootstrap,
        prefix,
        partitions=3,
        model=str(tmp_path / "model.yaml"),
        ticks=False,
        # Half a year goes by in seconds, so that one task may be months ahead of another.
        allowance="300d",
        serve_port=0,
        serve_database=request.getfixturevalue("postgres").database() if is_postgres else str(tmp_path / "map.duckdb"),
    )
    await create_topics(read_config(path), history=True)
    return path


async def test_every_number_is_what_its_definition_says(config: Path, tmp_path: Path) -> None:
    settings, journey = read_config(config), model(MODEL)
    found = arrivals(journey, SEED)
    with Service(config, "serve") as service, Worker(config, "worker") as worker:
        await asyncio.to_thread(worker.wait_started)
        await _publish(settings, found)
        await end_history(settings, END_MS, seconds_max=90)
        await until_settled(settings)
        assert 0 == await asyncio.to_thread(worker.terminate)
        await asyncio.to_thread(service.wait_started)
        oracle = MapOracle(await _told(settings, tmp_path), found, journey, settings.limits)

        async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
            await _until_same(client, "/api/map", oracle.map(Asked()))
            wrong = [one for ask in (_maps, _people) for one in await ask(client, oracle)]

    assert [] == wrong


@pytest.mark.parametrize("config", ["duckdb"], indirect=True)
async def test_the_map_shows_what_the_simulation_of_the_same_files_says(config: Path, tmp_path: Path) -> None:
    settings, journey = read_config(config), model(MODEL)
    found = arrivals(journey, SEED + 1)
    records = [HistoryRecord(one.at, one.value, "files", number) for number, one in enumerate(found)]
    simulated = tmp_path / "simulated"
    scorer = find_scorer(settings.churn)
    simulate_records(records, journey, simulated, scorer=scorer, limits=settings.limits, order="file", as_of=END_MS)
    oracle = MapOracle(simulated, found, journey, settings.limits)

    with Service(config, "serve") as service, Worker(config, "worker") as worker:
        await asyncio.to_thread(worker.wait_started)
        await _publish(settings, found)
        await end_history(settings, END_MS, seconds_max=90)
        await until_settled(settings)
        assert 0 == await asyncio.to_thread(worker.terminate)
        await asyncio.to_thread(service.wait_started)
        expected = _whatever_the_order(oracle.map(Asked()))
        async with httpx.AsyncClient(base_url=service.url, timeout=30) as client:
            await _until_same(client, "/api/map", expected, _whatever_the_order)
            wrong = await _maps(client, oracle, _whatever_the_order)

    assert [] == wrong


def _whatever_the_order(answer: Json) -> Json:
    """Without what depends on the order in which partitions were worked through: how often a customer was corrected."""
    totals = {name: value for name, value in answer.get("totals", {}).items() if name != "corrections"}
    return {**answer, "totals": totals} if totals else answer


def _as_it_is(answer: Json) -> Json:
    return answer


async def _maps(client: httpx.AsyncClient, oracle: MapOracle, look: Callable[[Json], Json] = _as_it_is) -> list[str]:
    """What is wrong with the numbers about many."""
    wrong = []
    for asked in FILTERS:
        questions: list[tuple[str, dict[str, Any], Json]] = [
            ("/api/map", {}, oracle.map(asked)),
            ("/api/cohorts", {}, oracle.cohorts(asked)),
        ]
        for by, days, goal in (("type", 30, "interest"), ("channel", 3, "purchase"), ("campaign", 30, "purchase")):
            question = {"by": by, "look_back_days": days, "goal": goal}
            questions.append(("/api/attribution", question, oracle.attribution(asked, goal, by, days)))
        questions.append(("/api/attribution", {}, oracle.attribution(asked, oracle.goal(), "type", 30)))
        for path, question, expected in questions:
            answer = await _ask(client, path, asked.query | question)
            wrong += differences(look(expected), look(answer), f"{path} {asked.query | question} ")
    return wrong


async def _people(client: httpx.AsyncClient, oracle: MapOracle) -> list[str]:
    """What is wrong with lists of customers, with one after the other, and with the model."""
    wrong = []
    searches: list[dict[str, Any]] = [
        {},
        {"limit": 500},
        {"limit": 3, "stage": "interest"},
        {"band": "high"},
        {"band": "unscored", "limit": 500},
        {"q": "BOX1"},
        {"q": "d1"},
        {"q": "c%"},
    ]
    lists = [(Asked(), search) for search in searches]
    lists += [(asked, search) for asked in FILTERS for search in ({"limit": 500}, {"stage": "purchase"})]
    for asked, search in lists:
        answer = await _ask(client, "/api/customers", asked.query | search)
        wrong += differences(oracle.customers(asked, **search), answer, f"/api/customers {asked.query | search} ")
    for who in oracle.everybody():
        answer = await _ask(client, f"/api/customers/{who}", {})
        expected = oracle.person(who)
        assert expected is not None
        wrong += differences({**expected, "identities": _known(expected)}, answer, f"/api/customers/{who} ")
    assert 404 == (await client.get("/api/customers/nobody")).status_code
    stages = [{"id": stage.id, "meaning": stage.meaning} for stage in oracle.model.stages]
    told = {"name": oracle.model.name, "version": oracle.model.version, "description": oracle.model.description}
    expected_model = {**told, "stages": stages, "goal": oracle.goal()}
    return wrong + differences(expected_model, await _ask(client, "/api/model", {}), "/api/model ")


def _known(person: Json) -> list[Json]:
    names = ("profile_id", "revision", "identity_id", "kind", "parent", "at", "reason", "text", "evidence")
    return [{name: one[name] for name in (*names, "merged_into")} for one in person["identities"]]


async def _ask(client: httpx.AsyncClient, path: str, query: dict[str, Any]) -> Json:
    answer = await client.get(path, params=query)
    assert 200 == answer.status_code, answer.text
    found: Json = answer.json()
    if path != "/api/model":  # there it is that of the model
        found.pop("version", None)
    return found


async def _until_same(
    client: httpx.AsyncClient, path: str, expected: Json, look: Callable[[Json], Json] = _as_it_is
) -> None:
    """Return once the service has read everything; if it does not come about, with what is then different."""
    deadline = until(60)
    while wrong := await _wrong(client, path, expected, look):
        assert time.monotonic() < deadline, "\n".join(wrong[:40])
        await asyncio.sleep(0.2)


async def _wrong(client: httpx.AsyncClient, path: str, expected: Json, look: Callable[[Json], Json]) -> list[str]:
    answer = await client.get(path)
    if answer.status_code != 200:
        return [answer.text]
    found = answer.json()
    del found["version"]
    return differences(expected, look(found), path)


async def _publish(settings: Settings, found: list[Arrival]) -> None:
    """Each record to the source of its channel, or where it can be read by nobody, to the first."""
    topics = {name.rsplit(".", 1)[1]: name for name in settings.sources}
    sent = []
    for number, (at, value) in enumerate(found):
        try:
            channel = json.loads(value).get("channel", "")
        except ValueError:
            channel = ""
        topic = topics.get(channel, settings.sources[0])
        sent.append(Sent(topic, number % settings.partitions, at, None, value))
    await send(settings, sent)


async def _told(settings: Settings, folder: Path) -> Path:
    """The topics as the files that a simulation writes; `folder` is there already."""
    names = {
        "stage-changes": settings.topics.stage_changes,
        "churn-risk": settings.topics.churn_risk,
        "identity-changes": settings.topics.identity_changes,
    }
    for name, topic in names.items():
        records = await read_all(settings.bootstrap_servers[0], topic)
        (folder / f"{name}.jsonl").write_bytes(b"".join(record.value + b"\n" for record in records))
    present = (await views(settings)).values()
    (folder / "profiles.jsonl").write_text("".join(json.dumps(view) + "\n" for view in present))
    dead = await read_all(settings.bootstrap_servers[0], settings.topics.dead_letters)
    reasons = [dict(record.headers).get("dead_letter_reason", b"").decode() for record in dead]
    (folder / "dead-letters.jsonl").write_text("".join(json.dumps({"reason": one}) + "\n" for one in reasons))
    return folder
