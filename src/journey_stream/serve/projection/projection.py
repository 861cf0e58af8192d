"""Keeps the store in step with the topics: reads, and writes batch after batch, until it is stopped.

As a task does, it lives until something fails, throws away all that it has in memory, and begins again at what the
store says: rows and offsets are of one transaction there, so nothing is lost or doubled.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from journey_stream.events.erasures import ErasureKey, Erasures
from journey_stream.serve.projection.gathering import Gathering
from journey_stream.serve.projection.reader import Reader
from journey_stream.serve.store.batch import Batch
from journey_stream.serve.store.schema import PROFILES
from journey_stream.serve.store.store import Session, Store
from journey_stream.serve.store.writer import Writer, read_erasures
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import PERMISSION_ERRORS, Uncertain, not_permitted
from journey_stream.worker.lives import Pauses, live_until

BATCH_RECORDS_MAX: Final = 60_000
"""More than that is not gathered while a batch is being written."""

INTERVAL_SECONDS: Final = 0.5
"""A batch that is smaller waits for so long after the one before it: each costs some dozens of statements."""

REST: Final = 3.0
"""It also waits for so many times as long as that one took: the machine may have a worker to run, too."""

POLL_MS: Final = 100

PAUSE_SECONDS: Final = 0.1
"""Between two looks when there is no backlog. The client asks the broker for a partition again as soon as we have taken
what it had: without a pause that is thousands of questions a second while a worker is busy.
"""

TOMBSTONES_SECONDS_MAX: Final = 12 * 3_600
"""Compaction drops the nulls of journey.profiles after a day. A store that has not read for longer than this cannot be
sure to have seen them: it reads the topic again."""

STOP_SECONDS_MAX: Final = 20.0

_log = logging.getLogger(__name__)


class Projection:
    """`partitions` by topic. `committed` is told each version and whose rows it changed (None: anybody's), from some
    thread.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        key: ErasureKey,
        partitions: Mapping[str, int],
        committed: Callable[[int, set[str] | None], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._key = key
        self._partitions = partitions
        self._committed = committed
        self._stopping = asyncio.Event()
        self.records = 0
        """How many have been written."""

    def stop(self) -> None:
        """Write what has been read, then end `run`; from the loop's thread."""
        self._stopping.set()

    async def run(self) -> None:
        """Until `stop`. Raises WorkerError if only a person can help, and what the database raises."""
        pauses = Pauses()
        while not self._stopping.is_set():
            pauses.born()
            session = self._store.session()
            try:
                await live_until(
                    self._stopping,
                    lambda session=session: self._live(session),  # type: ignore[misc]
                    worth_finishing=lambda: True,
                    seconds_max=STOP_SECONDS_MAX,
                )
            except PERMISSION_ERRORS as error:
                raise not_permitted(error, self._settings) from error
            except OffsetOutOfRangeError:
                pass  # the next life sees what is gone and says so
            except (Uncertain, KafkaError, TimeoutError, OSError) as error:
                _log.warning("starting again: %s", error)
                await self._rest(pauses.died())
            finally:
                session.close()

    async def _live(self, session: Session) -> None:
        erasures = Erasures(self._key)
        read_erasures(session, erasures)
        writer = Writer(session, erasures)
        self._refresh_views(writer)
        gathering = Gathering(self._settings.topics, erasures)
        reader = Reader(self._settings, self._partitions, gathering)
        try:
            await reader.open(writer.offsets)
            _log.info("reading on after version %d of the store", writer.version)
            await self._work(reader, gathering, writer)
        finally:
            await reader.close()

    async def _work(self, reader: Reader, gathering: Gathering, writer: Writer) -> None:
        """Read while the batch before is written."""
        pen = _Pen(writer, self._committed)
        try:
            while not self._stopping.is_set():
                is_full = gathering.records >= BATCH_RECORDS_MAX
                if is_full:
                    await pen.rest()
                elif not await reader.read(POLL_MS):
                    await self._rest(PAUSE_SECONDS)
                if not gathering.is_empty and (is_full or pen.is_due):
                    await pen.rest()
                    await self._hand_over(reader, gathering, pen)
            await pen.rest()
            if not gathering.is_empty:
                await self._hand_over(reader, gathering, pen)
            await pen.rest()
        finally:
            await pen.close()

    async def _hand_over(self, reader: Reader, gathering: Gathering, pen: "_Pen") -> None:
        await reader.note_positions()
        batch = gathering.take()
        self.records += batch.records
        pen.begin(batch)

    def _refresh_views(self, writer: Writer) -> None:
        away_seconds = time.time() - writer.committed_at / 1_000
        if writer.version and away_seconds > TOMBSTONES_SECONDS_MAX:
            _log.info("the store has not read for %.0f hours: reading all views again", away_seconds / 3_600)
            writer.forget_topic(self._settings.topics.profiles, PROFILES.name)
            self._committed(writer.version, None)

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return


class _Pen:
    """Writes one batch at a time, in a thread."""

    def __init__(self, writer: Writer, committed: Callable[[int, set[str] | None], None]) -> None:
        self._writer = writer
        self._committed = committed
        self._writing: asyncio.Task[None] | None = None
        self._ended_at = 0.0
        self._seconds = 0.0
        """How long the last batch took."""

    @property
    def is_due(self) -> bool:
        """Whether it is free and has rested."""
        is_free = self._writing is None or self._writing.done()
        return is_free and time.monotonic() - self._ended_at >= max(INTERVAL_SECONDS, REST * self._seconds)

    def begin(self, batch: Batch) -> None:
        self._writing = asyncio.create_task(asyncio.to_thread(self._write, batch))

    async def rest(self) -> None:
        """Wait for the batch at hand; raises what its writing raised."""
        if self._writing is not None:
            await asyncio.wait({self._writing})
            writing, self._writing = self._writing, None
            writing.result()

    async def close(self) -> None:
        """A transaction cannot be left half way: its thread would go on with it."""
        if self._writing is not None:
            await asyncio.wait({self._writing})

    def _write(self, batch: Batch) -> None:
        began_at = time.monotonic()
        written = self._writer.write(batch)
        self._ended_at = time.monotonic()
        self._seconds = self._ended_at - began_at
        self._committed(written.version, written.profiles)
