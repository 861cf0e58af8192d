"""Starting, guarding and stopping things without leaving any behind."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


async def until_stopped(work: Coroutine[Any, Any, None]) -> bool:
    """Do the work; the first signal to stop cancels it, and further ones cannot disturb its cleaning up.

    Returns whether the work came to its end by itself.
    """
    task = asyncio.ensure_future(work)
    stopped = asyncio.Event()

    def stop() -> None:
        if not stopped.is_set():
            stopped.set()
            task.cancel()

    loop = asyncio.get_running_loop()
    for name in STOP_SIGNALS:
        # Windows knows neither all of the signals nor handlers of an event loop; Ctrl-C cancels there by itself.
        with contextlib.suppress(NotImplementedError, AttributeError):
            loop.add_signal_handler(getattr(signal, name), stop)
    try:
        await task
    except asyncio.CancelledError:
        if not stopped.is_set():
            raise
        return False
    return True


async def beside(main: Coroutine[Any, Any, None], *guards: Coroutine[Any, Any, None]) -> None:
    """Do `main` while the guards run for ever. An error of any of them ends all of them and is raised."""
    tasks = [asyncio.ensure_future(work) for work in (main, *guards)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """What libraries log goes to a file: a line in the middle of the picture would spoil it."""
    handler = logging.FileHandler(path, encoding="utf-8")
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
