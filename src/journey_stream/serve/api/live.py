"""Keeps the facts, and the map without a filter, up to date; tells whoever listens when there is something new."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

import msgspec

from journey_stream.serve.api.pool import Store
from journey_stream.serve.queries.answers import JourneyMap, Totals
from journey_stream.serve.queries.connection import DIALECTS, Connection
from journey_stream.serve.queries.facts import Facts
from journey_stream.serve.queries.filters import EVERYTHING
from journey_stream.serve.queries.reading import Reading, read

_LOG = logging.getLogger(__name__)

INTERVAL_SECONDS: Final = 1.0
"""At most once in this time are the facts refreshed, and with that, listeners told."""

REST: Final = 3.0
"""After a refresh that took long, so many times as long is rested: the machine may have a worker to run, too."""


class Version(msgspec.Struct, frozen=True):
    """What listeners are told."""

    version: int
    now: str | None
    totals: Totals


@dataclass
class _News:
    """What the projection has changed since the last look. `profiles` None: it is not known whose rows."""

    profiles: set[str] | None = field(default_factory=set)
    any: bool = False


class Live:
    """Runs a thread of its own, between `start` and `stop`.

    The projection calls `committed` after each batch. Where nobody calls it (another process projects), the version of
    the store is looked at once in a while and everything is read again when it has grown.
    """

    def __init__(
        self, store: Store, describe: Callable[[Reading], JourneyMap], interval_seconds: float = INTERVAL_SECONDS
    ) -> None:
        self._store = store
        self._dialect = DIALECTS[store.dialect]
        self._describe = describe
        self._interval_seconds = interval_seconds
        self._facts = Facts(self._dialect)
        self._condition = threading.Condition()
        self._news = _News(profiles=None, any=not store.read_only)
        self._is_told = self._stopping = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed = asyncio.Event()
        self.map: JourneyMap | None = None
        self.failure: str | None = None
        self.committed_version: int | None = None
        self.closing = False

    @property
    def version(self) -> int | None:
        """The version that is served; None before the first."""
        return None if self.map is None else self.map.version

    def committed(self, version: int, profiles: Collection[str] | None = None) -> None:
        """Say that a batch is in the store; `profiles` are those whose rows it changed, None if unknown.

        May be called from any thread, and does not wait.
        """
        with self._condition:
            self._is_told = self._news.any = True
            self.committed_version = version
            if profiles is None or self._news.profiles is None:
                self._news.profiles = None
            else:
                self._news.profiles.update(profiles)
            self._condition.notify()

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="map-facts", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        self.end_streams()
        with self._condition:
            self._stopping = True
            self._condition.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def end_streams(self) -> None:
        """Let listeners go, so that a server which waits for open connections can end; from the loop's thread."""
        self.closing = True
        self._tell()

    async def newer_than(self, version: int | None) -> Version | None:
        """Wait for a version later than this one; None when the service ends."""
        while not self.closing:
            changed, current = self._changed, self.map
            if current is not None and current.version != version:
                return Version(current.version, current.now, current.totals)
            await changed.wait()
        return None

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _run(self) -> None:
        connection: Connection | None = self._store.connect() if self._store.read_only else None
        while (news := self._next_news(connection)) is not None:
            begun = time.monotonic()
            try:
                connection = connection or self._store.connect()
                self._refresh(connection, news)
                self.failure = None
            except Exception as error:  # noqa: BLE001 - whatever it is, the map must go on with the next batch
                _LOG.exception("The map could not be brought up to date. It shows what it showed, and tries again.")
                self.failure = f"{type(error).__name__}: {error}"
                with self._condition:
                    self._news = _News(profiles=None, any=True)
            worked = time.monotonic() - begun
            self._pause(max(self._interval_seconds - worked, REST * worked))
        if connection is not None:
            connection.close()

    def _pause(self, seconds: float) -> None:
        with self._condition:
            self._condition.wait_for(lambda: self._stopping, max(0.0, seconds))

    def _next_news(self, connection: Connection | None) -> _News | None:
        """Wait for news and take them; None to stop."""
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._news.any or self._stopping, self._interval_seconds)
                if self._stopping:
                    return None
                if self._news.any:
                    news, self._news = self._news, _News()
                    return news
                is_told = self._is_told
            if not is_told and connection is not None and self._has_grown(connection):
                return _News(profiles=None, any=True)

    def _has_grown(self, connection: Connection) -> bool:
        try:
            source = "version FROM facts.progress" if self._store.read_only else "value FROM meta WHERE key = 'version'"
            row = connection.execute(f"SELECT {source}").fetchone()
        except Exception as error:  # noqa: BLE001 - a database may be away for a while
            self.failure = f"{type(error).__name__}: {error}"
            return False
        self.failure = None
        return row is not None and (self.version is None or int(row[0]) != self.version)

    def _refresh(self, connection: Connection, news: _News) -> None:
        if not self._store.read_only:
            self._facts.refresh(connection, news.profiles)
        with read(connection, self._dialect, EVERYTHING) as reading:
            self.map = self._describe(reading)
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._tell)
