"""The topics of a real broker, projected into tables: through kill -9, erasures, lost records and a second start."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import sys
import time
from collections import Counter
from pathlib import Path

import duckdb
import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from journey_stream.journey.model import Identity
from journey_stream.serve.store.duckdb_store import DuckDBStore
from journey_stream.serve.store.meta import Origin
from journey_stream.worker.config import Settings
from journey_stream.worker.topics import create_topics
from tests.integration.feeder import Feeder
from tests.integration.journeys import WITH_IDENTITY, model
from tests.integration.people import touchpoints
from tests.integration.projecting import (
    Tables,
    is_projected,
    last_records,
    project_all,
    projecting,
    tables,
    until_projected,
)
from tests.integration.reading import behind
from tests.integration.running import running, send, until_counted
from tests.integration.serving import Service
from tests.integration.test_erasure import command, until_view
from tests.integration.test_erasure import inputs as people_with_a_tablet
from tests.integration.truth import truth
from tests.integration.workers import change_config, read_config, until, write_config
from tests.support.kafka import Broker, free_port

KILLS = 7
TOUCHPOINTS = 5_000


@pytest.fixture
async def config(broker: Broker, prefix: str, tmp_path: Path) -> Path:
    (tmp_path / "model.yaml").write_text(WITH_IDENTITY)
    path = write_config(
        tmp_path,
        broker.bootstrap,
        prefix,
        partitions=3,
        model=str(tmp_path / "model.yaml"),
        batch_records_max=200,
        serve_port=0,
        serve_database="killed.duckdb",
    )
    await create_topics(read_config(path), history=True)
    return path


@pytest.fixture
def settings(config: Path) -> Settings:
    return read_config(config)


@pytest.mark.parametrize(
    ("place", "touchpoints_sent", "kills"), [("duckdb", TOUCHPOINTS, KILLS), ("postgresql", TOUCHPOINTS // 4, 3)]
)
async def test_kill_9_at_random_points_loses_and_doubles_nothing(
    config: Path, request: pytest.FixtureRequest, place: str, touchpoints_sent: int, kills: int
) -> None:
    if place == "postgresql":
        change_config(config, serve_database=request.getfixturevalue("postgres").database())
    settings = read_config(config)
    seed = int(os.environ.get("JOURNEY_TEST_SEED", random.Random().randrange(2**31)))
    sys.stdout.write(f"\nJOURNEY_TEST_SEED={seed} repeats the draw of these touchpoints and kills\n")
    rng = random.Random(seed)
    killed = settings.serve_database if "://" in settings.serve_database else Path(settings.serve_database)
    sent = touchpoints(touchpoints_sent, dict.fromkeys(settings.sources, settings.partitions), seed)

    async with running(settings, identity=model(WITH_IDENTITY).identity):
        feeder = Feeder(settings, sent, seconds=3.5 * kills)
        feeding = asyncio.create_task(feeder.run())
        for number in range(kills):
            with Service(config, f"serve-{number}") as service:
                await asyncio.to_thread(service.wait_started)
                await asyncio.sleep(rng.uniform(0, 2))
                service.kill()
        feeder.finish()
        await feeding
        deadline = until(120)
        while await behind(settings):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.5)
    ends = await last_records(settings)
    deadline = until(120)
    while not is_projected(killed, ends):
        assert time.monotonic() < deadline
        with Service(config, f"serve-{(number := number + 1)}") as service:
            await asyncio.to_thread(service.wait_started)
            await asyncio.sleep(1)
            assert 0 == await asyncio.to_thread(service.terminate)
    await project_all(settings, undisturbed := config.with_name("undisturbed.duckdb"))

    found = tables(killed)
    assert {name: len(rows) for name, rows in tables(undisturbed).items()} == {
        n: len(rows) for n, rows in found.items()
    }
    assert tables(undisturbed) == found
    assert len(found["stage_messages"]) > 100
    clocks = [max(int(one.timestamp) for one in sent)] * settings.partitions
    expected = await asyncio.to_thread(truth, sent, model(WITH_IDENTITY), clocks, settings.limits)
    passed = {one: count for one, count in expected.passed.items() if one[0] != "attach"}
    assert passed == _passed(found)
    ways = {(via, event_id): receiver for via, receiver, event_id in passed}
    misplaced = [row[:5] for row in found["touchpoints"] if row[4] != _followed(ways, row[3], row[0])]
    assert [] == misplaced
    hops = [ways[via, event_id] for via, event_id in ways if (ways[via, event_id], event_id) in ways]
    # A short history may have nobody who was known under a third identifier.
    assert len(hops) > 0 or touchpoints_sent < TOUCHPOINTS


def _followed(ways: dict[tuple[str, str], str], holder: str, event_id: str) -> str:
    while (holder, event_id) in ways:
        holder = ways[holder, event_id]
    return holder


def _passed(found: Tables) -> dict[tuple[str, ...], int]:
    counted: Counter[tuple[str, ...]] = Counter()
    for via, receiver, event_id, _, count in found["passed"]:
        counted[via, receiver, event_id] += count
    return dict(counted)


async def test_an_erased_person_is_in_no_table_and_the_others_are_as_they_were(
    settings: Settings, config: Path, tmp_path: Path
) -> None:
    path = tmp_path / "erased.duckdb"
    sent = people_with_a_tablet(settings)
    async with running(settings, identity=Identity()) as metrics:
        await send(settings, sent)
        await until_counted(
            metrics, len(sent), "journey_records_in_total", topic=settings.topics.log, kind="touchpoint"
        )
        await until_view(settings, "bob", identifiers=["device_id:tablet"])
        async with projecting(settings, path) as (store, told):
            await until_projected(store, await last_records(settings))
            before = store.connect().execute("FROM touchpoints WHERE owner_id IN ('bob', 'ann')").fetchall()
            code, output = await command("erase", "ann", "--why", "asked to", "-c", str(config))
            assert code == 0, output
            await until_projected(store, await last_records(settings))

    assert len(before) > 0
    assert "ann" in told.profiles
    found = tables(path)
    assert not [(name, row) for name, rows in found.items() for row in rows if "ann" in repr(row)]
    assert {"bob-1", "bob-2", "bob-3"} == {row[0] for row in found["touchpoints"]}
    assert {"bob"} == {row[4] for row in found["touchpoints"]}
    assert found == await again(settings, tmp_path)


async def again(settings: Settings, directory: Path) -> Tables:
    """The tables of a projection that reads everything once more."""
    await project_all(settings, path := directory / "again.duckdb")
    return tables(path)


async def test_it_goes_on_where_the_log_begins_when_retention_was_faster(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "late.duckdb"
    early, late = people_with_a_tablet(settings)[:4], people_with_a_tablet(settings)[4:]
    async with running(settings, "router", identity=Identity()) as metrics:
        await send(settings, early)
        await until_counted(metrics, 4, "journey_records_in_total", topic=settings.sources[0], kind="admitted")
    await project_all(settings, path)
    async with running(settings, "router", identity=Identity()) as metrics:
        await send(settings, late)
        await until_counted(metrics, 4, "journey_records_in_total", topic=settings.sources[0], kind="admitted")
    await delete_log(settings)
    async with running(settings, "router", identity=Identity()) as metrics:
        await send(settings, late[:1])
        await until_counted(metrics, 1, "journey_records_in_total", topic=settings.sources[0], kind="admitted")

    await project_all(settings, path)

    assert "are gone before they were read" in caplog.text
    assert {"ann-0", "ann-1", "ann-2", "ann-3", "ann-4"} == {row[0] for row in tables(path)["touchpoints"]}


async def test_views_are_read_again_after_a_time_in_which_their_nulls_may_have_gone(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "away.duckdb"
    async with running(settings, identity=Identity()):
        await send(settings, people_with_a_tablet(settings))
        await until_view(settings, "bob", identifiers=["device_id:tablet"])
        await until_view(settings, "ann", identifiers=["device_id:phone-of-ann", "device_id:tablet", "email:ann@x.org"])
    await project_all(settings, path)
    expected = tables(path)
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE profiles SET profile_id = 'gone' WHERE profile_id = 'ann'")
        connection.execute("UPDATE meta SET value = '1' WHERE key = 'committed_at'")

    ends = await last_records(settings)
    async with projecting(settings, path) as (store, told):
        deadline = until(60)
        while not told.of_anybody:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        await until_projected(store, ends)

    assert expected == tables(path)


async def delete_log(settings: Settings) -> None:
    """As retention does it."""
    ends = await last_records(settings)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers[0])
    await admin.start()
    try:
        await admin.delete_records(
            {
                TopicPartition(topic, partition): RecordsToDelete(before_offset=end)
                for (topic, partition), end in ends.items()
                if topic == settings.topics.log
            }
        )
    finally:
        await admin.close()


async def test_serve_says_what_is_wrong_and_ends(config: Path, settings: Settings) -> None:
    async def ended(name: str, *options: str) -> str:
        with Service(config, name, *options) as service:
            assert 1 == await asyncio.to_thread(service.wait), service.tail()
            return service.tail()

    unreachable = await ended("unreachable", "-b", f"127.0.0.1:{free_port()}")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = await ended("busy", "--port", str(taken.getsockname()[1]))
    DuckDBStore(other := Path(settings.serve_database).with_name("other.duckdb"), Origin("other", "o.")).close()
    foreign = await ended("foreign", "--database", str(other))
    astray = await ended("astray", "--database", str(other.parent / "nowhere" / "map.duckdb"))
    DuckDBStore(
        database := Path(settings.serve_database), Origin(settings.application_id, settings.topic_prefix)
    ).close()
    with duckdb.connect(str(database)) as connection:
        connection.execute("INSERT INTO offsets VALUES (?, 0, 12345)", [settings.topics.log])
    anew = await ended("anew")
    change_config(config, topic_prefix="absent.")
    missing = await ended("missing")

    assert "No Kafka broker answers" in unreachable
    assert "another process listens there" in busy
    assert "was made with application_id 'other'" in foreign
    assert "There is no directory" in astray
    assert "ends at offset 0, and the store has read it up to 12345" in anew
    assert "absent.log does not exist" in missing
    assert not [text for text in (unreachable, busy, foreign, astray, anew, missing) if "Traceback" in text]


async def test_serve_answers_over_http_what_the_topics_tell(config: Path, settings: Settings) -> None:
    sent = people_with_a_tablet(settings)
    async with running(settings, identity=Identity()), httpx.AsyncClient() as client:
        await send(settings, sent)
        with Service(config, "serve") as service:
            await asyncio.to_thread(service.wait_started)
            totals: dict[str, int] = {}
            deadline = until(60)
            while (totals.get("touchpoints"), totals.get("customers")) != (len(sent), 2):
                assert time.monotonic() < deadline, (totals, service.tail())
                await asyncio.sleep(0.2)
                with contextlib.suppress(httpx.TransportError):
                    answer = await client.get(f"{service.url}/api/map")
                    totals = answer.json()["totals"] if answer.status_code == 200 else totals
            assert 0 == await asyncio.to_thread(service.terminate)
