"""Tasks that write to each other's partitions of the log, on a real broker."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from journey_stream.events.admission import Admitted, read_touchpoint
from journey_stream.events.log import Link, Source, encode_message, encode_touchpoint
from journey_stream.journey.model import Identity
from journey_stream.worker.clients import abandon_producer, transactional_producer
from journey_stream.worker.config import Settings
from journey_stream.worker.murmur import partition_for
from journey_stream.worker.topics import create_topics
from tests.integration.journeys import DAY_MS, MODEL, SILENCE_MS
from tests.integration.reading import read_all, state_of
from tests.integration.running import read, running, until_counted, until_running
from tests.integration.workers import Worker, read_config, until, write_config
from tests.support.kafka import Broker

SESSION_SECONDS = 2
FORWARDING = "tests.integration.forwarding_worker"


@pytest.fixture
async def config(broker: Broker, prefix: str, tmp_path: Path) -> Path:
    """Two partitions, and only the topics of the service: these tests write the log themselves."""
    (tmp_path / "model.yaml").write_text(MODEL)
    path = write_config(
        tmp_path,
        broker.bootstrap,
        prefix,
        partitions=2,
        session_timeout=f"{SESSION_SECONDS}s",
        batch_records_max=40,
        model=str(tmp_path / "model.yaml"),
    )
    await create_topics(read_config(path), history=True)
    return path


@pytest.fixture
def settings(config: Path) -> Settings:
    return read_config(config)


def keys_of(partition: int, how_many: int = 1) -> list[str]:
    """Customers whose touchpoints lie on a partition of two."""
    found = (f"c{number}" for number in count())
    return [next(key for key in found if partition_for(key.encode(), 2) == partition) for _ in range(how_many)]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def logged(customer: str, event_id: str, kind: str = "add_to_cart", at: int | None = None) -> bytes:
    """The log value of a touchpoint."""
    body = {
        "event_id": event_id,
        "occurred_at": now_ms() - DAY_MS // 48 if at is None else at,
        "channel": "web",
        "type": kind,
        "customer_id": customer,
    }
    admitted = read_touchpoint(json.dumps(body).encode())
    assert isinstance(admitted, Admitted)
    return encode_touchpoint(admitted, Source("touchpoints.web", 0, 0), None)


class Pace:
    """Writes touchpoints to the log as a router does, without transactions, until `stop`: 200 a second of each sender.

    Each names its receiver: one and then the other of `receivers`.
    """

    def __init__(self, settings: Settings, senders: Sequence[str], receivers: Sequence[str]) -> None:
        self.sent: dict[str, list[str]] = defaultdict(list)
        self._settings = settings
        self._senders = senders
        self._receivers = receivers
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=self._settings.bootstrap_servers[0], enable_idempotence=True
        ) as producer:
            for number in count():
                if self._stopping.is_set():
                    return
                for sender in self._senders:
                    receiver = self._receivers[number % len(self._receivers)]
                    event_id = f"{sender}/{number}"
                    self.sent[receiver].append(event_id)
                    key = sender.encode()
                    await producer.send_and_wait(
                        *(self._settings.topics.log, logged(sender, event_id, receiver), key),
                        *(partition_for(key, 2), now_ms()),
                    )
                await asyncio.sleep(0.005)


async def until_dead(worker: Worker, seconds_max: float = 60.0) -> None:
    deadline = until(seconds_max)
    while worker.running:
        assert time.monotonic() < deadline, f"it lives still:\n{worker.tail()}"
        await asyncio.sleep(0.02)


async def until_moving(settings: Settings, partition: int, seconds_max: float = 60.0) -> float:
    """How long it takes until the task of a partition tells of something new."""
    place = TopicPartition(settings.topics.identity_changes, partition)
    began = time.monotonic()
    async with AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers[0], isolation_level="read_committed"
    ) as consumer:
        consumer.assign([place])
        await consumer.seek_to_end()
        await asyncio.wait_for(consumer.getone(), seconds_max)
    return time.monotonic() - began


async def until_all_is_reported(settings: Settings, seconds_max: float = 60.0) -> None:
    """Return when the tasks have told their group that they have come to the very end of the log, markers and all."""
    places = [TopicPartition(settings.topics.log, number) for number in range(settings.partitions)]
    deadline = until(seconds_max)
    async with AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap_servers[0], group_id=settings.tasks_group, enable_auto_commit=False
    ) as consumer:
        while True:
            reported = [await consumer.committed(place) or 0 for place in places]
            ends = await consumer.end_offsets(places)
            if reported == [ends[place] for place in places]:
                return
            assert time.monotonic() < deadline, f"reported {reported} of {ends}"
            await asyncio.sleep(0.1)


def numbers_by_sender(event_ids: Sequence[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for event_id in event_ids:
        sender, _, number = event_id.partition("/")
        found[sender].append(int(number))
    return found


def by_receiver(records: Sequence[ConsumerRecord]) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = defaultdict(list)
    for record in records:
        found[record.key.decode()].append(json.loads(record.value))
    return found


async def test_what_tasks_pass_on_is_neither_lost_nor_doubled_nor_out_of_order_when_they_die_before_committing(
    config: Path, settings: Settings
) -> None:
    senders = [key for partition in (0, 1) for key in keys_of(partition, 2)]
    receivers = [key for partition in (0, 1) for key in keys_of(partition, 4)[2:]]
    pace = Pace(settings, senders, receivers)
    feeding = asyncio.create_task(pace.run())
    waits = []
    with Worker(config, "survivor", module=[FORWARDING]) as survivor:
        for number in range(3):
            with Worker(config, f"victim-{number}", module=[FORWARDING, "4"]) as victim:
                await until_dead(victim)
                assert victim.wait() == -9, victim.tail()
            waits.append(max(await asyncio.gather(*(until_moving(settings, partition) for partition in (0, 1)))))
        pace.stop()
        await feeding
        await until_all_is_reported(settings)
        assert survivor.terminate() == 0, survivor.tail()

    sys.stdout.write(f"\nheld back after each kill, in seconds: {', '.join(f'{wait:.1f}' for wait in waits)}\n")
    found = by_receiver(await read_all(settings.bootstrap_servers[0], settings.topics.identity_changes))
    assert found.keys() == set(receivers)
    for receiver, messages in found.items():
        assert list(range(1, len(messages) + 1)) == [message["revision"] for message in messages]
        delivered = [event_id for message in messages for event_id in message["evidence"]]  # type: ignore[attr-defined]
        assert Counter(pace.sent[receiver]) == Counter(delivered)
        assert numbers_by_sender(pace.sent[receiver]) == numbers_by_sender(delivered)
    log = {
        isolation: len(await read_all(settings.bootstrap_servers[0], settings.topics.log, isolation))
        for isolation in ("read_committed", "read_uncommitted")
    }
    assert log["read_committed"] < log["read_uncommitted"], "no death has left anything in the log"


async def test_what_an_email_did_becomes_the_customers_over_two_partitions(settings: Settings) -> None:
    (customer,) = keys_of(1)
    email = next(
        f"email:a{n}@example.org" for n in count() if partition_for(f"email:a{n}@example.org".encode(), 2) == 0
    )
    topics, server = settings.topics, settings.bootstrap_servers[0]
    body = {"event_id": "e1", "occurred_at": now_ms() - 3_600_000, "channel": "web", "type": "add_to_cart"}
    identifiers = {"identifiers": {"email": email.removeprefix("email:")}}
    admitted = read_touchpoint(json.dumps(body | identifiers).encode())
    assert isinstance(admitted, Admitted)
    link = Link(profile_id=email, at=now_ms() - 60_000, parent=customer, event_id="e2")
    trace = [("traceparent", b"00-1")]

    async with (
        running(settings, "tasks", identity=Identity()),
        AIOKafkaProducer(bootstrap_servers=server) as router,
    ):
        value = encode_touchpoint(admitted, Source("touchpoints.web", 0, 0), None)
        await router.send_and_wait(topics.log, value, email.encode(), 0, now_ms())
        await read(settings, topics.stage_changes, 1)
        linked_at = now_ms()
        await router.send_and_wait(topics.log, encode_message(link), email.encode(), 0, linked_at, trace)
        changes = by_receiver(await read(settings, topics.stage_changes, 3))
        [linked] = await read(settings, topics.identity_changes, 1)
        await until_all_is_reported(settings)

    assert [("entered", "decision"), ("retracted", "decision")] == [(c["kind"], c["to_stage"]) for c in changes[email]]
    assert [("entered", "decision")] == [(c["kind"], c["to_stage"]) for c in changes[customer]]
    told = json.loads(linked.value)
    assert (email, "linked", customer, customer) == (
        *(linked.key.decode(), told["kind"], told["parent"], told["merged_into"]),
    )
    assert {"ce_type": b"journey.identity-change.v1", "traceparent": b"00-1"}.items() <= dict(linked.headers).items()
    views = {record.key.decode(): record.value for record in await read_all(server, topics.profiles)}
    assert views[email] is None
    assert [email] == json.loads(views[customer])["identifiers"]
    passed_on = [record for record in await read_all(server, topics.log) if record.key == customer.encode()]
    assert {(1, linked_at, tuple(trace))} == {(one.partition, one.timestamp, one.headers) for one in passed_on}


async def test_a_log_that_ends_with_an_aborted_transaction_is_read_to_its_end_and_time_goes_on(
    settings: Settings,
) -> None:
    (customer,) = keys_of(0)
    soon = now_ms() - SILENCE_MS + 4_000
    key, log = customer.encode(), settings.topics.log
    async with AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap_servers[0], transactional_id=f"{settings.application_id}-another"
    ) as another:
        async with another.transaction():
            await another.send_and_wait(log, logged(customer, "e1", at=soon), key, 0, now_ms())
        for number in range(3):
            await another.begin_transaction()
            await another.send_and_wait(log, logged(customer, f"never{number}", "view"), key, 0, now_ms())
            await another.abort_transaction()
        # A partition that has never held anything else.
        await another.begin_transaction()
        await another.send_and_wait(log, logged(customer, "never", "view"), key, 1, now_ms())
        await another.abort_transaction()

        async with running(settings, "tasks") as metrics:
            await until_all_is_reported(settings)
            for partition in ("0", "1"):
                labels = {"topic": log, "partition": partition}
                assert 0 == metrics.registry.get_sample_value("journey_consumer_lag_records", labels)
            changes = [json.loads(r.value) for r in await read(settings, settings.topics.stage_changes, 2)]
            await until_all_is_reported(settings)

    assert [("decision", "touchpoint"), ("interest", "timer")] == [(c["to_stage"], c["cause"]) for c in changes]
    async with AIOKafkaConsumer(bootstrap_servers=settings.bootstrap_servers[0]) as consumer:
        ends = await consumer.end_offsets([TopicPartition(log, 0), TopicPartition(log, 1)])
    for place, end in ends.items():
        _, position = await state_of(settings, place.partition)
        assert position is not None
        assert end == position.next_offset


async def test_an_open_transaction_that_nobody_ends_holds_others_back_for_no_longer_than_it_may_last(
    settings: Settings,
) -> None:
    short = settings.model_copy(update={"transaction_timeout_ms": 3_000})
    (customer,) = keys_of(0)
    key, log = customer.encode(), settings.topics.log
    async with running(settings, "tasks") as metrics:
        await until_running(metrics, 2)
        dead = transactional_producer(short, 7)  # of a task that nobody takes over
        await dead.start()
        await dead.begin_transaction()
        await dead.send_and_wait(log, logged(customer, "never", "view"), key, 0, now_ms())
        began = time.monotonic()
        await abandon_producer(dead)
        async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers[0]) as producer:
            await producer.send_and_wait(log, logged(customer, "e1"), key, 0, now_ms())
        await until_counted(metrics, 1, "journey_records_in_total", topic=log, kind="touchpoint")
        waited = time.monotonic() - began

    sys.stdout.write(f"\nheld back by a transaction of 3 s that nobody ends: {waited:.1f} s\n")
    assert 2.0 < waited < 12.0
