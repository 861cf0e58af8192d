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
from journey_stream.serve.store.postgres_store import PostgresConnection, PostgresStore
from journey_stream.serve.store.schema import TABLES
from journey_stream.serve.store.store import Connection, Store
from journey_stream.worker.config import Settings
from journey_stream.worker.erasure_key import erasure_key_of
from tests.integration.reading import read_all

Tables = dict[str, list[tuple[Any, ...]]]
Ends = dict[tuple[str, int], int]

Place = Path | str
"""A file of DuckDB, or the address of a database of PostgreSQL."""

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
async def projecting(settings: Settings, place: Place) -> AsyncIterator[tuple[Store, Told]]:
    """Run it until the block ends, then let it write what it has read. Raises what it raised."""
    origin = Origin(settings.application_id, settings.topic_prefix)
    store: Store = DuckDBStore(place, origin) if isinstance(place, Path) else PostgresStore(place, origin)
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


async def project_all(settings: Settings, place: Place) -> Told:
    """Bring a database up to date with topics to which nobody writes."""
    ends = await last_records(settings)
    async with projecting(settings, place) as (store, told):
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


async def until_projected(store: Store, ends: Ends, seconds_max: float = 60.0) -> None:
    deadline = time.monotonic() + seconds_max
    with contextlib.closing(store.connect()) as connection:
        while missing := _missing(connection, ends):
            assert time.monotonic() < deadline, missing
            await asyncio.sleep(0.05)


def is_projected(place: Place, ends: Ends) -> bool:
    """Whether a database that no process has open contains everything up to these offsets."""
    if isinstance(place, Path) and not place.exists():
        return False
    with _reading(place) as connection:
        return not _missing(connection, ends)


def tables(place: Place) -> Tables:
    """All rows that come from records, in order."""
    with _reading(place) as connection:
        return {
            table.name: sorted(connection.execute(f"SELECT * FROM {table.name}").fetchall(), key=repr)
            for table in TABLES
            if table.name not in NOT_COMPARED
        }


def _reading(place: Place) -> contextlib.closing[Connection]:
    if isinstance(place, Path):
        return contextlib.closing(duckdb.connect(str(place), read_only=True))
    return contextlib.closing(PostgresConnection(place))


def _missing(connection: Connection, ends: Ends) -> Ends:
    rows = connection.execute("SELECT topic, partition, next_offset FROM offsets").fetchall()
    reached = {(topic, partition): offset for topic, partition, offset in rows}
    return {place: end for place, end in ends.items() if reached.get(place, 0) < end}
