from __future__ import annotations

import asyncio
import json
import logging

import pytest

from journey_stream.worker.logs import JsonFormatter, NoRepeats, speak_as


def record(name: str, message: str = "no broker", line: int = 1) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, "client.py", line, message, None, None)


def test_what_a_client_repeats_is_said_once_and_what_we_say_always() -> None:
    filtering = NoRepeats()
    said = [("aiokafka.client", 1), ("aiokafka.client", 1), ("aiokafka.client", 2), ("ours", 1), ("ours", 1)]

    let_through = [filtering.filter(record(name, line=line)) for name, line in said]

    assert [True, False, True, True, True] == let_through


def test_a_line_of_json_holds_the_message_and_the_traceback() -> None:
    found = record("ours", "it failed: ü")
    found.exc_info = (ValueError, ValueError("bad"), None)

    fields = json.loads(JsonFormatter().format(found))

    assert ("it failed: ü", "error") == (fields["message"], fields["level"])
    assert "ValueError: bad" in fields["exception"]


async def test_a_line_of_json_tells_which_part_of_the_worker_speaks_even_through_a_library() -> None:
    async def said(role: str, partition: int | None) -> dict[str, object]:
        speak_as(role, partition)  # type: ignore[arg-type]
        return await asyncio.create_task(in_a_library())

    async def in_a_library() -> dict[str, object]:
        await asyncio.sleep(0)
        fields: dict[str, object] = json.loads(JsonFormatter().format(record("aiokafka.client")))
        return {name: fields[name] for name in ("role", "partition") if name in fields}

    found = await asyncio.gather(said("task", 3), said("router", None), asyncio.create_task(in_a_library()))

    assert [{"role": "task", "partition": 3}, {"role": "router"}, {}] == found


@pytest.mark.parametrize("style", ["text", "json"])
def test_both_styles_can_be_chosen(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    from journey_stream.worker.logs import configure_logs  # noqa: PLC0415

    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        configure_logs("info", style)  # type: ignore[arg-type]
        logging.getLogger("x").info("hello")
    finally:
        root.handlers[:], root.level = before

    assert "hello" in capsys.readouterr().err
