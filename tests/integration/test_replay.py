"""History into the topics of a real broker, and what a worker makes of it."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from journey_stream.history.record import HistoryRecord, Problem
from journey_stream.history.simulate import simulate_records
from journey_stream.worker.broker_errors import BrokerUnreachable
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.murmur import partition_for
from journey_stream.worker.positions import Positions
from journey_stream.worker.replay import Progress, end_history, replay
from journey_stream.worker.topics import create_topics
from tests.integration.journeys import DAY_MS, model, net_of
from tests.integration.reading import published, read_all
from tests.integration.running import read, running
from tests.integration.workers import read_config, write_config
from tests.support.kafka import Broker

LONG_AGO_MS = 1_483_228_800_000
CHANNELS = [("web", "view"), ("email", "opened"), ("store", "purchase"), ("crm", "quote")]


@pytest.fixture
def settings(broker: Broker, prefix: str, tmp_path: Path) -> Settings:
    return read_config(
        write_config(tmp_path, broker.bootstrap, prefix, partitions=2, ticks=False, session_timeout="6s")
    )


def touchpoint(number: int, channel: str, kind: str, at: int, **fields: Any) -> HistoryRecord:
    document = {
        "event_id": f"e{number}",
        "occurred_at": at,
        "channel": channel,
        "type": kind,
        "customer_id": f"c{number % 7}",
        "value": number % 25,
        **fields,
    }
    return HistoryRecord(at, json.dumps(document).encode(), "test", number)


def history(count: int) -> list[HistoryRecord]:
    """Touchpoints of seven customers over a few weeks of 2017, a few hours apart."""
    return [touchpoint(n, *CHANNELS[n * n % 4], LONG_AGO_MS + n * DAY_MS // 6) for n in range(count)]


async def test_each_record_goes_to_its_channel_with_its_time_and_its_owner(settings):
    await create_topics(settings, history=True)
    mail = touchpoint(99, "mail", "sent", LONG_AGO_MS + 365 * DAY_MS)
    unreadable = HistoryRecord(mail.occurred_at, b"{oops", "test", 100)
    seen: list[Progress] = []

    done = await replay(settings, [*history(40), mail, unreadable], progress=seen.append)

    assert Progress(42, 0, mail.occurred_at) == done == seen[-1]
    found = {topic: await read_all(settings.bootstrap_servers[0], topic) for topic in settings.sources}
    for topic, records in found.items():
        for record in records[: -2 if topic.endswith("crm") else None]:
            document = json.loads(record.value)
            assert topic.endswith(document["channel"])
            assert document["occurred_at"] == record.timestamp
            assert document["customer_id"].encode() == record.key
            assert partition_for(record.key, 2) == record.partition
    assert 42 == sum(map(len, found.values()))
    fallen_back = {record.value for record in found[settings.sources[-1]]}
    assert {mail.value, unreadable.value} <= fallen_back


async def test_a_worker_makes_of_a_replay_what_the_simulation_says(settings, tmp_path):
    await create_topics(settings, history=True)
    records = history(200)
    until = records[-1].occurred_at + 30 * DAY_MS
    simulated = simulate_records(records, model(), tmp_path / "out", limits=settings.limits, as_of=until)

    async with running(settings):
        await replay(settings, records)
        await end_history(settings, until, seconds_max=60)
        await read(settings, settings.topics.stage_changes, simulated.stage_changes - 2 * simulated.corrections)
        await until_settled(settings)

    assert net_history(tmp_path / "out" / "stage-changes.jsonl") == {
        profile: found.net for profile, found in (await published(settings)).items()
    }


async def test_a_topic_that_is_named_takes_everything(settings):
    await create_topics(settings, history=True)

    await replay(settings, history(12), topic=settings.sources[1])

    assert 12 == len(await read_all(settings.bootstrap_servers[0], settings.sources[1]))


async def test_a_record_too_large_for_a_message_is_reported_and_left_out(settings):
    await create_topics(settings, history=True)
    small = touchpoint(1, "web", "view", LONG_AGO_MS)
    huge = touchpoint(2, "web", "view", LONG_AGO_MS, properties={"x": "y" * settings.record_bytes_max})
    problems: list[Problem] = []

    done = await replay(settings, [huge, small], report=problems.append)

    assert (1, 1) == (done.sent, done.left_out)
    assert [("record_too_large", 2)] == [(problem.reason, problem.position) for problem in problems]


async def test_more_than_one_message_batch_holds_is_written_in_several(settings):
    await create_topics(settings, history=True)
    padding = {"x": "y" * (settings.record_bytes_max // 3)}
    records = [touchpoint(7 * n, "web", "view", LONG_AGO_MS + n, properties=padding) for n in range(10)]

    await replay(settings, records)

    found = await read_all(settings.bootstrap_servers[0], settings.sources[0])
    assert [record.value for record in records] == [record.value for record in found]


async def test_without_a_router_the_end_is_not_written_and_that_is_said(settings):
    await create_topics(settings, history=True)
    await replay(settings, history(5))

    with pytest.raises(WorkerError, match="5 records still wait for the router"):
        await end_history(settings, LONG_AGO_MS, seconds_max=0.1)

    assert [] == await read_all(settings.bootstrap_servers[0], settings.topics.log)


async def test_while_the_tasks_are_not_through_the_end_is_not_written_and_that_is_said(settings):
    await create_topics(settings, history=True)
    await replay(settings, history(5))

    async with running(settings, "router"):
        await read(settings, settings.topics.log, 5)
        with pytest.raises(WorkerError, match="and 5 for the tasks after 3 s"):
            await end_history(settings, LONG_AGO_MS, seconds_max=3)

    assert 5 == len(await read_all(settings.bootstrap_servers[0], settings.topics.log))


async def test_missing_topics_are_named_with_the_remedy(settings):
    with pytest.raises(WorkerError, match=r"no topic .*touchpoints\.web.*topics create"):
        await replay(settings, history(1))


async def test_a_topic_that_is_no_source_is_refused(settings):
    await create_topics(settings, history=True)

    with pytest.raises(WorkerError, match="elsewhere is no source topic"):
        await replay(settings, history(1), topic="elsewhere")


async def test_a_broker_that_does_not_answer_is_named():
    with pytest.raises(BrokerUnreachable, match=r"127\.0\.0\.1:1\b"):
        await replay(Settings(bootstrap_servers=("127.0.0.1:1",)), history(1))


async def until_settled(settings: Settings) -> None:
    async with Positions(settings) as positions:
        while not (await positions.read()).settled:
            pass


def net_history(path: Path) -> dict[str, Any]:
    messages: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in path.read_text().splitlines():
        message = json.loads(line)
        messages[message["profile_id"]].append(message)
    return {profile: net_of(found) for profile, found in messages.items()}
