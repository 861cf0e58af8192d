"""The demo as a subscriber: what the worker committed to the output topics goes onto the board."""

import asyncio
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer

from journey_stream.demo.board import Board
from journey_stream.events.outputs import ChurnRiskChange, ProfileView, StageChange
from journey_stream.worker.config import Settings

POLL_MS = 100
RECORDS_MAX = 2_000
PAUSE_SECONDS = 0.1
"""Between two looks: for people a screen is live enough so, and the broker is spared thousands of small questions."""


class Subscriber:
    """`async with Subscriber(settings, board) as subscriber: await subscriber.follow()`."""

    def __init__(self, settings: Settings, board: Board) -> None:
        topics = settings.topics
        self._board = board
        self._news = asyncio.Event()
        self._apply = {
            topics.stage_changes: self._stage_change,
            topics.churn_risk: self._risk_change,
            topics.profiles: self._profile,
            topics.dead_letters: self._dead_letter,
        }
        self._consumer = AIOKafkaConsumer(
            *self._apply,
            **settings.client_options(),
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._consumer.stop()

    async def follow(self) -> None:
        """Reads for ever."""
        while True:
            found = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
            for place, records in found.items():
                apply = self._apply[place.topic]
                for record in records:
                    apply(record)
            self._news.set()
            self._news = asyncio.Event()
            if sum(map(len, found.values())) < RECORDS_MAX:
                await asyncio.sleep(PAUSE_SECONDS)

    async def catch_up(self) -> None:
        """Waits until everything that is committed by now has been read; `follow` must be running."""
        ends = await self._consumer.end_offsets(self._consumer.assignment())
        while not all([await self._consumer.position(place) >= end for place, end in ends.items()]):
            await self._news.wait()

    def _stage_change(self, record: Any) -> None:
        if record.value is not None:
            self._board.stage_changed(StageChange.model_validate_json(record.value))

    def _risk_change(self, record: Any) -> None:
        if record.value is not None:
            self._board.risk_changed(ChurnRiskChange.model_validate_json(record.value))

    def _profile(self, record: Any) -> None:
        if record.value is not None:
            self._board.profile_changed(ProfileView.model_validate_json(record.value))

    def _dead_letter(self, record: Any) -> None:
        reason = next((value for name, value in record.headers if name == "dead_letter_reason"), b"unknown")
        self._board.dead_letter(reason.decode())
