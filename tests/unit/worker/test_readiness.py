from __future__ import annotations

import pytest
from aiokafka import TopicPartition

from journey_stream.engine.partition import Partition
from journey_stream.worker import task as task_module
from journey_stream.worker.config import Settings
from journey_stream.worker.health import SILENCE_SECONDS_MAX
from journey_stream.worker.metrics import Metrics
from journey_stream.worker.router import Router
from journey_stream.worker.task import State, Task
from journey_stream.worker.tasks import Tasks
from tests.integration.journeys import model
from tests.unit.worker.records import T0

SETTINGS = Settings(partitions=4)


def new_engine() -> Partition:
    return Partition(model())


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Task:
    """A task that runs at T0."""
    monkeypatch.setattr(task_module, "now_ms", lambda: T0)
    task = Task(SETTINGS, 3, Metrics(), make_engine=new_engine, group=Tasks(SETTINGS, Metrics(), new_engine))
    task.state = State.RUNNING
    return task


@pytest.mark.parametrize("state", [State.RESTORING, State.WAITING, State.STOPPED])
def test_a_task_that_does_not_run_says_what_it_does_instead(task: Task, state: State) -> None:
    task.state = state

    assert state.value == task.unready()


def test_a_task_is_ready_with_the_first_answer_of_the_broker(task: Task) -> None:
    before = task.unready()
    task._heard_at_ms = T0 - 400

    assert ("waiting for the first answer of the broker", None) == (before, task.unready())


def test_a_task_that_neither_fetches_nor_commits_is_ready_only_for_a_while(task: Task) -> None:
    task._heard_at_ms = T0 - int(SILENCE_SECONDS_MAX * 1_000)
    still = task.unready()
    task._heard_at_ms -= 1_000

    assert (None, "neither fetched nor committed for 16 s") == (still, task.unready())


def test_tasks_are_not_ready_before_their_group_has_answered() -> None:
    assert ["tasks: not in the group journey-stream-tasks"] == Tasks(SETTINGS, Metrics(), new_engine).unready()


def test_a_worker_that_the_group_gives_no_task_is_ready() -> None:
    tasks = Tasks(SETTINGS, Metrics(), new_engine)

    tasks.on_partitions_assigned([])

    assert [] == tasks.unready()


def test_each_task_that_is_not_at_work_is_named() -> None:
    tasks = Tasks(SETTINGS, Metrics(), new_engine)

    tasks.on_partitions_assigned([TopicPartition("journey.log", number) for number in (3, 1)])

    assert ["task 1: not begun", "task 3: not begun"] == tasks.unready()


async def test_what_is_stopping_is_no_longer_ready() -> None:
    tasks, router = Tasks(SETTINGS, Metrics(), new_engine), Router(SETTINGS, Metrics(), model().policy(None))
    tasks.on_partitions_assigned([])

    tasks.stop()
    router.stop()

    assert ["tasks: stopping", "router: stopping"] == tasks.unready() + router.unready()


def test_a_router_is_not_ready_before_its_group_has_answered() -> None:
    router = Router(SETTINGS, Metrics(), model().policy(None))

    assert ["router: not in the group journey-stream-router"] == router.unready()


def test_a_router_reports_its_sources_before_anything_has_come_from_them() -> None:
    metrics = Metrics()

    Router(SETTINGS, metrics, model().policy(None))

    counted = [metrics.registry.get_sample_value("journey_records_in_total", {"topic": source, "kind": "admitted"})
               for source in SETTINGS.sources]  # fmt: skip
    assert counted == [0.0] * len(SETTINGS.sources)
