"""The projection in a thread and an event loop of its own, so that reading topics never keeps a web request waiting."""

import asyncio
import threading
from collections.abc import Callable
from typing import Final

from journey_stream.serve.projection.projection import Projection

STOP_SECONDS_MAX: Final = 40.0


class ProjectionThread:
    """`make` is called in the thread; `failed` there, too, with what ended the projection other than `stop`."""

    def __init__(self, make: Callable[[], Projection], failed: Callable[[BaseException], None]) -> None:
        self._make = make
        self._failed = failed
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._projection: Projection | None = None
        self._thread = threading.Thread(target=self._run, name="projection", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Let it write what it has read, and wait for its end."""
        if self._loop is not None and self._projection is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._projection.stop)
        self._thread.join(STOP_SECONDS_MAX)

    def _run(self) -> None:
        try:
            asyncio.run(self._project())
        except BaseException as error:  # noqa: BLE001 - it must not end unheard
            self._failed(error)
        finally:
            self._ready.set()

    async def _project(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._projection = self._make()
        self._ready.set()
        await self._projection.run()
