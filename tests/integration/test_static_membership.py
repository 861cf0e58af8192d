"""A worker with a name that it keeps comes back to its tasks, and the others are not disturbed."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from journey_stream.worker.config import Settings
from journey_stream.worker.metrics import Metrics
from journey_stream.worker.topics import create_topics
from tests.integration.journeys import MODEL
from tests.integration.running import running, until_running
from tests.integration.workers import read_config, write_config
from tests.support.kafka import Broker


@pytest.fixture
async def settings(broker: Broker, prefix: str, tmp_path: Path) -> Settings:
    """A journey of its own with four tasks."""
    (tmp_path / "model.yaml").write_text(MODEL)
    found = read_config(
        write_config(tmp_path, broker.bootstrap, prefix, session_timeout="8s", model=str(tmp_path / "model.yaml"))
    )
    await create_topics(found)
    return found


def named(settings: Settings, name: str) -> Settings:
    return settings.model_copy(update={"group_instance_id": name})


def tasks_of(metrics: Metrics) -> set[str]:
    """The partitions of the log whose tasks a worker has been running."""
    samples = [sample for family in metrics.registry.collect() for sample in family.samples]
    return {sample.labels["partition"] for sample in samples if sample.name == "journey_clock_timestamp_seconds"}


def restores(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("journey_restore_seconds_count")


async def test_whoever_comes_back_under_its_name_has_its_tasks_again_and_nobody_else_restores_any(
    settings: Settings,
) -> None:
    async with running(named(settings, "worker-0"), "tasks") as leader:
        await until_running(leader, 4)
        async with running(named(settings, "worker-1"), "tasks") as before:
            await until_running(before, 2)
            await until_running(leader, 2)
            had = tasks_of(before)

        async with running(named(settings, "worker-1"), "tasks") as after:
            await until_running(after, 2)

            assert had == tasks_of(after)
        assert [4, 2, 2] == [restores(metrics) for metrics in (leader, before, after)]


async def test_the_leader_of_the_group_comes_back_as_quietly_as_any_other(settings: Settings) -> None:
    async with contextlib.AsyncExitStack() as at_the_end:
        async with running(named(settings, "worker-0"), "tasks") as before:
            await until_running(before, 4)
            other = await at_the_end.enter_async_context(running(named(settings, "worker-1"), "tasks"))
            await until_running(other, 2)
            await until_running(before, 2)
            had = tasks_of(before)

        async with running(named(settings, "worker-0"), "tasks") as after:
            await until_running(after, 2)

            assert had == tasks_of(after)
        assert [2, 2] == [restores(metrics) for metrics in (other, after)]
