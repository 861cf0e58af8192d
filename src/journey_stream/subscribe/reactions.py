"""Reacting to stage changes exactly as often as they hold, although each may be delivered more than once.

A subscriber that stores its position itself gets every message at least once: after a crash the last ones come again.
`Reactor` makes that harmless. Per `change_id` it remembers the highest revision and whether it acted:

- a message that is not newer than the remembered one is a repeat;
- `entered` acts if the change is where the customer is now (`current`), and not again while it stands;
- `retracted` undoes what was done, and a later `entered` of the same change acts once more. A subscriber that simply
  dropped a `change_id` that it has seen would miss both.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple, Protocol

from journey_stream.events.outputs import StageChange

Outcome = Literal["acted", "undone", "noted", "repeated"]
React = Callable[[StageChange], Awaitable[None]]

PAUSE_SECONDS_FIRST = 0.5
PAUSE_SECONDS_MAX = 30.0

_log = logging.getLogger(__name__)


class Seen(NamedTuple):
    """What is remembered of one change: its highest revision so far, and whether the reaction to it stands."""

    revision: int
    acted: bool


class Memory(Protocol):
    """Where a subscriber remembers what it has seen. To survive a crash it must be durable."""

    def get(self, change_id: str) -> Seen | None:
        """What is known of a change."""

    def put(self, change_id: str, seen: Seen) -> None:
        """Remember it; must be stored when this returns."""


class InMemory(dict[str, Seen]):
    """A memory that forgets everything at the end of the process: for tests, and for reactions that may repeat."""

    def put(self, change_id: str, seen: Seen) -> None:
        """Remember it until the process ends."""
        self[change_id] = seen


class Reactor:
    """Calls `act` and `undo` for the changes that are `wanted`; by default for all.

    Guarantee: no change is missed. A reaction is called again only if the process ends between its success and the
    remembering of it. For an effect that must not be doubled even then, pass the key `change_id` + `revision` on to
    whoever has it (payment and mail services take such a key), or keep effect and memory in one database transaction.
    """

    def __init__(
        self,
        act: React,
        undo: React,
        memory: Memory | None = None,
        *,
        wanted: Callable[[StageChange], bool] = lambda _: True,
    ) -> None:
        self._act = act
        self._undo = undo
        self._memory = InMemory() if memory is None else memory
        self._wanted = wanted

    async def receive(self, change: StageChange | None) -> Outcome:
        """Handle one message. Raises what the reaction raises; the message then counts as not received.

        None, a null value, says that a profile was erased. There is nothing to undo: reactions are your data, and what
        is to be erased of them you know.
        """
        if change is None:
            return "noted"
        seen = self._memory.get(change.change_id) or Seen(0, acted=False)
        if change.revision <= seen.revision:
            return "repeated"
        outcome: Outcome = "noted"
        acted = seen.acted
        if change.kind == "retracted" and acted:
            await self._undo(change)
            outcome, acted = "undone", False
        elif change.kind == "entered" and change.current and not acted and self._wanted(change):
            await self._act(change)
            outcome, acted = "acted", True
        self._memory.put(change.change_id, Seen(change.revision, acted))
        return outcome

    async def receive_surely(
        self, change: StageChange | None, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> Outcome:
        """Handle one message; when the reaction fails, try again after growing pauses until it works.

        What comes after it waits, and so the order of a customer's changes stays.
        """
        seconds = PAUSE_SECONDS_FIRST
        while True:
            try:
                return await self.receive(change)
            except Exception:  # noqa: BLE001 -- whatever it was, the message must not be lost
                what = change and f"{change.kind} of {change.change_id}"
                _log.exception("the reaction to %s failed; trying again in %s s", what, seconds)
            await pause(seconds)
            seconds = min(2 * seconds, PAUSE_SECONDS_MAX)
