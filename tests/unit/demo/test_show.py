import asyncio

from journey_stream.demo.board import Board
from journey_stream.demo.lifecycle import beside
from journey_stream.demo.pace import Pace
from journey_stream.demo.show import CALM_SECONDS, PlainLines, Ticker
from journey_stream.events.outputs import StageChange
from journey_stream.worker.config import Settings
from tests.unit.demo.helpers import board, change, view


def test_the_list_moves_one_change_at_a_time_and_not_too_fast():
    shown: Board = board()
    ticker: Ticker[StageChange] = Ticker()
    for customer in ("c1", "c2"):
        shown.stage_changed(change(customer, None, "purchase"))

    ticker.advance(10.0, shown.entered, shown.latest)
    shown.stage_changed(change("c3", None, "purchase"))
    ticker.advance(10.0 + CALM_SECONDS / 2, shown.entered, shown.latest)
    ticker.advance(10.0 + CALM_SECONDS, shown.entered, shown.latest)
    ticker.advance(20.0, shown.entered, shown.latest)

    assert ["c3", "c2"] == [item.profile_id for item in ticker.listed]


async def test_without_a_terminal_each_month_is_one_line(monkeypatch):
    monkeypatch.setattr("journey_stream.demo.show.FRAME_SECONDS", 0.001)
    written: asyncio.Queue[str] = asyncio.Queue()
    shown = board()
    lines = PlainLines(written.put_nowait, shown, Pace(Settings()))

    async def two_months() -> None:
        shown.profile_changed(view("c1", "awareness", day=-3))
        shown.profile_changed(view("c1", "purchase", day=3))
        assert (await written.get()).startswith("2017-01  awareness 0  consideration 0  decision 0  purchase 1")
        shown.profile_changed(view("c2", "purchase", day=40))
        assert "purchase 2" in await written.get()

    async with asyncio.timeout(10):
        await beside(two_months(), lines.run())
