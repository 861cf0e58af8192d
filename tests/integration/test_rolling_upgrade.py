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
async def test_two_workers_are_replaced_under_load(broker: Broker, prefix: str, tmp_path: Path) -> None:
    settings = await prepare(tmp_path, broker.bootstrap, prefix, partitions=PARTITIONS, session_timeout="10s")
    sent = some(prefix, PER_SECOND * SECONDS, 5_000)

    async with under_load(tmp_path, settings, sent, seconds=SECONDS) as load:
        await load.watch.until_all_speak(PARTITIONS)
        begun = time.monotonic()
        for old in [*load.workers]:
            await load.end(old)
            successor = load.start()
            await asyncio.to_thread(successor.wait_started)
            await load.watch.until_all_speak(PARTITIONS)
        over = time.monotonic()
        assert not load.feeder.only_the_rest_is_left, "the load ended before the upgrade did"
        pauses = load.watch.pauses(begun, over)
        shown = f"p50 {statistics.median(pauses):.1f} s, p99 {_p99(pauses):.1f} s, max {pauses[-1]:.1f} s"
        RECOVERIES.append(
            Recovery(
                "rolling upgrade of 2 workers", None, None, f"{PER_SECOND}/s; longest pause per partition: {shown}"
            )
        )

    assert len(pauses) == PARTITIONS
    assert _p99(pauses) <= PAUSE_SECONDS_MAX, shown


def _p99(pauses: list[float]) -> float:
    return statistics.quantiles(pauses, n=100, method="inclusive")[-1]
