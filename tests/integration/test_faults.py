"""Faults of brokers, disks, networks, clocks and inputs under load: nothing is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import json
import os
import random
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from journey_stream.events.log import Link, decode
from journey_stream.events.times import MINUTE_MS
from journey_stream.worker.config import Settings
from tests.integration.journeys import DAY_MS, HOUR_MS, SILENCE_MS, WITH_IDENTITY, Sent, model
from tests.integration.judging import until_all_is_processed
from tests.integration.load import prepare, some, under_load
from tests.integration.reading import published, read_all
from tests.integration.recoveries import RECOVERIES, Recovery, not_run
from tests.integration.running import read, send
from tests.integration.test_cli import Cli
from tests.integration.truth import truth
from tests.integration.workers import Worker
from tests.support.kafka import KafkaBroker
from tests.support.kafka_proxy import Api, Proxy, Way, add_proxied_listener
from tests.support.waiting import until

FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
FULL_DISK = "disk full, broker ended by it"
DISK_MB = 192
CUTS_EACH = 2
BACKLOG = 100 * 3_600
MANY = 40
BELLS = "\a" * 60
WAYS: tuple[Way, ...] = ("request", "response")
TRANSACTION = (Api.INIT_PRODUCER_ID, Api.ADD_PARTITIONS_TO_TXN, Api.PRODUCE, Api.END_TXN)


class Proxied(NamedTuple):
    broker: KafkaBroker
    proxy_port: int
    listener_port: int


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    broker = KafkaBroker(tmp_path_factory.mktemp("faults"))
    ports = add_proxied_listener(broker)
    with broker:
        yield Proxied(broker, *ports)


@pytest.fixture
async def proxy(proxied: Proxied) -> AsyncIterator[Proxy]:
    async with Proxy(proxied.proxy_port, proxied.listener_port) as one:
        yield one


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "journey-stream-test", str(disk)]
    try:
        found = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        not_run(FULL_DISK, "it needs a small file system of its own, and there is no command mount")
    if found.returncode:
        not_run(FULL_DISK, f"it needs a small file system of its own, and may not mount one: {found.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.soak
async def test_a_broker_that_stops_for_some_seconds(proxied: Proxied, prefix: str, tmp_path: Path) -> None:
    broker = proxied.broker
    settings = await prepare(tmp_path, broker.bootstrap, prefix)

    async with under_load(tmp_path, settings, some(prefix, 20_000)) as load:
        for kill in (False, True):
            load.feeder.hurry()
            await asyncio.to_thread(broker.kill if kill else broker.stop)
            await asyncio.sleep(5)
            await asyncio.to_thread(broker.start)
            ended = time.monotonic()
            load.feeder.hurry()
            await load.watch.first_after(ended)
        await load.recovered("broker stopped for 5 s, then killed for 5 s", ended, "from when it answers")


@pytest.mark.soak
async def test_a_broker_whose_disk_is_full(small_disk: Path, prefix: str, tmp_path: Path) -> None:
    overrides = {"log.dirs": str(small_disk / "logs"), "log.segment.bytes": str(8 * 1024 * 1024)}
    with KafkaBroker(tmp_path / "kafka", overrides=overrides) as broker:
        settings = await prepare(tmp_path, broker.bootstrap, prefix)

        async with under_load(tmp_path, settings, some(prefix, 20_000)) as load:
            ballast = small_disk / "ballast"
            _fill(ballast)
            load.feeder.hurry()
            await _until_ended(broker)
            ballast.unlink()
            await asyncio.to_thread(broker.start)
            await load.recovered(FULL_DISK, time.monotonic(), "from when it answers")


@pytest.mark.soak
async def test_a_network_cut_at_every_step_of_a_transaction(
    proxied: Proxied, proxy: Proxy, prefix: str, tmp_path: Path
) -> None:
    settings = await prepare(tmp_path, proxied.broker.bootstrap, prefix, proxy.bootstrap)

    async with under_load(tmp_path, settings, some(prefix, 30_000), seconds=150) as load:
        for api in TRANSACTION:
            for way in WAYS:
                cutting = asyncio.create_task(proxy.cut(api, way, CUTS_EACH))
                if api is Api.INIT_PRODUCER_ID:
                    load.start()
                    await load.end(load.workers[0])
                load.feeder.hurry()
                await cutting
                load.feeder.hurry()
                await load.watch.first_after(time.monotonic())
        await load.recovered(f"{CUTS_EACH} cuts each at {len(TRANSACTION)} steps, both ways", time.monotonic())

    # Each cut hit the producer of a task, twelve of them inside its transaction, none the router's, which has no id.
    by_task = {settings.transactional_id(partition) for partition in range(settings.partitions)}
    assert {one.transactional_id for one in proxy.cuts} <= by_task
    cuts = Counter((one.api, one.way) for one in proxy.cuts)
    assert dict.fromkeys(itertools.product(TRANSACTION, WAYS), CUTS_EACH) == cuts
    # The position of a task travels in its state, so no offsets do in its transactions.
    assert set() == {Api.ADD_OFFSETS_TO_TXN, Api.TXN_OFFSET_COMMIT} & proxy.seen


@pytest.mark.parametrize("way", [pytest.param("request", marks=pytest.mark.soak), "response"])
async def test_a_network_cut_at_the_end_of_a_transaction(
    proxied: Proxied, proxy: Proxy, prefix: str, tmp_path: Path, way: Way
) -> None:
    settings = await prepare(tmp_path, proxied.broker.bootstrap, prefix, proxy.bootstrap)

    async with under_load(tmp_path, settings, some(prefix, 4_000, 250), seconds=6, workers=1) as load:
        cutting = asyncio.create_task(proxy.cut(Api.END_TXN, way))
        load.feeder.hurry()
        await cutting
        await load.recovered(f"cut at END_TXN, {way}", time.monotonic())

    [cut] = proxy.cuts
    assert cut.transactional_id in {settings.transactional_id(partition) for partition in range(settings.partitions)}


@pytest.mark.soak
async def test_a_network_that_is_slow(proxied: Proxied, proxy: Proxy, prefix: str, tmp_path: Path) -> None:
    settings = await prepare(tmp_path, proxied.broker.bootstrap, prefix, proxy.bootstrap)

    async with under_load(tmp_path, settings, some(prefix, 20_000)) as load:
        proxy.delay_seconds = 0.3
        load.feeder.hurry()
        slow_since = time.monotonic()
        await asyncio.sleep(15)
        waited = await load.watch.first_after(slow_since)
        proxy.delay_seconds = 0.0
        await load.recovered("0.3 s more each way for 15 s", time.monotonic(), f"first output in it: {waited:.1f} s")


class Clock:
    """The clock of the processes that have its `environ`: right until `step`, which they notice within a second."""

    def __init__(self, directory: Path, fault: str, offset: str = "+0") -> None:
        if FAKETIME is None:
            not_run(fault, "a clock that is wrong needs libfaketime (Debian: apt-get install libfaketime)")
        self._file = directory / "clock"
        self.step(offset)
        self.environ = {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, offset: str) -> None:
        self._file.write_text(offset)


@pytest.mark.soak
async def test_a_router_whose_clock_is_two_days_ahead(proxied: Proxied, prefix: str, tmp_path: Path) -> None:
    fault = "the router's clock two days ahead"
    clock = Clock(tmp_path, fault)
    settings = await prepare(tmp_path, proxied.broker.bootstrap, prefix)
    sent = some(prefix, 20_000)
    poison = _poisoned(sent[0], 0)

    others = [("router", clock.environ), ("tasks", {})]
    async with under_load(tmp_path, settings, sent, workers=0, others=others, refused=[poison]) as load:
        await load.watch.first_after(time.monotonic())
        clock.step("+2d")
        await asyncio.sleep(4)
        load.feeder.hurry()
        await load.recovered(fault, time.monotonic(), "while it is wrong")
        # A dead letter has the time of its writing, and a broker takes nothing that is more than an hour ahead.
        await send(settings, [poison])
        router = load.workers[0]
        await asyncio.to_thread(until, lambda: "InvalidTimestampError" in router.log.read_text())
        clock.step("+0")
        await read(settings, settings.topics.dead_letters, 1, 60.0)

    latest = max(one.timestamp for one in sent)
    log = await read_all(settings.bootstrap_servers[0], settings.topics.log)
    assert max(record.timestamp for record in log) <= max(latest, time.time() * 1000)


@pytest.mark.soak
async def test_a_router_whose_clock_is_a_day_behind(proxied: Proxied, prefix: str, tmp_path: Path) -> None:
    """What is younger than its time by more than the skew are dead letters; once it is right a replay gets them in."""
    fault = "the router's clock a day behind"
    clock, skew = Clock(tmp_path, fault, "-1d"), 5 * MINUTE_MS
    settings = await prepare(tmp_path, proxied.broker.bootstrap, prefix, skew=f"{skew}ms")
    begun = _now_ms()
    # What people have decided about identifiers is refused as a record of the log, which no replay sends.
    sent = [one for one in some(prefix, 20_000) if _is_touchpoint(one) or _happened(one) < begun - 2 * DAY_MS]
    young = {one.value for one in sent if _happened(one) > begun - DAY_MS + skew + 10 * MINUTE_MS}
    refused: list[Sent] = []

    others = [("router", clock.environ), ("tasks", {})]
    async with under_load(tmp_path, settings, sent, workers=0, others=others, refused=refused) as load:
        load.feeder.finish()
        await _until_refused(settings, young)
        await until_all_is_processed(settings, 60.0, load.logs)
        letters = await read_all(settings.bootstrap_servers[0], settings.topics.dead_letters)
        assert {b"from_the_future"} == {dict(letter.headers)["dead_letter_reason"] for letter in letters}
        originals, links = [], []
        for letter in letters:
            of_the_log = dict(letter.headers)["dead_letter_topic"] == settings.topics.log.encode()
            (links if of_the_log else originals).append(Sent("", 0, 0, letter.key, letter.value))
        assert young <= {one.value for one in originals} <= {one.value for one in sent}
        assert all(_happened(one) > begun - DAY_MS + skew for one in originals)
        # A link comes again with the touchpoint that shows it.
        assert {Link} == {type(decode(one.key or b"", 0, one.value or b"")) for one in links}
        refused += originals + links

        await load.end(load.workers[0])
        load.start("router")
        mended = time.monotonic()
        command = Cli(tmp_path / "journey.yaml")
        # A task's letter has the time at which the router said that the touchpoint came: with that it fails again.
        replay = await asyncio.to_thread(command, "dead-letters", "replay", "--now", "--reason", "from_the_future")
        assert f"sent {len(originals)} dead letters" in replay.stdout, replay.stderr
        await load.recovered(fault, mended, f"from the replay of {len(originals)} dead letters")


@pytest.mark.soak
async def test_a_task_whose_clock_is_ahead(proxied: Proxied, prefix: str, tmp_path: Path) -> None:
    """A broker takes nothing that is more than an hour ahead. By less, a silence is decided early, and taken back."""
    fault = "a task's clock two days ahead, then half an hour"
    clock = Clock(tmp_path, fault, "+2d")
    settings = await prepare(tmp_path, proxied.broker.bootstrap, prefix, partitions=1)
    over_soon = _now_ms() - SILENCE_MS + 20 * MINUTE_MS

    async with _router_and_tasks(tmp_path, clock) as tasks:
        await send(settings, [_of_c1(settings, "web", "add_to_cart", over_soon)])
        await asyncio.to_thread(until, lambda: "InvalidTimestampError" in tasks.log.read_text())
        assert [] == await read_all(settings.bootstrap_servers[0], settings.topics.stage_changes)
        clock.step("+30m")
        mended = time.monotonic()
        await _changes(settings, 2)
        RECOVERIES.append(Recovery(fault, time.monotonic() - mended, None, "from when it is half an hour"))
        await send(settings, [_of_c1(settings, "web", "add_to_cart", _now_ms(), event_id="again")])
        found = await _changes(settings, 3)

    assert [("entered", "decision"), ("entered", "interest"), ("retracted", "interest")] == [
        (one["kind"], one["to_stage"]) for one in found
    ]
    assert "timer" == found[1]["cause"]


@pytest.mark.soak
async def test_a_task_whose_clock_is_behind(proxied: Proxied, prefix: str, tmp_path: Path) -> None:
    """A silence that is over is decided at the next record of the partition."""
    fault = "a task's clock two days behind"
    clock = Clock(tmp_path, fault, "-2d")
    settings = await prepare(tmp_path, proxied.broker.bootstrap, prefix, partitions=1)
    over = {"c1": _now_ms() - HOUR_MS, "c2": _now_ms() - 2 * DAY_MS - 30 * MINUTE_MS}
    quiet = [
        _of_c1(settings, "web", "add_to_cart", at - SILENCE_MS, event_id=customer, customer_id=customer)
        for customer, at in over.items()
    ]

    async with _router_and_tasks(tmp_path, clock):
        # They arrived when they happened, so no record says that either silence is over.
        await send(settings, [one._replace(timestamp=_happened(one)) for one in quiet])
        before = await _changes(settings, 3)
        spoke = time.monotonic()
        await send(settings, [_of_c1(settings, "web", "add_to_cart", _now_ms(), event_id="c3", customer_id="c3")])
        found = await _changes(settings, 6)
        RECOVERIES.append(Recovery(fault, time.monotonic() - spoke, None, "from the record that tells the time"))

    # One tick of a right clock would have decided both, and that c2 was silent for two days more.
    assert ["c2"] == [one["profile_id"] for one in before if one["cause"] == "timer"]
    assert {("c1", "timer"), ("c2", "timer"), ("c3", "touchpoint")} == {
        (one["profile_id"], one["cause"]) for one in found[3:]
    }


@pytest.mark.soak
async def test_touchpoints_that_are_large(proxied: Proxied, prefix: str, tmp_path: Path) -> None:
    """The log takes them whole; one beyond its limit is a dead letter with the bytes that came."""
    settings = await prepare(tmp_path, proxied.broker.bootstrap, prefix, record_bytes_max=20_000)
    rng = random.Random(1)
    sent = [_padded(one, rng.randrange(15_000)) if rng.random() < 0.05 else one for one in some(prefix, 10_000)]
    too_large = [_padded(one, 19_950)._replace(partition=0) for one in rng.sample(sent, 60) if _is_touchpoint(one)]

    async with under_load(tmp_path, settings, _mixed(sent, too_large, rng), truly=sent, refused=too_large) as load:
        await load.recovered("large touchpoints (5 % up to 15 kB), 60 too large", time.monotonic(), "no fault ends")


async def test_a_stage_change_that_is_larger_than_its_topic_takes(
    proxied: Proxied, prefix: str, tmp_path: Path
) -> None:
    """It cites many touchpoints of long names: as many stay as fit, one dead letter says so, and work goes on.

    Control characters take six bytes each in JSON and one in the state, which has to hold the names, too.
    """
    settings = await prepare(tmp_path, proxied.broker.bootstrap, prefix, record_bytes_max=10_000)
    asks_for_many = WITH_IDENTITY.replace("count: 3", f"count: {MANY}")
    (tmp_path / "model.yaml").write_text(asks_for_many)
    start = _now_ms() - 6 * HOUR_MS
    views = [_of_c1(settings, "web", "view", start + n * 60_000, event_id=f"{n:03}{BELLS}") for n in range(MANY)]
    bought = _of_c1(settings, "store", "purchase", start + 3 * HOUR_MS, value=20)
    after = [bought, _changed(bought, event_id="other", customer_id="c2")]

    with Worker(tmp_path / "journey.yaml", "worker") as worker:
        await send(settings, views)
        await read(settings, settings.topics.stage_changes, 2)
        # Who restores what was too large goes on with it as whoever decided it does.
        worker.wait_started()
        worker.kill()
    with Worker(tmp_path / "journey.yaml", "successor") as worker:
        for count, one in enumerate(after, 3):
            await send(settings, [one])
            await read(settings, settings.topics.stage_changes, count)
        await until_all_is_processed(settings, 60.0, worker.tail)
        assert 0 == await asyncio.to_thread(worker.terminate), worker.tail()

    model_of_it = model(asks_for_many)
    now = [_now_ms()] * settings.partitions
    expected = await asyncio.to_thread(truth, [*views, *after], model_of_it, now, settings.limits)
    assert expected.net == {profile: found.net for profile, found in (await published(settings)).items()}
    [cited] = [
        message["because"]["evidence"]
        for record in await read_all(settings.bootstrap_servers[0], settings.topics.stage_changes)
        for message in [json.loads(record.value)]
        if message["because"]["rule"] == "wants" and message["revision"] == 2
    ]
    assert 0 < len(cited) < MANY
    assert [_id_of(one) for one in views[: len(cited)]] == cited
    [letter] = await read_all(settings.bootstrap_servers[0], settings.topics.dead_letters)
    assert b"output_too_large" == dict(letter.headers)["dead_letter_reason"]
    assert views[-1].value == letter.value


@pytest.mark.soak
async def test_one_customer_with_a_third_of_everything(proxied: Proxied, prefix: str, tmp_path: Path) -> None:
    settings = await prepare(tmp_path, proxied.broker.bootstrap, prefix, touchpoints_max=20_000)
    rng = random.Random(2)
    drawn = some(prefix, 12_000)
    # A repeat goes where the touchpoint that it repeats goes.
    hot = {event_id for event_id in dict.fromkeys(map(_id_of, drawn)) if rng.random() < 0.3}
    sent = [_of_customer(one, "c0") if _id_of(one) in hot else one for one in drawn]

    async with under_load(tmp_path, settings, sent) as load:
        await load.recovered("one customer has 30 % of all", time.monotonic(), "no fault ends")


@pytest.mark.soak
async def test_poison_among_the_touchpoints(proxied: Proxied, prefix: str, tmp_path: Path) -> None:
    settings = await prepare(tmp_path, proxied.broker.bootstrap, prefix)
    rng = random.Random(3)
    sent = some(prefix, 20_000)
    poison = [_poisoned(one, number) for number, one in enumerate(rng.sample(sent, len(sent) // 100))]

    async with under_load(tmp_path, settings, _mixed(sent, poison, rng), truly=sent, refused=poison) as load:
        await load.recovered("1 % poison", time.monotonic(), "no fault ends")


@pytest.mark.soak
async def test_ten_times_the_load_at_once(proxied: Proxied, prefix: str, tmp_path: Path) -> None:
    settings = await prepare(tmp_path, proxied.broker.bootstrap, prefix)

    async with under_load(tmp_path, settings, some(prefix, 40_000), seconds=100) as load:
        await asyncio.sleep(10)
        burst = time.monotonic()
        await load.recovered("burst: 36,000 touchpoints at once after 400/s", burst, "from its beginning")


@pytest.mark.soak
async def test_a_backlog(proxied: Proxied, prefix: str, tmp_path: Path) -> None:
    """What an hour at 100 a second brings waits when the workers start. It happened within twenty days."""
    settings = await prepare(tmp_path, proxied.broker.bootstrap, prefix, batch_records_max=5_000)
    sent = await asyncio.to_thread(some, prefix, BACKLOG, 20_000)

    async with under_load(tmp_path, settings, sent, seconds=1, workers=0, fed_first=True, settle=600.0) as load:
        started = time.monotonic()
        for _ in range(2):
            load.start()
        found = await load.recovered(f"backlog of {BACKLOG:,} touchpoints", started, "from the start of two workers")
        assert found.no_lag_seconds is not None
        RECOVERIES[-1] = found._replace(note=f"{found.note}; {BACKLOG / found.no_lag_seconds:,.0f}/s")


def _fill(path: Path) -> None:
    """Write until the file system is full."""
    with path.open("wb", buffering=0) as file:
        try:
            for size in (1 << 20, 1 << 12):
                while True:
                    try:
                        file.write(os.urandom(size))
                    except OSError as error:
                        if error.errno != errno.ENOSPC:
                            raise
                        break
        finally:
            file.flush()


async def _until_ended(broker: KafkaBroker, seconds_max: float = 60.0) -> None:
    deadline = time.monotonic() + seconds_max
    while broker.running:
        assert time.monotonic() < deadline, f"the broker lives on with a full disk:\n{broker.tail()}"
        await asyncio.sleep(0.1)


def _changed(one: Sent, **fields: object) -> Sent:
    return one._replace(value=json.dumps(json.loads(one.value or b"") | fields).encode())


def _is_touchpoint(one: Sent) -> bool:
    """Or else something that people have decided about identifiers."""
    return json.loads(one.value or b"")["channel"] != "identity"


def _padded(one: Sent, size: int) -> Sent:
    return _changed(one, properties={"padding": "x" * size}) if _is_touchpoint(one) else one


def _of_c1(settings: Settings, channel: str, kind: str, at: int, **fields: object) -> Sent:
    """A touchpoint of customer c1 that is named after its type unless `fields` have an event_id."""
    [topic] = [source for source in settings.sources if source.endswith(f".{channel}")]
    body = {"event_id": kind, "occurred_at": at, "channel": channel, "type": kind, "customer_id": "c1"}
    return Sent(topic, 0, _now_ms(), None, json.dumps(body | fields).encode())


def _happened(one: Sent) -> int:
    return int(json.loads(one.value or b"")["occurred_at"])


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextlib.asynccontextmanager
async def _router_and_tasks(directory: Path, clock: Clock) -> AsyncIterator[Worker]:
    """A router whose clock is right, and a worker of tasks with this one, which is given."""
    config = directory / "journey.yaml"
    with (
        Worker(config, "router", "router") as router,
        Worker(config, "tasks", "tasks", environ=clock.environ) as tasks,
    ):
        yield tasks
        for worker in (router, tasks):
            assert 0 == await asyncio.to_thread(worker.terminate), worker.tail()


async def _until_refused(settings: Settings, values: set[bytes | None], seconds_max: float = 60.0) -> None:
    deadline = time.monotonic() + seconds_max
    while missing := values - {
        letter.value for letter in await read_all(settings.bootstrap_servers[0], settings.topics.dead_letters)
    }:
        assert time.monotonic() < deadline, f"{len(missing)} of {len(values)} are not in the dead letters"
        await asyncio.sleep(0.2)


async def _changes(settings: Settings, count: int) -> list[dict[str, Any]]:
    """All stage changes, once there are so many; there are no more than that."""
    await read(settings, settings.topics.stage_changes, count)
    records = await read_all(settings.bootstrap_servers[0], settings.topics.stage_changes)
    assert count == len(records)
    return [json.loads(record.value) for record in records]


def _id_of(one: Sent) -> str:
    return str(json.loads(one.value or b"")["event_id"])


def _of_customer(one: Sent, customer: str) -> Sent:
    return _changed(one, identifiers={"customer_id": customer}) if _is_touchpoint(one) else one


def _poisoned(one: Sent, number: int) -> Sent:
    """Five kinds of what cannot be used; each differs from all others."""
    whole = one.value or b"{}"
    kinds = [
        whole[: len(whole) // 2] + b" " * number,
        f"\x00\xff {number}".encode("latin-1"),
        json.dumps([number]).encode(),
        json.dumps({"event_id": f"poison{number}"}).encode(),
        _changed(one, event_id=f"poison{number}", occurred_at=f"yesterday {number}").value,
    ]
    return one._replace(value=kinds[number % len(kinds)])


def _mixed(sent: list[Sent], others: list[Sent], rng: random.Random) -> list[Sent]:
    """The others strewn in; the order of `sent` stays."""
    places = sorted(rng.randrange(len(sent)) for _ in others)
    found, start = [], 0
    for place, other in zip(places, others, strict=True):
        found += [*sent[start:place], other]
        start = place
    return found + sent[start:]
