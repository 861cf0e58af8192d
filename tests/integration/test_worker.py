"""The worker on a real broker: the way of a touchpoint, bad input, restore, fencing and time."""

from __future__ import annotations

import json
import time
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from journey_stream.engine.partition import Partition
from journey_stream.worker.changelog import KEY, Position, encode_position
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import Fenced, Uncertain, WorkerError
from journey_stream.worker.fencing import TaskProducer
from journey_stream.worker.merge import SLACK_MS
from journey_stream.worker.murmur import partition_for
from journey_stream.worker.outbox import Message
from journey_stream.worker.restore import restore
from journey_stream.worker.topics import create_topics
from tests.integration.journeys import DAY_MS, MODEL, SILENCE_MS, Sent, model
from tests.integration.reading import published, read_all, state_of, views
from tests.integration.running import read, running, send, until_counted, until_reported, until_running
from tests.integration.workers import Worker, change_config, create, read_config, write_config
from tests.support.kafka import Broker

HUGE_BYTES = 10_000_000


@pytest.fixture
async def config(broker: Broker, prefix: str, tmp_path: Path) -> Path:
    """A journey of its own with its topics: two tasks, four sources, the web one open for huge records."""
    (tmp_path / "model.yaml").write_text(MODEL)
    path = write_config(
        tmp_path,
        broker.bootstrap,
        prefix,
        partitions=2,
        session_timeout="6s",
        model=str(tmp_path / "model.yaml"),
    )
    settings = read_config(path)
    web_configs = {
        "max.message.bytes": "12000000",
        "retention.ms": "-1",
        "message.timestamp.after.max.ms": str(2**63 - 1),
    }
    await create(broker.bootstrap, [NewTopic(settings.sources[0], 3, 1, topic_configs=web_configs)])
    await create_topics(settings, history=True)
    return path


@pytest.fixture
def settings(config: Path) -> Settings:
    return read_config(config)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def touchpoint(settings: Settings, event_id: str, kind: str = "view", **fields: Any) -> Sent:
    """A touchpoint of customer c1 on the source of its channel, half an hour ago."""
    body = {
        "event_id": event_id,
        "occurred_at": now_ms() - DAY_MS // 48,
        "channel": "web",
        "type": kind,
        "customer_id": "c1",
        **fields,
    }
    (topic,) = [source for source in settings.sources if source.endswith(f".{body['channel']}")]
    return Sent(topic, 0, now_ms(), None, json.dumps(body).encode())


def raw(settings: Settings, value: bytes | None, **fields: Any) -> Sent:
    return Sent(settings.sources[0], 1, now_ms(), b"their key", value, (("trace", b"t1"),))._replace(**fields)


async def test_touchpoints_become_explained_stage_changes_and_views(settings: Settings) -> None:
    async with running(settings) as metrics:
        await send(settings, [touchpoint(settings, "e1", "add_to_cart")])
        await read(settings, settings.topics.stage_changes, 1)
        await send(settings, [touchpoint(settings, "e2", "purchase", channel="store", value=20)])
        changes = [json.loads(r.value) for r in await read(settings, settings.topics.stage_changes, 2)]

    assert ["decision", "purchase"] == [change["to_stage"] for change in changes]
    assert [["e1"], ["e2"]] == [change["because"]["evidence"] for change in changes]
    assert {"c1": "purchase"} == {profile: view["stage"] for profile, view in (await views(settings)).items()}
    assert 2 == metrics.registry.get_sample_value(
        "journey_records_in_total", {"topic": settings.topics.log, "kind": "touchpoint"}
    )


BAD: dict[str, tuple[bytes | None, str]] = {
    "invalid JSON": (b'{"event_id": "x"', "invalid_json"),
    "not UTF-8": (b'{"event_id": "\xff\xfe"}', "invalid_json"),
    "not an object": (b"[1, 2]", "invalid_touchpoint"),
    "null value": (None, "empty_value"),
    "empty value": (b"", "empty_value"),
    "no identifier": (b'{"event_id":"x","occurred_at":1,"channel":"web","type":"view"}', "missing_identifier"),
    "placeholder": (
        b'{"event_id":"x","occurred_at":1,"channel":"web","type":"view","customer_id":"null"}',
        "missing_identifier",
    ),
    "wrong types": (
        b'{"event_id":[],"occurred_at":"now","channel":{},"type":"view","customer_id":"c"}',
        "invalid_touchpoint",
    ),
    "unknown version": (
        b'{"event_id":"x","occurred_at":1,"channel":"web","type":"view","customer_id":"c","schema_version":9}',
        "unsupported_version",
    ),
    "before 1970": (
        b'{"event_id":"x","occurred_at":"1950-01-01T00:00:00Z","channel":"web","type":"view","customer_id":"c1"}',
        "too_late",
    ),
    "far future": (
        b'{"event_id":"x","occurred_at":"2199-01-01T00:00:00Z","channel":"web","type":"view","customer_id":"c1"}',
        "from_the_future",
    ),
    "10 MB": (b'{"event_id":"x","padding":"' + b"x" * HUGE_BYTES + b'"}', "record_too_large"),
}


