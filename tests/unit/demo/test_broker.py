import asyncio
import os

import pytest

from journey_stream.demo.broker import DemoError, EmbeddedBroker, free_port, spawn, stop_process


def test_a_free_port_can_be_listened_on():
    assert 1024 < free_port() < 65_536


async def test_a_broker_listens_and_leaves_no_process_behind(tmp_path):
    pytest.importorskip("noida_db")

    async with EmbeddedBroker(tmp_path) as broker:
        host, _, port = broker.bootstrap.partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        pid = broker._process.pid

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_broker_that_ends_at_once_says_why(tmp_path, monkeypatch):
    program = tmp_path / "broken"
    program.write_text("#!/bin/sh\necho the disk is full; exit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr("journey_stream.demo.broker._executable", lambda: program)

    with pytest.raises(DemoError, match="the disk is full"):
        async with EmbeddedBroker(tmp_path):
            pass


async def test_without_the_package_the_remedy_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(DemoError, match=r"pip install 'journey-stream\[demo\]'"):
        async with EmbeddedBroker(tmp_path):
            pass


def test_a_process_that_ignores_the_request_to_end_is_ended(tmp_path):
    process = spawn(["sh", "-c", "trap '' TERM; echo ready; sleep 60 & wait; wait"], tmp_path / "log")
    while "ready" not in (tmp_path / "log").read_text():
        assert process.poll() is None

    stop_process(process, seconds_max=0.1)

    assert process.returncode < 0
