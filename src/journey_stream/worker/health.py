"""Whether a worker lives and whether it is ready: what probes and the metric `journey_ready` are told."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

ANSWER_SECONDS_MAX = 5.0
"""How long the event loop may take to answer. It computes in strides of milliseconds, so this is long."""

SILENCE_SECONDS_MAX = 15.0
"""How long a connected part may hear nothing. A broker answers a fetch twice in a second, with or without records; a
part that waits for an unfinished write does not fetch either."""


class Part(Protocol):
    """A router, or the tasks of a worker."""

    def unready(self) -> list[str]:
        """Why it is not doing its work, a phrase for each cause; empty if it is. Called in the event loop."""
        ...


class Lifeless(Exception):
    """The event loop does not answer; the message says how."""


class Health:
    """Asks the parts of a worker how they are, from any thread but that of the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, parts: Sequence[Part]) -> None:
        self._loop = loop
        self._parts = parts

    def alive(self, seconds_max: float = ANSWER_SECONDS_MAX) -> list[str]:
        """Why the process should be replaced; empty if its event loop answers."""
        try:
            self._ask(seconds_max)
        except Lifeless as error:
            return [str(error)]
        return []

    def ready(self, seconds_max: float = ANSWER_SECONDS_MAX) -> list[str]:
        """Why the worker is not doing its work; empty if it is."""
        try:
            return self._ask(seconds_max)
        except Lifeless as error:
            return [str(error)]

    def _ask(self, seconds_max: float) -> list[str]:
        answer: Future[list[str]] = Future()
        try:
            self._loop.call_soon_threadsafe(self._answer, answer)
        except RuntimeError as error:
            raise Lifeless("the event loop has ended") from error
        try:
            return answer.result(seconds_max)
        except TimeoutError as error:
            raise Lifeless(f"the event loop has not answered within {seconds_max:g} s") from error

    def _answer(self, answer: "Future[list[str]]") -> None:
        answer.set_result([reason for part in self._parts for reason in part.unready()])
