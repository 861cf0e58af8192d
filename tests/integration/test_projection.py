"""The topics of a real broker, projected into tables: through kill -9, erasures, lost records and a second start."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from journey_stream.worker.config import Settings
from journey_stream.worker.topics import create_topics
from tests.integration.feeder import Feeder
from tests.integration.journeys import WITH_IDENTITY, model
from tests.integration.people import touchpoints
from tests.integration.projecting import Tables, is_projected, last_records, project_all, tables
from tests.integration.reading import behind
from tests.integration.running import running
from tests.integration.serving import Service
from tests.integration.truth import truth
from tests.integration.workers import read_config, until, write_config
from tests.support.kafka import Broker

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


async def test_kill_9_at_random_points_loses_and_doubles_nothing(config: Path, settings: Settings) -> None:
    seed = int(os.environ.get("JOURNEY_TEST_SEED", random.Random().randrange(2**31)))
    sys.stdout.write(f"\nJOURNEY_TEST_SEED={seed} repeats the draw of these touchpoints and kills\n")
    rng = random.Random(seed)
    killed = Path(settings.serve_database)
    sent = touchpoints(TOUCHPOINTS, dict.fromkeys(settings.sources, settings.partitions), seed)

    async with running(settings, identity=model(WITH_IDENTITY).identity):
        feeder = Feeder(settings, sent, seconds=25.0)
        feeding = asyncio.create_task(feeder.run())
        for number in range(KILLS):
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
    await project_all(settings, undisturbed := killed.with_name("undisturbed.duckdb"))

    found = tables(killed)
    assert {name: len(rows) for name, rows in tables(undisturbed).items()} == {
        n: len(rows) for n, rows in found.items()
    }
    assert tables(undisturbed) == found
    assert len(found["stage_messages"]) > 100
    clocks = [max(int(one.timestamp) for one in sent)] * settings.partitions
    expected = await asyncio.to_thread(truth, sent, model(WITH_IDENTITY), clocks, settings.limits)
    assert {one: n for one, n in expected.passed.items() if one[0] != "attach"} == _passed(found)


def _passed(found: Tables) -> dict[tuple[str, ...], int]:
    counted: Counter[tuple[str, ...]] = Counter()
    for via, receiver, event_id, _, count in found["passed"]:
        counted[via, receiver, event_id] += count
    return dict(counted)
