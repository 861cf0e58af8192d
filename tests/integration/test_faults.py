"""Faults of brokers, disks, networks, clocks and inputs under load: nothing is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
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
from typing import NamedTuple

import pytest

from journey_stream.worker.config import Settings
from tests.integration.journeys import HOUR_MS, WITH_IDENTITY, Sent, model
from tests.integration.judging import until_all_is_processed
from tests.integration.load import prepare, some, under_load
from tests.integration.reading import published, read_all
from tests.integration.running import read, send
from tests.integration.truth import truth
from tests.integration.workers import Worker
from tests.support.kafka import KafkaBroker
from tests.support.kafka_proxy import Api, Proxy, Way, add_proxied_listener

FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
DISK_MB = 192
CUTS_EACH = 2
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
        pytest.skip("a full disk needs a small file system of its own, and there is no command mount")
    if found.returncode:
        pytest.skip(f"a full disk needs a small file system of its own, and may not mount one: {found.stderr.strip()}")
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
            await load.recovered("disk full, broker ended by it", time.monotonic(), "from when it answers")


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


@pytest.mark.soak
async def test_a_router_whose_clock_is_two_days_ahead(proxied: Proxied, prefix: str, tmp_path: Path) -> None:
    if FAKETIME is None:
        pytest.skip("a clock that steps needs libfaketime (Debian: apt-get install libfaketime)")
    settings = await prepare(tmp_path, proxied.broker.bootstrap, prefix)
    sent = some(prefix, 20_000)
    shift = tmp_path / "clock"
    shift.write_text("+0")
    faked = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(shift),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }

    async with under_load(tmp_path, settings, sent, workers=0, others=[("router", faked), ("tasks", {})]) as load:
        await load.watch.first_after(time.monotonic())
        shift.write_text("+2d")
        await asyncio.sleep(4)
        load.feeder.hurry()
        await load.recovered("the router's clock two days ahead", time.monotonic(), "while it is wrong")

    latest = max(one.timestamp for one in sent)
    log = await read_all(settings.bootstrap_servers[0], settings.topics.log)
    assert max(record.timestamp for record in log) <= max(latest, time.time() * 1000)


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
    start = time.time_ns() // 1_000_000 - 6 * HOUR_MS
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
    now = [time.time_ns() // 1_000_000] * settings.partitions
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
    """100,000 touchpoints: an hour at 28 a second. They wait when the workers start."""
    settings = await prepare(tmp_path, proxied.broker.bootstrap, prefix, batch_records_max=5_000)

    async with under_load(
        tmp_path, settings, some(prefix, 100_000, 5_000), seconds=1, workers=0, fed_first=True
    ) as load:
        started = time.monotonic()
        for _ in range(2):
            load.start()
        await load.recovered("backlog of 100,000 touchpoints", started, "from the start of two workers")


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
    return Sent(topic, 0, time.time_ns() // 1_000_000, None, json.dumps(body | fields).encode())


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
