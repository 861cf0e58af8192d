"""The composition root of the live map: store, projection and web server, until a signal."""

import asyncio
import contextlib
import errno
import gc
import logging
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from journey_stream.journey.errors import ModelError
from journey_stream.serve.api.access import Access
from journey_stream.serve.api.app import create_app
from journey_stream.serve.api.rate import Rate
from journey_stream.serve.projection.projection import Projection
from journey_stream.serve.projection.reader import followed_partitions
from journey_stream.serve.projection.thread import ProjectionThread
from journey_stream.serve.store.duckdb_store import DuckDBStore, remove
from journey_stream.serve.store.errors import StoreError
from journey_stream.serve.store.meta import Origin
from journey_stream.serve.store.store import Store
from journey_stream.worker.config import Settings
from journey_stream.worker.erasure_key import erasure_key_of
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.logs import configure_logs
from journey_stream.worker.run import GC_THRESHOLDS, read_model
from journey_stream.worker.secret_files import UnusableFile

STREAMS_SECONDS_MAX = 5
"""How long a client may take to end its request when the service stops."""

_log = logging.getLogger(__name__)


def start(settings: Settings, *, rebuild: bool = False, read_only: bool = False) -> int:
    """Serve as this process: 0 after a signal, 1 with a message on stderr if a person has to do something."""
    configure_logs(settings.log_level, settings.log_format)
    # Batches of a backlog are hundreds of thousands of rows, and not one cycle is among them.
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        asyncio.run(serve(settings, rebuild=rebuild, read_only=read_only))
    except (ModelError, StoreError, WorkerError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def serve(settings: Settings, *, rebuild: bool = False, read_only: bool = False) -> None:
    """Serve until SIGTERM or SIGINT: then end the streams, write what has been read and return.

    With `rebuild` the database is made anew; with `read_only` it shows what another process
    projects into it. Raises ModelError, StoreError or WorkerError for the person on call.
    """
    model, key = read_model(settings.model), erasure_key_of(settings)
    access = access_of(settings)
    rate = Rate(settings.serve_requests_per_second, settings.serve_requests_burst)
    partitions = {} if read_only else await followed_partitions(settings)
    with listening(settings.serve_host, settings.serve_port) as listener:
        store = open_store(settings, rebuild=rebuild, read_only=read_only)
        try:
            app = create_app(store, model, access=access, rate=rate)
            _warn_if_open(settings, access)

            def make() -> Projection:
                return Projection(settings, store, key, partitions, app.state.live.committed)

            await _run(app, listener, None if store.read_only else make, store)
        finally:
            store.close()


async def _run(app: Any, listener: socket.socket, make: Any, store: Store) -> None:
    loop = asyncio.get_running_loop()
    failures: list[BaseException] = []
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=STREAMS_SECONDS_MAX,
        # uvicorn would take an address in a header for that of the connection, by which we know a trusted proxy.
        proxy_headers=False,
        server_header=False,
    )
    server = _Server(config)

    def stop() -> None:
        app.state.live.end_streams()
        server.should_exit = True

    def failed(error: BaseException) -> None:
        failures.append(error)
        loop.call_soon_threadsafe(stop)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    projection = None if make is None else ProjectionThread(make, failed)
    if projection is not None:
        projection.start()
    host, port = listener.getsockname()[:2]
    _log.info("started: the journey map is at http://%s:%d, from %s", host, port, store.describe())
    try:
        await server.serve(sockets=[listener])
    finally:
        if projection is not None:
            await asyncio.to_thread(projection.stop)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    for failure in failures:
        if isinstance(failure, store.failures):
            raise StoreError(f"{store.describe().capitalize()} could not be written: {failure}") from failure
        raise failure


class _Server(uvicorn.Server):
    """Leaves the signals to us: uvicorn would raise them again at its end, and the process die of them."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def open_store(settings: Settings, *, rebuild: bool, read_only: bool = False) -> Store:
    """The database of the settings. Raises StoreError if it cannot be used."""
    origin = Origin(settings.application_id, settings.topic_prefix)
    if rebuild and read_only:
        raise StoreError("--rebuild and --read-only contradict each other: whoever only reads makes nothing anew.")
    if "://" in settings.serve_database:
        return _postgres(settings.serve_database, origin, rebuild=rebuild, read_only=read_only)
    if read_only:
        raise StoreError(
            "Only one process at a time can open a file of DuckDB, so that --read-only would show nothing. For "
            "several, set serve_database to a database of PostgreSQL: postgresql://user@host/name."
        )
    path = Path(settings.serve_database)
    if rebuild:
        remove(path)
    if not path.parent.is_dir():
        raise StoreError(f"There is no directory {path.parent} for the database. Make it, or name another --database.")
    return DuckDBStore(path, origin)


def _postgres(url: str, origin: Origin, *, rebuild: bool, read_only: bool) -> Store:
    try:
        from journey_stream.serve.store.postgres_store import SCHEMES, PostgresStore  # noqa: PLC0415
    except ImportError as error:
        raise StoreError(
            f"A database of PostgreSQL needs its driver: {error}. Install it with: pip install "
            "'journey-stream[serve,postgres]'"
        ) from error
    if not url.startswith(SCHEMES):
        raise StoreError(
            f"serve_database begins with {url.partition('://')[0]}://, which no store has. Expected the path of a "
            "file of DuckDB, or postgresql://user@host/name."
        )
    return PostgresStore(url, origin, rebuild=rebuild, read_only=read_only)


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens; before anything else is begun, it shows whether it can. Raises WorkerError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        reason = "another process listens there" if error.errno == errno.EADDRINUSE else str(error.strerror or error)
        raise WorkerError(
            f"Cannot listen on {host} port {port}: {reason}. Choose another with --port or serve_port (0 takes any "
            "that is free), or another --host."
        ) from error
    with listener:
        yield listener


def access_of(settings: Settings) -> Access:
    """Who may ask for what. Raises WorkerError if a file with tokens is of no use."""
    try:
        return Access.of(settings)
    except UnusableFile as error:
        raise WorkerError(str(error)) from error


def _warn_if_open(settings: Settings, access: Access) -> None:
    if access.is_open and settings.serve_host not in {"127.0.0.1", "::1", "localhost"}:
        _log.warning(
            "the map shows customers to whoever reaches %s; set serve_token (JOURNEY_SERVE_TOKEN), or serve_host to "
            "127.0.0.1; docs/security.md has all ways",
            settings.serve_host,
        )
