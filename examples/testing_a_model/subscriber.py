"""A subscriber: calls back whoever abandoned a cart, and takes the call off the list when news make it wrong."""

from typing import Protocol

from journey_stream.events.outputs import StageChange
from journey_stream.subscribe import Memory, Reactor


class CallList(Protocol):
    """What the call centre offers us."""

    async def add(self, profile_id: str, why: str) -> None: ...
    async def remove(self, profile_id: str) -> None: ...


class CallBack:
    """Feed it every stage change; it keeps the call list right."""

    def __init__(self, calls: CallList, memory: Memory | None = None) -> None:
        self._calls = calls
        self._reactor = Reactor(self._add, self._remove, memory, wanted=_is_abandoned_cart)

    async def receive(self, change: StageChange) -> None:
        await self._reactor.receive(change)

    async def _add(self, change: StageChange) -> None:
        await self._calls.add(change.profile_id, change.because.text)

    async def _remove(self, change: StageChange) -> None:
        await self._calls.remove(change.profile_id)


def _is_abandoned_cart(change: StageChange) -> bool:
    return change.because.rule == "cart-abandoned"
