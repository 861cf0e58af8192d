"""The demo: a broker, a worker, a year of real households, and a screen that shows what the worker makes of them."""

import asyncio
import tempfile
from pathlib import Path

from rich.console import Console

from journey_stream.demo.board import Board
from journey_stream.demo.broker import EmbeddedBroker
from journey_stream.demo.lifecycle import beside, logging_to, until_stopped
from journey_stream.demo.pace import Pace
from journey_stream.demo.parts import Configured, Part, configure
from journey_stream.demo.show import LiveScreen, PlainLines, Show
from journey_stream.demo.subscriber import Subscriber
from journey_stream.demo.summary import Outcome, how_to_go_on, summary
from journey_stream.events.times import DAY_MS
from journey_stream.history.datasets import completejourney
from journey_stream.journey.load import preset
from journey_stream.worker.config import Settings
from journey_stream.worker.replay import at_rate, end_history, replay
from journey_stream.worker.topics import create_topics

SHOW_SECONDS = 60.0
"""How long the year takes in a terminal; elsewhere it goes as fast as it can."""
LAST_LOOK_SECONDS = 2.0
NEW_YEAR_MS = 1_483_228_800_000
"""2017-01-01, where the year on show begins. A few campaigns went out in the weeks before."""
YEAR_MS = 365 * DAY_MS
TOUCHPOINTS = 164_539
"""In the data set. Only the pace depends on it."""
INTERRUPTED = 130


def run_demo(console: Console, *, seconds: float | None = None) -> int:
    """Run the demo and return the exit code: 0, or 130 when it was stopped before the year was through.

    `seconds` is how long the replay should take, 0 for as fast as it goes. In a terminal the system then keeps running
    until Ctrl-C. Raises DemoError, and HistoryError without the data set's package.
    """
    # rich takes FORCE_COLOR for a terminal; a demo that waits for Ctrl-C in a pipeline would wait for ever.
    live = console.file.isatty() and not console.is_dumb_terminal
    if seconds is None:
        seconds = SHOW_SECONDS if live else 0.0
    demo = _Demo(console, seconds, live=live)
    try:
        ended = asyncio.run(until_stopped(demo.run()))
    except KeyboardInterrupt:
        ended = False
    if not ended:
        console.print("Stopped. Nothing is left behind.", highlight=False)
    return 0 if ended or demo.through else INTERRUPTED


class _Demo:
    def __init__(self, console: Console, seconds: float, *, live: bool) -> None:
        self.through = False
        self._live = live
        self._console = console
        self._seconds = seconds

    async def run(self) -> None:
        with tempfile.TemporaryDirectory(prefix="journey-demo-", ignore_cleanup_errors=True) as name:
            directory = Path(name)
            with logging_to(directory / "demo.log"):
                self._print("Starting a Kafka broker, a worker and the map, and opening a year of shopping …")
                async with EmbeddedBroker(directory) as broker:
                    config = configure(directory, broker.bootstrap)
                    await create_topics(config.settings, history=True)
                    async with Part("worker", config.path) as worker, Part("serve", config.path) as page:
                        self._print(f"The live journey map: {_map_address(config.settings)}")
                        try:
                            await beside(self._watched(config), worker.ended(), page.ended())
                        except asyncio.CancelledError:
                            self._print("Stopping the map, the worker, then the broker …")
                            raise

    async def _watched(self, config: Configured) -> None:
        settings = config.settings
        stages = tuple(stage.id for stage in preset(settings.model).stages)
        board, pace = Board(stages, NEW_YEAR_MS, NEW_YEAR_MS + YEAR_MS), Pace(settings)
        show: Show = PlainLines(self._print, board, pace)
        if self._live:
            show = LiveScreen(self._console, board, pace, _map_address(settings))
        async with Subscriber(settings, board) as subscriber:
            with show.stage():
                await beside(
                    self._replayed(settings, pace, subscriber, show),
                    subscriber.follow(),
                    pace.watch(),
                    show.run(),
                )
        self.through = True
        outcome = Outcome(
            pace.sent,
            pace.seconds,
            settings.bootstrap_servers[0],
            f"http://{settings.metrics_host}:{settings.metrics_port}/metrics",
            str(config.path),
            _map_address(settings),
        )
        self._console.print(summary(board, outcome), highlight=False, soft_wrap=not self._live)
        if self._live:
            self._console.print(how_to_go_on(board, outcome), highlight=False)
            await asyncio.Event().wait()

    async def _replayed(
        self,
        settings: Settings,
        pace: Pace,
        subscriber: Subscriber,
        show: Show,
    ) -> None:
        show.say("replaying a year of 2,469 real households")
        due = at_rate(TOUCHPOINTS / self._seconds) if self._seconds else None
        done = await replay(settings, completejourney.records(), due=due, before_sending=pace.hold)
        pace.sent = done.sent
        await end_history(settings, done.occurred_at)
        await pace.through()
        await subscriber.catch_up()
        if self._live:
            show.say("the year is through")
            await asyncio.sleep(LAST_LOOK_SECONDS)

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, soft_wrap=True)


def _map_address(settings: Settings) -> str:
    return f"http://{settings.serve_host}:{settings.serve_port}/"
