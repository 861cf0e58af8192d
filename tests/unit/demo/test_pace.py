import asyncio

import pytest
from prometheus_client import generate_latest

from journey_stream.demo.pace import AHEAD_RECORDS_MAX, Handled, Pace, handled_in
from journey_stream.worker.config import Settings
from journey_stream.worker.metrics import Metrics


@pytest.fixture
def pace() -> Pace:
    return Pace(Settings(partitions=2))


def test_what_is_handled_is_read_from_the_metrics_of_a_worker():
    metrics = Metrics()
    metrics.count_in("journey.log", {"touchpoint": 40, "as_of": 2, "tick": 3})
    metrics.count_in("touchpoints.web", {"admitted": 50})
    metrics.dead_letters.labels("router", "invalid_json").inc(4)
    metrics.dead_letters.labels("router", "empty_value").inc(1)
    metrics.dead_letters.labels("task", "too_late").inc(9)

    handled = handled_in(generate_latest(metrics.registry).decode(), "journey.log")

    assert Handled(touchpoints=40, refused=5, ends=2) == handled


def test_a_worker_that_has_just_started_has_handled_nothing():
    assert Handled() == handled_in(generate_latest(Metrics().registry).decode(), "journey.log")


async def test_the_replay_waits_while_too_much_is_under_way(pace):
    holding = asyncio.create_task(pace.hold(AHEAD_RECORDS_MAX + 10))
    await asyncio.sleep(0)

    pace.read(1.0, Handled(touchpoints=5, refused=4))
    await asyncio.sleep(0)
    assert not holding.done()
    pace.read(2.0, Handled(touchpoints=5, refused=5))

    async with asyncio.timeout(10):
        await holding


async def test_history_is_through_when_every_task_has_seen_its_end(pace):
    waiting = asyncio.create_task(pace.through())
    await asyncio.sleep(0)

    pace.read(1.0, Handled(touchpoints=10, ends=1))
    await asyncio.sleep(0)
    assert not waiting.done()
    pace.read(2.0, Handled(touchpoints=10, ends=2))

    async with asyncio.timeout(10):
        await waiting


def test_the_replay_lasts_from_the_first_touchpoint_to_the_last(pace):
    pace.sent = 30
    for second, touchpoints in enumerate([0, 0, 10, 20, 30, 30, 30]):
        pace.read(float(second), Handled(touchpoints=touchpoints))

    assert 2.0 == pace.seconds
    assert 0 == pace.touchpoints.behind
