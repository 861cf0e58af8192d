"""A real Apache Kafka 4 for tests, benchmarks and by hand: one KRaft node, started in about 3 seconds.

In a test, take the session's broker and a prefix that no other test uses:

    async def test_something(broker: Broker, prefix: str) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap)

To kill or restart one, run your own:

    with KafkaBroker(tmp_path / "kafka") as broker:      # start() and stop() by hand work as well
        broker.kill()                                    # SIGKILL
        broker.restart()                                 # same port, same data; returns when it answers

By hand, in the foreground until Ctrl-C:

    python -m tests.support.kafka --port 19092 [--data-dir DIR] [--heap 1g] [--set num.partitions=8]

The calls block. In asynchronous code use `await asyncio.to_thread(broker.restart)`. Java 17 and Maven are used if they
are there, else Docker; `JOURNEY_TEST_BOOTSTRAP=host:port` names a running broker for the session's fixture instead.
The broker's log is `<data_dir>/broker.log`; `tail()` is its end, and every error raised here shows it.
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import fcntl
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.support.kafka_files import kafka_version
from tests.support.kafka_process import choose_process

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
POLL_SECONDS = 0.05
PORTS = range(20_000, 32_000)

# One node, so every internal topic has one replica; few partitions, because each costs files and start-up time.
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "num.partitions": "1",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "8",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Tests of rebalances need short sessions, and those of hanging transactions a broker that looks often.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
    # A broker that was killed may only come back once its old session has ended: 9 s with the defaults.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
}


class Broker(Protocol):
    """What a test may rely on whether the broker is its own or a named one."""

    @property
    def bootstrap(self) -> str: ...
    def tail(self, lines: int = 40) -> str: ...


class BrokerFailed(RuntimeError):
    """The broker did not start or stop in time; the message ends with its log."""


class NamedBroker:
    """The broker of `JOURNEY_TEST_BOOTSTRAP`: used, never started or stopped."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap

    def tail(self, lines: int = 40) -> str:
        return f"{self.bootstrap} is not ours: no {lines} lines of its log here"


class KafkaBroker:
    """A broker of our own on 127.0.0.1. `data_dir` keeps its data, properties and log over restarts.

    `port` 0 picks a free one. `overrides` are server properties. `heap` is a Java size ("512m").
    """

    def __init__(
        self, data_dir: Path, port: int = 0, overrides: Mapping[str, str] | None = None, *, heap: str = "512m"
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.log = self.data_dir / "broker.log"
        controller = free_port()
        self.properties = {
            **SETTINGS,
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(self.data_dir / "logs"),
            **(overrides or {}),
        }
        self._process = choose_process(self.data_dir, heap)

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        return self._process.running()

    @property
    def pid(self) -> int | None:
        """The Java process, for measuring it; None in a container."""
        return self._process.pid

    def start(self, seconds_max: float = START_SECONDS_MAX) -> Self:
        """Start it and wait until it answers. Raises NoKafka or BrokerFailed."""
        if self.running:
            return self
        atexit.register(self._abandon)
        self._process.start(self.properties, self.log)
        self.wait_ready(seconds_max)
        return self

    def wait_ready(self, seconds_max: float = START_SECONDS_MAX) -> None:
        """Return once the broker has answered a metadata request with itself in it."""
        deadline = time.monotonic() + seconds_max
        while not (_listens(self.port) and _answers(self.bootstrap)):
            if not self.running:
                raise BrokerFailed(f"Kafka ended while starting; {self.log}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise BrokerFailed(f"Kafka did not answer within {seconds_max:.0f} s; {self.log}:\n{self.tail()}")

    def stop(self, seconds_max: float = STOP_SECONDS_MAX) -> None:
        """SIGTERM: it hands over and flushes. One that does not end in time is killed, and that is an error."""
        self._end(signal.SIGTERM, seconds_max)

    def kill(self) -> None:
        """SIGKILL, as a crash does it."""
        self._end(signal.SIGKILL, STOP_SECONDS_MAX)

    def restart(self, *, kill: bool = False) -> None:
        """End it (by SIGTERM, or SIGKILL) and start it again on the same port and data."""
        if kill:
            self.kill()
        else:
            self.stop()
        self.start()

    def tail(self, lines: int = 40) -> str:
        """The end of the broker's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._process.remove()

    def _end(self, number: signal.Signals, seconds_max: float) -> None:
        if not self.running:
            return
        self._process.signal(number)
        try:
            self._process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            self._process.signal(signal.SIGKILL)
            raise BrokerFailed(f"Kafka did not end within {seconds_max:.0f} s; {self.log}:\n{self.tail()}") from None
        atexit.unregister(self._abandon)

    def _abandon(self) -> None:
        self._process.signal(signal.SIGKILL)
        self._process.remove()


def free_port() -> int:
    """A free port below the range from which outgoing connections take theirs, so that it is free after a restart.

    All test processes of a user take theirs in turn, so that nobody is given one that another has not opened yet.
    """
    with (Path(tempfile.gettempdir()) / f"journey-stream-{os.getuid()}.port").open("a+") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        turn.seek(0)
        last = int(turn.read() or random.Random().choice(PORTS))
        for step in range(1, len(PORTS)):
            port = PORTS[(last - PORTS.start + step) % len(PORTS)]
            if _can_be_bound(port):
                turn.truncate(0)
                turn.write(str(port))
                return port
    raise BrokerFailed(f"no free port between {PORTS.start} and {PORTS.stop}")


def _can_be_bound(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _listens(port: int) -> bool:
    """Whether something accepts connections there; a refusal costs a pause, so that asking does not slow the start."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return True
    time.sleep(POLL_SECONDS)
    return False


def _answers(bootstrap: str) -> bool:
    async def ask() -> bool:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2_000)
        try:
            await admin.start()
            return bool((await admin.describe_cluster())["brokers"])
        except (KafkaError, OSError, TimeoutError):
            return False
        finally:
            await admin.close()

    # A thread of its own: the caller may be inside a running event loop.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, ask()).result()


def session_broker(data_dir: Path) -> NamedBroker | KafkaBroker:
    """The broker that one test session shares: the named one, or a new one that has been started."""
    named = os.environ.get("JOURNEY_TEST_BOOTSTRAP")
    if not named:
        return KafkaBroker(data_dir).start()
    if not _answers(named):
        raise BrokerFailed(f"JOURNEY_TEST_BOOTSTRAP names {named}, and nothing there answers as a Kafka broker does")
    return NamedBroker(named)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.support.kafka", description="Run Apache Kafka until Ctrl-C.")
    parser.add_argument("--port", type=int, default=9092, help="on 127.0.0.1 (default 9092)")
    parser.add_argument("--data-dir", type=Path, help="kept afterwards; a temporary one by default")
    parser.add_argument("--heap", default="512m", help="Java heap (default 512m)")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a server property")
    options = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with tempfile.TemporaryDirectory(prefix="journey-stream-kafka-") as scratch:
        overrides = dict(pair.split("=", 1) for pair in options.set)
        with KafkaBroker(options.data_dir or Path(scratch), options.port, overrides, heap=options.heap) as broker:
            sys.stdout.write(f"Apache Kafka {kafka_version()} on {broker.bootstrap}, log in {broker.log}\n")
            sys.stdout.flush()
            while broker.running and not ended.wait(1.0):
                pass


if __name__ == "__main__":
    main()
