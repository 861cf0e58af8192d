"""Writes touchpoints to the sources at a steady pace, and faster when it is told to hurry."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer

from journey_stream.worker.config import Settings
from tests.integration.journeys import Sent

SLICES = 200
HURRY_SLICES = 10
REST_SLICES = 40


class Feeder:
    """Feeds `sent`, in order, within about `seconds` or somewhat less. The rest, a fifth, is kept until `finish`.

    Each `hurry` takes some of the rest, too, when nothing else is left.
    """

    def __init__(self, settings: Settings, sent: Sequence[Sent], seconds: float) -> None:
        self._settings = settings
        self._sent = sent
        self._pause_seconds = seconds / SLICES
        self._in_a_hurry = 0
        self._hurry = asyncio.Event()
        self._finishing = False
        self._slices_left = SLICES

    @property
    def only_the_rest_is_left(self) -> bool:
        return self._slices_left <= REST_SLICES

    def finish(self) -> None:
        """Write all that is left, and end."""
        self._finishing = True
        self._hurry.set()

    def hurry(self) -> None:
        """Write some slices without a pause, so that the tasks have their hands full for a moment."""
        self._in_a_hurry = REST_SLICES // 5 if self.only_the_rest_is_left else HURRY_SLICES
        self._hurry.set()

    async def run(self) -> None:
        size = -(-len(self._sent) // SLICES)
        # Long enough for any restart of the broker: aiokafka drops what has no leader for the time of a request.
        async with AIOKafkaProducer(
            bootstrap_servers=self._settings.bootstrap_servers[0], enable_idempotence=True, request_timeout_ms=60_000
        ) as producer:
            for start in range(0, len(self._sent), size):
                begun = time.monotonic()
                waiting = [
                    await producer.send(one.topic, one.value, one.key, one.partition, one.timestamp)
                    for one in self._sent[start : start + size]
                ]
                await asyncio.gather(*waiting)
                self._slices_left -= 1
                await self._pace(begun)

    async def _pace(self, begun: float) -> None:
        if self._finishing:
            return
        if self._in_a_hurry:
            self._in_a_hurry -= 1
            return
        self._hurry.clear()
        if self.only_the_rest_is_left:
            await self._hurry.wait()
            return
        try:
            await asyncio.wait_for(self._hurry.wait(), max(0.0, begun + self._pause_seconds - time.monotonic()))
        except TimeoutError:
            return
