"""Dead letters of a real broker: listed, shown, and sent to their sources again, each once."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from journey_stream.events.log import Source
from journey_stream.events.reasons import Reason
from journey_stream.worker.config import Settings
from journey_stream.worker.dead_letters import DeadLetter
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.found_letters import Wanted
from journey_stream.worker.letter_replay import Outcome, replay_letters
from journey_stream.worker.outbox import dead_letter_message
from journey_stream.worker.topics import create_topics, topic_states
from tests.integration.journeys import DAY_MS, Sent
from tests.integration.reading import published, read_all, until_written
from tests.integration.running import read, running, send
from tests.integration.test_cli import Cli
from tests.integration.workers import read_config, write_config
from tests.support.kafka import Broker

ALL = Wanted()
REPLAY_IN_SMALL_TRANSACTIONS = """
import sys
from journey_stream.worker import letter_replay
letter_replay.CHUNK_LETTERS = 3
from journey_stream.cli.main import main
main(["dead-letters", "replay", "--config", sys.argv[1]])
"""


@pytest.fixture
def config(broker: Broker, prefix: str, tmp_path: Path) -> Path:
    return write_config(tmp_path, broker.bootstrap, prefix, partitions=2, session_timeout="6s")


@pytest.fixture
def settings(config: Path) -> Settings:
    return read_config(config)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def broken(settings: Settings, number: int, at: int) -> Sent:
    headers = (("traceparent", b"00-1"), ("shop", b"\xff"))
    return Sent(settings.sources[0], number % 2, at, b"key %d" % number, b"{broken %d" % number, headers)


def letter(settings: Settings, number: int, **fields: Any) -> DeadLetter:
    source = Source(settings.sources[0], 0, number)
    found = DeadLetter(Reason.INVALID_JSON, "no JSON", "router", source, now_ms(), None, b"{%d" % number)
    return found._replace(**fields)


async def write_letters(settings: Settings, *letters: DeadLetter) -> None:
    rows = [dead_letter_message(one, settings.record_bytes_max) for one in letters]
    topic, at = settings.topics.dead_letters, now_ms()
    await send(settings, [Sent(topic, 0, at, row.key, row.value, tuple(row.headers)) for row in rows])  # type: ignore[arg-type]


async def resend(settings: Settings, wanted: Wanted = ALL, **options: Any) -> Outcome:
    return await replay_letters(settings, await topic_states(settings), wanted, **options)


async def refused(settings: Settings, records: list[Sent]) -> None:
    """Have a worker refuse these records."""
    await create_topics(settings)
    await send(settings, records)
    async with running(settings):
        await read(settings, settings.topics.dead_letters, len(records))


async def source_records(settings: Settings, count: int) -> list[ConsumerRecord]:
    """All records of the first source, once there are so many: a commit is answered a little before it is visible."""
    await read(settings, settings.sources[0], count)
    return await read_all(settings.bootstrap_servers[0], settings.sources[0])


def content(record: ConsumerRecord) -> tuple[object, ...]:
    return record.partition, record.key, record.value, record.headers, record.timestamp


async def test_an_original_comes_back_as_it_was_and_only_once(settings: Settings) -> None:
    at = now_ms() - 3 * DAY_MS
    await refused(settings, [broken(settings, number, at + number) for number in range(40)])

    first = await resend(settings)
    again = await resend(settings)

    assert (40, 0, []) == (first.sent.total(), first.already, first.unsent)
    assert (0, 40, []) == (again.sent.total(), again.already, again.unsent)
    assert [2] * 40 == list(Counter(map(content, await source_records(settings, 80))).values())


async def test_after_a_fix_a_worker_uses_what_was_too_late_as_it_arrived_then(settings: Settings) -> None:
    arrived = now_ms() - 5 * DAY_MS
    document = {"event_id": "e1", "occurred_at": arrived - 3 * DAY_MS, "channel": "web", "type": "view"}
    value = json.dumps(document | {"customer_id": "ann"}).encode()
    strict = settings.model_copy(update={"lateness_ms": 2 * DAY_MS})
    await refused(strict, [Sent(settings.sources[0], 0, arrived, None, value)])
    mended = settings.model_copy(update={"lateness_ms": 4 * DAY_MS, "allowance_ms": 30 * DAY_MS})

    await resend(settings, Wanted(reasons=["too_late"], stage="task"))
    async with running(mended):
        await read(settings, settings.topics.stage_changes, 1)

    assert ["e1"] == sorted((await published(settings))["ann"].evidence)


async def test_what_fails_again_is_a_dead_letter_of_its_own_that_can_be_sent_again(settings: Settings) -> None:
    await refused(settings, [broken(settings, 0, now_ms())])
    await resend(settings)
    async with running(settings):
        await read(settings, settings.topics.dead_letters, 2)

    outcome = await resend(settings)

    assert (1, 1) == (outcome.sent.total(), outcome.already)
    assert 3 == len(await source_records(settings, 3))


async def test_two_letters_about_one_record_send_it_once(settings: Settings) -> None:
    await create_topics(settings)
    await write_letters(settings, letter(settings, 7), letter(settings, 7), letter(settings, 8))

    outcome = await resend(settings)

    assert (2, 1) == (outcome.sent.total(), outcome.already)
    assert [b"{7", b"{8"] == [record.value for record in await source_records(settings, 2)]


async def test_what_cannot_be_sent_is_named_and_holds_nothing_up(settings: Settings) -> None:
    await create_topics(settings)
    await write_letters(
        settings,
        letter(settings, 1, key=b"k", value=b"x" * settings.record_bytes_max),
        letter(settings, 2, key=b"k", value=None, withheld=True),
        letter(settings, 3, source=Source(settings.topics.log, 0, 3)),
        letter(settings, 4, source=Source("long.gone", 0, 3)),
        letter(settings, 5, timestamp=now_ms() - settings.retention_ms),
        letter(settings, 6),
    )

    outcome = await resend(settings)
    by_now = await resend(settings, now=True)

    expected = (
        "is cut",
        "has no key, value and headers",
        "came from no source",
        "came from long.gone",
        "is older than",
    )
    assert {settings.sources[0]: 1} == outcome.sent
    assert [f"0:{number}" for number in range(5)] == [seen.letter.position for seen in outcome.unsent]
    for seen, start in zip(outcome.unsent, expected, strict=True):
        assert str(seen.obstacle).startswith(start)
    assert {settings.sources[0]: 1} == by_now.sent
    assert [b"{6", b"{5"] == [record.value for record in await source_records(settings, 2)]
    assert now_ms() - 60_000 < (await source_records(settings, 2))[1].timestamp


async def test_a_dry_run_says_the_same_and_writes_nothing(settings: Settings) -> None:
    await create_topics(settings)
    await write_letters(settings, *(letter(settings, number) for number in range(5)))

    planned = await resend(settings, dry_run=True, limit=3)
    untouched = await source_records(settings, 0)
    done = await resend(settings, limit=3)

    assert ({settings.sources[0]: 3}, []) == (planned.sent, untouched)
    assert planned.sent == done.sent
    assert 3 == len(await source_records(settings, 3))


async def test_two_replays_at_once_send_each_letter_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("journey_stream.worker.letter_replay.CHUNK_LETTERS", 10)
    await create_topics(settings)
    await write_letters(settings, *(letter(settings, number) for number in range(200)))

    ended = await asyncio.gather(resend(settings), resend(settings), return_exceptions=True)
    await resend(settings)

    assert all(isinstance(one, (Outcome, WorkerError)) for one in ended), ended
    assert {b"{%d" % number: 1 for number in range(200)} == Counter(
        record.value for record in await source_records(settings, 200)
    )


async def test_a_replay_that_is_killed_again_and_again_sends_each_letter_once(settings: Settings, config: Path) -> None:
    await create_topics(settings)
    await write_letters(settings, *(letter(settings, number) for number in range(400)))
    environ = {key: value for key, value in os.environ.items() if not key.startswith("JOURNEY_")}
    command = [sys.executable, "-c", REPLAY_IN_SMALL_TRANSACTIONS, str(config)]

    killed_in_time = 0
    for number in range(6):
        process = await asyncio.create_subprocess_exec(*command, env=environ, stdout=subprocess.DEVNULL)
        await until_written(settings, settings.sources[0])
        await asyncio.sleep(0.01 * number)
        if process.returncode is None:
            killed_in_time += 1
            process.kill()
        await process.wait()
    outcome = await resend(settings)

    assert killed_in_time >= 3
    assert 0 < outcome.already < 400
    assert 400 == outcome.sent.total() + outcome.already
    assert {b"{%d" % number: 1 for number in range(400)} == Counter(
        record.value for record in await source_records(settings, 400)
    )


async def test_the_command_lists_shows_and_sends(settings: Settings, config: Path) -> None:
    await create_topics(settings)
    late = letter(settings, 2, reason=Reason.TOO_LATE, stage="task", detail="too late by 1d", key=b"ann")
    await write_letters(settings, letter(settings, 1, value=b"\xff\x00\x1b[2J"), late)
    cli = Cli(config)

    listed = await asyncio.to_thread(cli, "dead-letters", "list")
    only_late = await asyncio.to_thread(cli, "dead-letters", "list", "--reason", "too_late", "--stage", "task")
    shown = await asyncio.to_thread(cli, "dead-letters", "show", "0:0")
    nothing = await asyncio.to_thread(cli, "dead-letters", "show", "1:77")
    planned = await asyncio.to_thread(cli, "dead-letters", "replay", "--dry-run")
    sent = await asyncio.to_thread(cli, "dead-letters", "replay", "--reason", "too_late")
    after = await asyncio.to_thread(cli, "dead-letters", "list", "--limit", "1")

    assert ["position", "0:0", "0:1"] == [line.split()[0] for line in listed.stdout.splitlines()[:3]], listed.stderr
    assert "2 dead letters" in listed.stdout
    assert ["0:1"] == [line.split()[0] for line in only_late.stdout.splitlines()[1:2]]
    assert "ff 00 1b 5b 32 4a" in shown.stdout, shown.stderr
    assert "can be replayed" in shown.stdout
    assert (1, True) == (nothing.returncode, "has no record at 1:77" in nothing.stderr)
    assert f"would send 2 dead letters to their sources\n  {settings.sources[0]}: 2\n" == planned.stdout
    assert f"sent 1 dead letters to their sources\n  {settings.sources[0]}: 1\n" == sent.stdout
    assert "of which the newest 1 are shown" in after.stdout
    assert "  sent  " in after.stdout
