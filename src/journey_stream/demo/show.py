"""Two ways to show a board while it changes: a live screen in a terminal, plain lines anywhere else."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, Protocol, TypeVar

from rich.console import Console
from rich.live import Live

from journey_stream.demo.board import BANDS, Board
from journey_stream.demo.meter import Meter
from journey_stream.demo.pace import Pace
from journey_stream.demo.screen import Gauges, picture
from journey_stream.events.outputs import ChurnRiskChange, StageChange
from journey_stream.events.times import from_ms

Listed = TypeVar("Listed")

FRAME_SECONDS = 0.125
CALM_SECONDS = 0.4
"""A list that scrolls faster than this cannot be read."""
LISTED_MAX = 60


class Show(Protocol):
    """Something that shows the board until it is cancelled."""

    def stage(self) -> AbstractContextManager[Any]: ...
    async def run(self) -> None: ...
    def say(self, phase: str) -> None: ...


class LiveScreen:
    """Redraws the whole terminal a few times a second."""

    def __init__(self, console: Console, board: Board, pace: Pace, map_address: str) -> None:
        self._console = console
        self._board = board
        self._pace = pace
        self._map_address = map_address
        self._phase = ""
        self._changes = Meter()
        self._ticker: Ticker[StageChange] = Ticker()
        self._risk_ticker: Ticker[ChurnRiskChange] = Ticker()
        self._live = Live(console=console, screen=True, auto_refresh=False, transient=True)

    def stage(self) -> AbstractContextManager[Any]:
        return self._live

    def say(self, phase: str) -> None:
        self._phase = phase

    async def run(self) -> None:
        while True:
            now = time.monotonic()
            self._changes.read(now, self._board.entered, self._board.entered)
            self._ticker.advance(now, self._board.entered, self._board.latest)
            self._risk_ticker.advance(now, self._board.rises + self._board.falls, self._board.latest_risks)
            touchpoints = self._pace.touchpoints
            gauges = Gauges(
                self._phase,
                touchpoints.per_second,
                touchpoints.behind,
                touchpoints.seconds_behind,
                self._changes.per_second,
                self._map_address,
            )
            width, height = self._console.size
            frame = picture(
                self._board,
                gauges,
                list(self._ticker.listed),
                width,
                height,
                risks=list(self._risk_ticker.listed),
            )
            self._live.update(frame, refresh=True)
            await asyncio.sleep(FRAME_SECONDS)


class Ticker(Generic[Listed]):
    """The changes on show, newest first: one more at a time, slowly enough to be read."""

    def __init__(self) -> None:
        self.listed: deque[Listed] = deque(maxlen=LISTED_MAX)
        self._moved_at = 0.0
        self._seen = 0

    def advance(self, now: float, total: int, latest: deque[Listed]) -> None:
        """Lists the newest of `total` changes so far when it is time for another."""
        if now - self._moved_at >= CALM_SECONDS and total > self._seen:
            self._moved_at = now
            self._seen = total
            self.listed.appendleft(latest[-1])


class PlainLines:
    """Prints a line whenever a month of the year on show is over."""

    def __init__(self, write: Callable[[str], None], board: Board, pace: Pace) -> None:
        self._write = write
        self._board = board
        self._pace = pace
        self._month = ""

    def stage(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def say(self, phase: str) -> None:
        self._write(phase)

    async def run(self) -> None:
        while True:
            month = f"{from_ms(self._board.clock):%Y-%m}" if self._board.clock >= self._board.starts_at else ""
            if month != self._month:
                self._month = month
                self._write(self._line(month))
            await asyncio.sleep(FRAME_SECONDS)

    def _line(self, month: str) -> str:
        board = self._board
        stages = "  ".join(f"{stage} {board.customers[stage]:,}" for stage in board.stages)
        rate = f"{self._pace.touchpoints.per_second:,.0f} touchpoints/s, {self._pace.touchpoints.behind:,} waiting"
        bands = "  ".join(f"{band} {board.bands[band]:,}" for band in BANDS)
        return f"{month}  {stages}  ({board.entered:,} changes, {rate})  churn risk: {bands}"