async def test_bad_records_end_in_the_dead_letters_as_they_came_and_the_worker_goes_on(settings: Settings) -> None:
    await send(settings, [raw(settings, value) for value, _ in BAD.values()], max_request_size=2 * HUGE_BYTES)
    await send(settings, [touchpoint(settings, "e1", "add_to_cart")])

    async with running(settings):
        await read(settings, settings.topics.stage_changes, 1)
        letters = await read(settings, settings.topics.dead_letters, len(BAD))

    found = {
        int(headers["dead_letter_offset"]): (record.value, headers["dead_letter_reason"].decode())
        for record in letters
        for headers in [dict(record.headers)]
    }
    assert dict(enumerate(BAD.values())) == found
    for record in letters:
        headers = dict(record.headers)
        assert b"their key" == record.key
        assert (settings.sources[0].encode(), b"1") == (headers["dead_letter_topic"], headers["dead_letter_partition"])
        assert headers["dead_letter_stage"] == b"task" or headers["trace"] == b"t1"


async def test_odd_but_valid_records_are_used(settings: Settings) -> None:
    at = now_ms() - DAY_MS
    odd = {
        "unknown fields": touchpoint(settings, "e1", "add_to_cart", customer_id="k1", colour={"deep": [1, None]}),
        "control characters": touchpoint(settings, "e\u0000\u001f\n\u2028", "add_to_cart", customer_id="k2\u0007"),
        "null key": touchpoint(settings, "e3", "add_to_cart", customer_id="k3"),
        "empty key": touchpoint(settings, "e4", "add_to_cart", customer_id="k4")._replace(key=b""),
        "timestamp of 2099": touchpoint(settings, "e5", "add_to_cart", customer_id="k5")._replace(
            timestamp=4_070_908_800_000
        ),
    }
    equal_times = [touchpoint(settings, f"q{n}", "add_to_cart", customer_id="k6", occurred_at=at) for n in range(3)]
    await send(settings, [*odd.values(), *equal_times])

    async with running(settings):
        changes = await read(settings, settings.topics.stage_changes, len(odd) + 1)

    assert {b"k1", b"k2\x07", b"k3", b"k4", b"k5", b"k6"} == {record.key for record in changes}
    assert max(record.timestamp for record in await read_all(settings.bootstrap_servers[0], settings.topics.log)) <= (
        now_ms()
    )


async def test_ten_thousand_identical_duplicates_change_nothing_after_the_first(settings: Settings) -> None:
    once = touchpoint(settings, "e1", "add_to_cart", occurred_at=now_ms() - DAY_MS)
    await send(settings, [once] * 10_000)

    async with running(settings) as metrics:
        await until_counted(metrics, 10_000, "journey_records_in_total", topic=settings.topics.log, kind="touchpoint")
        await send(settings, [touchpoint(settings, "e2", "purchase", channel="store", value=20)])
        changes = await read(settings, settings.topics.stage_changes, 2, seconds_max=60)

    assert ["decision", "purchase"] == [json.loads(record.value)["to_stage"] for record in changes]
    assert {"c1": [1, 2]} == {profile: found.revisions for profile, found in (await published(settings)).items()}


async def test_a_silence_is_published_when_it_is_over_though_nothing_happens(settings: Settings) -> None:
    soon = now_ms() - SILENCE_MS + 3_000
    await send(settings, [touchpoint(settings, "e1", "add_to_cart", occurred_at=soon)])

    async with running(settings):
        changes = [json.loads(r.value) for r in await read(settings, settings.topics.stage_changes, 2)]
        seen_at = now_ms()

    assert [("decision", "touchpoint"), ("interest", "timer")] == [(c["to_stage"], c["cause"]) for c in changes]
    assert soon + SILENCE_MS <= seen_at
    log = await read_all(settings.bootstrap_servers[0], settings.topics.log)
    ticks = [record for record in log if record.key is None]
    assert ticks
    assert all(json.loads(record.value)["at"] == record.timestamp <= seen_at for record in ticks)


