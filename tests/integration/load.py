"""Workers and their load around a broker to which a test does something."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiokafka.admin import NewTopic

from journey_stream.worker.config import Settings
from journey_stream.worker.topics import create_topics
from tests.integration.feeder import Feeder
from tests.integration.journeys import WITH_IDENTITY, Sent
from tests.integration.judging import judge, until_all_is_processed
from tests.integration.people import touchpoints
from tests.integration.recoveries import RECOVERIES, Recovery, Watch
from tests.integration.workers import Worker, create, read_config, write_config

PARTITIONS = {"web": 5, "email": 3, "store": 2, "crm": 1}
SETTLE_SECONDS_MAX = 150.0


def sources(prefix: str) -> dict[str, int]:
    """Partition counts by topic, of sources that nobody else uses."""
    return {f"{prefix}touchpoints.{channel}": count for channel, count in PARTITIONS.items()}


def some(prefix: str, count: int, customers: int = 300) -> list[Sent]:
    """Touchpoints of made-up people, always the same ones but for their times."""
    return touchpoints(count, sources(prefix), 7, customers)


async def prepare(directory: Path, bootstrap: str, prefix: str, workers_bootstrap: str = "", **values: Any) -> Settings:
    """Topics, a model and a journey.yaml; the settings returned reach the broker directly, as the test does."""
    (directory / "model.yaml").write_text(WITH_IDENTITY)
    configured = {
        "session_timeout": "3s",
        "transaction_timeout": "20s",
        "model": str(directory / "model.yaml"),
        "batch_records_max": 500,
    }
    path = write_config(directory, workers_bootstrap or bootstrap, prefix, **(configured | values))
    settings = read_config(path).model_copy(update={"bootstrap_servers": (bootstrap,)})
    topics = [NewTopic(name, count, 1, topic_configs={"retention.ms": "-1"}) for name, count in sources(prefix).items()]
    await create(bootstrap, topics)
    await create_topics(settings, history=True)
    return settings


class Load:
    """Workers that were started, what feeds them, and who watches what comes out."""

    def __init__(self, directory: Path, settings: Settings, feeder: Feeder, watch: Watch, settle: float) -> None:
        self.settings, self.feeder, self.watch = settings, feeder, watch
        self._settle = settle
        self.workers: list[Worker] = []
        self._config = directory / "journey.yaml"
        self._count = 0

    def start(self, role: str = "all", environ: Mapping[str, str] | None = None) -> Worker:
        self._count += 1
        worker = Worker(self._config, f"worker-{self._count}", role, debug=True, environ=environ)
        self.workers.append(worker)
        return worker

    async def end(self, worker: Worker) -> None:
        """SIGTERM, and an orderly end."""
        self.workers.remove(worker)
        assert await asyncio.to_thread(worker.terminate) == 0, worker.tail()

    def logs(self) -> str:
        return "\n".join(worker.tail(60) for worker in self.workers)

    async def recovered(self, fault: str, ended: float, note: str = "") -> Recovery:
        """Feed all that is left, and return when nothing waits; `ended` is when the fault was over (monotonic)."""
        self.feeder.finish()
        first = await self.watch.first_after(ended)
        await until_all_is_processed(self.settings, self._settle, self.logs)
        for worker in self.workers:
            assert worker.running, worker.tail()
        found = Recovery(fault, first, time.monotonic() - ended, note)
        RECOVERIES.append(found)
        return found


@contextlib.asynccontextmanager
async def under_load(
    directory: Path,
    settings: Settings,
    sent: list[Sent],
    *,
    truly: list[Sent] | None = None,
    refused: list[Sent] | None = None,
    seconds: float = 20.0,
    workers: int = 2,
    others: Sequence[tuple[str, Mapping[str, str]]] = (),
    fed_first: bool = False,
    settle: float = SETTLE_SECONDS_MAX,
) -> AsyncIterator[Load]:
    """Feed `sent` within about so many seconds to workers; after the block all of it must have had its effect, once.

    `others` are workers of a role with variables of their environment. If `fed_first`, all is fed before the block.
    Within `settle` seconds all has to be processed.
    `truly` are those that count, `refused` those that must end as dead letters; otherwise all and none.
    """
    feeder = Feeder(settings, sent, seconds)
    feeding: asyncio.Task[None] | None = None
    async with Watch(settings) as watch:
        load = Load(directory, settings, feeder, watch, settle)
        try:
            for _ in range(workers):
                load.start()
            for role, environ in others:
                load.start(role, environ)
            for worker in load.workers:
                await asyncio.to_thread(worker.wait_started)
            feeding = asyncio.create_task(feeder.run())
            if fed_first:
                feeder.finish()
                await feeding
            else:
                await watch.first_after(0.0)
            yield load
            feeder.finish()
            await feeding
            await until_all_is_processed(settings, settle, load.logs)
            for worker in [*load.workers]:
                await load.end(worker)
        finally:
            if feeding is not None:
                feeding.cancel()
            for worker in load.workers:
                worker.__exit__()
    await judge(settings, sent if truly is None else truly, refused)
