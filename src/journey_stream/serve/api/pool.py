"""Runs queries in threads, each with a connection of its own."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from journey_stream.serve.queries.connection import Connection, DialectName

Answer = TypeVar("Answer")


class Store(Protocol):
    """Where the projected tables are."""

    @property
    def dialect(self) -> DialectName: ...
    @property
    def read_only(self) -> bool:
        """Whether another process projects, and keeps the facts up to date."""
        ...

    def connect(self) -> Connection:
        """A new connection for one thread."""
        ...


class Pool:
    """As many queries at once as there are threads; the others wait their turn."""

    def __init__(self, store: Store, threads: int) -> None:
        self._store = store
        self._own = threading.local()
        self._lock = threading.Lock()
        self._connections: list[Connection] = []
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="map-query")

    async def run(self, question: Callable[[Connection], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._ask, question)

    def close(self) -> None:
        """Wait for what is running, then close the connections."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for connection in self._connections:
            connection.close()

    def _ask(self, question: Callable[[Connection], Answer]) -> Answer:
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = self._store.connect()
            with self._lock:
                self._connections.append(connection)
        return question(connection)