async def test_a_worker_that_starts_again_goes_on_where_the_last_one_stopped(settings: Settings) -> None:
    async with running(settings):
        await send(settings, [touchpoint(settings, "e1", "add_to_cart")])
        await read(settings, settings.topics.stage_changes, 1)
    await send(settings, [touchpoint(settings, "e2", "purchase", channel="store", value=20)])

    async with running(settings) as metrics:
        await read(settings, settings.topics.stage_changes, 2)

    assert {"c1": [1, 2]} == {profile: found.revisions for profile, found in (await published(settings)).items()}
    restored = metrics.registry.get_sample_value("journey_restored_records_total")
    assert restored
    assert restored >= 3


async def test_a_task_that_stays_is_not_restored_when_another_worker_joins_and_leaves(settings: Settings) -> None:
    async with running(settings, "tasks") as first:
        await until_running(first, 2)
        async with running(settings, "tasks") as second:
            await until_running(first, 1)
            await until_running(second, 1)
        await until_running(first, 2)

    restores = [metrics.registry.get_sample_value("journey_restore_seconds_count") for metrics in (first, second)]
    assert [3, 1] == restores


async def test_sources_are_routed_in_the_order_of_their_timestamps_to_the_minute(settings: Settings) -> None:
    channels = ["web", "email", "store", "crm", "web", "web"]
    start = now_ms() - DAY_MS
    records = [
        touchpoint(settings, f"e{n}", channel=channels[n % 6], occurred_at=start)._replace(timestamp=start + 1_000 * n)
        for n in range(3_000)
    ]
    await send(settings, records)

    async with running(settings, "router"):
        log = await read(settings, settings.topics.log, len(records))

    newest = list(accumulate((record.timestamp for record in log), max))
    assert max(at - record.timestamp for at, record in zip(newest, log, strict=True)) <= SLACK_MS


async def test_records_that_were_deleted_before_they_were_routed_are_counted(settings: Settings) -> None:
    web = TopicPartition(settings.sources[0], 0)
    await send(settings, [touchpoint(settings, "e1", "add_to_cart")])
    async with running(settings, "router"):
        await read(settings, settings.topics.log, 1)
    await send(settings, [touchpoint(settings, f"lost{number}") for number in range(5)])
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers[0])
    await admin.start()
    await admin.delete_records({web: RecordsToDelete(before_offset=5)})
    await admin.close()

    async with running(settings, "router") as metrics:
        await read(settings, settings.topics.log, 2)

    assert 4 == metrics.registry.get_sample_value("journey_records_lost_total", {"topic": web.topic})


async def test_a_source_written_in_transactions_is_read_to_its_end_without_waiting(settings: Settings) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers[0], transactional_id=f"{settings.application_id}-source"
    ) as producer:
        for number in range(20):
            async with producer.transaction():
                sent = touchpoint(settings, f"e{number}", "add_to_cart", customer_id=f"k{number}")
                await producer.send(sent.topic, sent.value, partition=0)

    async with running(settings) as metrics:
        changes = await read(settings, settings.topics.stage_changes, 20)

    assert {f"k{number}".encode() for number in range(20)} == {record.key for record in changes}
    assert 20 == metrics.registry.get_sample_value(
        "journey_records_out_total", {"topic": settings.topics.log, "kind": "touchpoint"}
    )


async def test_a_restore_ends_though_the_changelog_ends_with_an_aborted_transaction(settings: Settings) -> None:
    producer = TaskProducer(settings, 0)
    await producer.open()
    position = Message(KEY, encode_position(Position(5, 1_000, 2)))
    await producer.commit({(settings.topics.state, 0): [position]})
    await producer.close()
    async with AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers[0], transactional_id=settings.transactional_id(0)
    ) as another:
        for _ in range(3):
            await another.begin_transaction()
            await another.send_and_wait(settings.topics.state, b"never", b"hc9", partition=0)
            await another.abort_transaction()

    engine, found = await state_of(settings, 0)

    assert (Position(5, 1_000, 2), 0) == (found, engine.profiles)


async def test_an_open_transaction_of_a_dead_worker_is_aborted_before_the_restore(settings: Settings) -> None:
    dead = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers[0], transactional_id=settings.transactional_id(0)
    )
    await dead.start()
    await dead.begin_transaction()
    await dead.send_and_wait(settings.topics.state, b"never", b"hc9", partition=0)

    successor = TaskProducer(settings, 0)
    await successor.open()
    engine, found = await state_of(settings, 0)

    assert (None, 0) == (found, engine.profiles)
    await successor.commit({(settings.topics.state, 0): [Message(KEY, encode_position(Position(1, 0, 2)))]})
    await successor.close()
    await dead.stop()


