"""Workers replaced one after the other while touchpoints keep coming."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

import pytest

from tests.integration.load import prepare, some, under_load
from tests.integration.recoveries import RECOVERIES, Recovery
from tests.support.kafka import Broker

PARTITIONS = 8
PER_SECOND = 1_500
SECONDS = 50
PAUSE_SECONDS_MAX = 5.0


@pytest.mark.soak
@pytest.mark.parametrize("is_static", [False, True], ids=["of no name", "of static names"])
async def test_two_workers_are_replaced_under_load(
    broker: Broker, prefix: str, tmp_path: Path, is_static: bool
) -> None:
    """`is_static`: each successor has the name of whom it replaces, as in the chart."""
    settings = await prepare(tmp_path, broker.bootstrap, prefix, partitions=PARTITIONS, session_timeout="10s")
    sent = some(prefix, PER_SECOND * SECONDS, 5_000)

    named = [{"JOURNEY_GROUP_INSTANCE_ID": f"worker-{number}"} if is_static else {} for number in range(2)]
    others = [("all", environ) for environ in named]
    async with under_load(tmp_path, settings, sent, seconds=SECONDS, workers=0, others=others) as load:
        await load.watch.until_all_speak(PARTITIONS)
        begun = time.monotonic()
        for old, environ in zip([*load.workers], named, strict=True):
            await load.end(old)
            successor = load.start(environ=environ)
            await asyncio.to_thread(successor.wait_started)
            await load.watch.until_all_speak(PARTITIONS)
        over = time.monotonic()
        assert not load.feeder.only_the_rest_is_left, "the load ended before the upgrade did"
        pauses = load.watch.pauses(begun, over)
        shown = f"p50 {statistics.median(pauses):.1f} s, p99 {_p99(pauses):.1f} s, max {pauses[-1]:.1f} s"
        fault = f"rolling upgrade of 2 workers{' with static names' if is_static else ''}"
        RECOVERIES.append(Recovery(fault, None, None, f"{PER_SECOND}/s; longest pause per partition: {shown}"))

    assert len(pauses) == PARTITIONS
    assert _p99(pauses) <= PAUSE_SECONDS_MAX, shown


def _p99(pauses: list[float]) -> float:
    return statistics.quantiles(pauses, n=100, method="inclusive")[-1]
