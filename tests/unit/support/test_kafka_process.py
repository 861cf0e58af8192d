from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support import kafka, kafka_process
from tests.support.kafka import BrokerFailed, NamedBroker, free_port, session_broker
from tests.support.kafka_files import NoKafka


def test_a_machine_without_java_and_docker_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_process, "find_java", lambda: None)
    monkeypatch.setattr(kafka_process, "_docker_runs", lambda: False)

    with pytest.raises(NoKafka, match=r"Java 17\+ and Maven, or start Docker, or name .* JOURNEY_TEST_BOOTSTRAP"):
        kafka_process.choose_process(tmp_path, "256m")


def test_a_named_broker_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_TEST_BOOTSTRAP", "kafka.example:9092")
    monkeypatch.setattr(kafka, "_answers", lambda bootstrap: bootstrap == "kafka.example:9092")

    broker = session_broker(tmp_path)

    assert isinstance(broker, NamedBroker)
    assert broker.bootstrap == "kafka.example:9092"


def test_a_named_broker_that_does_not_answer_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_TEST_BOOTSTRAP", f"127.0.0.1:{free_port()}")

    with pytest.raises(BrokerFailed, match="nothing there answers"):
        session_broker(tmp_path)


def test_no_two_test_processes_are_given_the_same_port() -> None:
    ask = "from tests.support.kafka import free_port; print(*(free_port() for _ in range(40)))"
    asked = [subprocess.Popen([sys.executable, "-c", ask], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    ports = [int(port) for one in asked for port in one.communicate()[0].split()] + [free_port() for _ in range(40)]

    assert len(ports) == 160 == len(set(ports))


def test_a_port_that_somebody_listens_on_is_given_to_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    (tmp_path / f"journey-stream-{os.getuid()}.port").write_text(str(port - 1))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen()

        assert port < free_port()