async def test_a_zombie_commits_nothing_after_its_successor_has_opened(settings: Settings) -> None:
    zombie, successor = TaskProducer(settings, 1), TaskProducer(settings, 1)
    await zombie.open()
    await zombie.commit({(settings.topics.profiles, 1): [Message(b"k", b"first")]})
    await successor.open()

    with pytest.raises(Fenced):
        await zombie.commit({(settings.topics.profiles, 1): [Message(b"k", b"of the zombie")]})
    with pytest.raises(Fenced):
        await zombie.commit({(settings.topics.profiles, 1): [Message(b"k", b"of the zombie")]})

    await successor.commit({(settings.topics.profiles, 1): [Message(b"k", b"second")]})
    seen = await read_all(settings.bootstrap_servers[0], settings.topics.profiles)
    assert [b"first", b"second"] == [record.value for record in seen]
    await zombie.abandon()
    await successor.close()


async def test_a_transaction_with_a_part_that_the_broker_refuses_commits_nothing(settings: Settings) -> None:
    producer = TaskProducer(settings, 0)
    await producer.open()
    fine, too_large = Message(b"k", b"fine"), Message(b"k", b"x" * 2_000_000)

    with pytest.raises(Uncertain):
        await producer.commit({(settings.topics.profiles, 0): [fine], (settings.topics.stage_changes, 0): [too_large]})

    await producer.abandon()
    successor = TaskProducer(settings, 0)
    await successor.open()
    await successor.close()
    assert [] == await read_all(settings.bootstrap_servers[0], settings.topics.profiles)


async def test_a_transaction_larger_than_one_kafka_batch_is_written_whole_and_in_order(settings: Settings) -> None:
    producer = TaskProducer(settings, 0)
    await producer.open()
    messages = [Message(b"k%d" % number, b"x" * 1_000) for number in range(5_000)]

    await producer.commit({(settings.topics.stage_changes, 0): messages, (settings.topics.profiles, 0): messages})

    await producer.close()
    for topic in (settings.topics.stage_changes, settings.topics.profiles):
        seen = await read_all(settings.bootstrap_servers[0], topic)
        assert [message.key for message in messages] == [record.key for record in seen]


async def test_state_of_another_number_of_partitions_is_refused(settings: Settings) -> None:
    producer = TaskProducer(settings, 0)
    await producer.open()
    await producer.commit({(settings.topics.state, 0): [Message(KEY, encode_position(Position(5, 1_000, 3)))]})
    await producer.close()

    async with AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers[0], isolation_level="read_committed", auto_offset_reset="none"
    ) as consumer:
        with pytest.raises(WorkerError, match="written for 3 partitions, and now there are 2"):
            await restore(consumer, TopicPartition(settings.topics.state, 0), Partition(model()), settings.partitions)


async def test_a_changelog_that_was_lost_is_not_taken_for_a_new_task(settings: Settings) -> None:
    async with running(settings):
        await send(settings, [touchpoint(settings, "e1", "add_to_cart")])
        await read(settings, settings.topics.stage_changes, 1)
        await until_reported(settings, partition_for(b"c1", 2))
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers[0])
    await admin.start()
    await admin.delete_topics([settings.topics.state])
    await admin.close()
    await create_topics(settings, history=True)

    with pytest.raises(WorkerError, match="holds no state"):
        async with running(settings, "tasks", to_failure=True):
            pass


async def test_a_worker_process_ends_with_0_after_sigterm(config: Path, settings: Settings) -> None:
    with Worker(config, "worker") as worker:
        await send(settings, [touchpoint(settings, "e1", "add_to_cart")])
        await read(settings, settings.topics.stage_changes, 1)

        assert worker.terminate() == 0, worker.tail()
        assert "SIGTERM" in worker.tail()
        assert "stopped" in worker.tail().splitlines()[-1]


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({"bootstrap_servers": "127.0.0.1:1"}, "No Kafka broker answers at 127.0.0.1:1"),
        ({"topic_prefix": "nowhere."}, "journey-stream topics create"),
        ({"model": "/nowhere/model.yaml"}, "expected a readable model file"),
        ({"partitions": 3}, "The number is fixed for the life of an application"),
    ],
)
async def test_a_worker_that_cannot_start_says_what_to_do(config: Path, changes: dict[str, Any], advice: str) -> None:
    change_config(config, **changes)

    with Worker(config, "worker") as worker:
        exit_code = worker.wait()

    assert exit_code != 0
    assert advice in worker.tail()
    assert "Traceback" not in worker.tail(1_000)


async def test_a_taken_metrics_port_is_named(config: Path, broker: Broker) -> None:
    port = int(broker.bootstrap.rsplit(":", 1)[1])
    change_config(config, metrics_port=port)

    with Worker(config, "worker") as worker:
        exit_code = worker.wait()

    assert exit_code != 0
    assert f"127.0.0.1:{port}: it is taken" in worker.tail()
