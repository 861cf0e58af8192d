"""The projection inside the test's own process, and what is in its tables."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import duckdb

from journey_stream.serve.projection.gathering import FOLLOWED
from journey_stream.serve.projection.projection import Projection
from journey_stream.serve.projection.reader import followed_partitions
from journey_stream.serve.store.duckdb_store import DuckDBStore
from journey_stream.serve.store.meta import Origin
from journey_stream.serve.store.schema import TABLES
from journey_stream.worker.config import Settings
from journey_stream.worker.erasure_key import erasure_key_of
from tests.integration.reading import read_all

Tables = dict[str, list[tuple[Any, ...]]]
Ends = dict[tuple[str, int], int]

NOT_COMPARED = {"offsets", "meta"}


class Told:
    """What the projection has said of its batches."""

    def __init__(self) -> None:
        self.versions: list[int] = []
        self.profiles: set[str] = set()
        self.of_anybody = False

    def __call__(self, version: int, profiles: set[str] | None) -> None:
        self.versions.append(version)
        if profiles is None:
            self.of_anybody = True
        else:
            self.profiles |= profiles


@contextlib.asynccontextmanager
async def projecting(settings: Settings, path: Path) -> AsyncIterator[tuple[DuckDBStore, Told]]:
    """Run it until the block ends, then let it write what it has read. Raises what it raised."""
    store = DuckDBStore(path, Origin(settings.application_id, settings.topic_prefix))
    told = Told()
    projection = Projection(
        settings, store, erasure_key_of(settings), await followed_partitions(settings), told
    )  # fmt: skip
    running = asyncio.create_task(projection.run())
    try:
        yield store, told
    finally:
        projection.stop()
        await asyncio.wait({running}, timeout=40)
        store.close()
    running.result()


async def project_all(settings: Settings, path: Path) -> Told:
    """Bring a database up to date with topics to which nobody writes."""
    ends = await last_records(settings)
    async with projecting(settings, path) as (store, told):
        await until_projected(store, ends)
    return told


async def last_records(settings: Settings) -> Ends:
    """The offset behind the last record that there is now, by topic and partition."""
    ends: Ends = {}
    for name in FOLLOWED:
        topic = getattr(settings.topics, name)
        for record in await read_all(settings.bootstrap_servers[0], topic):
            ends[topic, record.partition] = max(ends.get((topic, record.partition), 0), record.offset + 1)
    return ends


async def until_projected(store: DuckDBStore, ends: Ends, seconds_max: float = 60.0) -> None:
    deadline = time.monotonic() + seconds_max
    while missing := _missing(store.connect(), ends):
        assert time.monotonic() < deadline, missing
        await asyncio.sleep(0.05)


def is_projected(path: Path, ends: Ends) -> bool:
    """Whether a database that no process has open contains everything up to these offsets."""
    if not path.exists():
        return False
    with duckdb.connect(str(path), read_only=True) as connection:
        return not _missing(connection, ends)


def tables(path: Path) -> Tables:
    """All rows that come from records, in order."""
    with duckdb.connect(str(path), read_only=True) as connection:
        return {
            table.name: sorted(connection.execute(f"FROM {table.name}").fetchall(), key=repr)
            for table in TABLES
            if table.name not in NOT_COMPARED
        }


def _missing(connection: duckdb.DuckDBPyConnection, ends: Ends) -> Ends:
    rows = connection.execute("SELECT topic, partition, next_offset FROM offsets").fetchall()
    reached = {(topic, partition): offset for topic, partition, offset in rows}
    return {place: end for place, end in ends.items() if reached.get(place, 0) < end}
