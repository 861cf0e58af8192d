import asyncio
import logging
import os
import signal

import pytest

from journey_stream.demo.lifecycle import beside, logging_to, until_stopped


async def for_ever() -> None:
    await asyncio.Event().wait()


async def test_work_that_ends_by_itself_is_not_stopped():
    assert await until_stopped(asyncio.sleep(0))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_stops_the_work_and_a_second_one_does_not_disturb_its_cleaning_up(number):
    cleaned = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), number)
            await for_ever()
        finally:
            os.kill(os.getpid(), number)
            await asyncio.sleep(0)
            cleaned.append("up")

    assert not await until_stopped(work())
    assert ["up"] == cleaned


async def test_the_end_of_the_main_work_ends_its_guards():
    ended = []

    async def guard() -> None:
        try:
            await for_ever()
        finally:
            ended.append("guard")

    await beside(asyncio.sleep(0), guard())

    assert ["guard"] == ended


async def test_a_failing_guard_ends_the_main_work():
    async def guard() -> None:
        raise RuntimeError("the worker is gone")

    with pytest.raises(RuntimeError, match="the worker is gone"):
        await beside(for_ever(), guard())


def test_warnings_of_libraries_go_to_the_file(tmp_path):
    with logging_to(tmp_path / "demo.log"):
        logging.getLogger("some.library").warning("odd")

    logging.getLogger("some.library").warning("not there")
    assert "odd\n" == (tmp_path / "demo.log").read_text()
