"""The examples for subscribers do on a real broker what they say."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.kafka import Broker
from tests.support.kafka_files import class_path, find_java
from tests.unit.subscribe.changes import change

EXAMPLES = Path(__file__).parents[2] / "examples" / "subscribers"
LINE_SECONDS_MAX = 60.0

MESSAGES = [change(1), change(1), change(2, kind="retracted"), change(3), change(4, "y", to_stage="purchase", day=1)]
EXPECTED = [
    "c1 is in decision: Because",
    "c1 was not in decision after all",
    "c1 is in decision: Because",
    "c1 is in purchase: Because",
]


async def publish(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for message in MESSAGES:
            await producer.send_and_wait(topic, message.model_dump_json().encode(), b"c1")


def first_lines(command: list[str], directory: Path, count: int) -> list[str]:
    """The first lines that a program prints; it is then ended."""
    program = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    lines: SimpleQueue[str] = SimpleQueue()
    assert program.stdout is not None
    reader = threading.Thread(target=lambda: [lines.put(line.rstrip()) for line in program.stdout or ()])
    reader.start()
    found: list[str] = []
    try:
        while len(found) < count:
            found.append(lines.get(timeout=LINE_SECONDS_MAX))
    except Empty:
        program.kill()
        raise AssertionError(f"printed {found} and then nothing:\n{program.communicate()[1]}") from None
    finally:
        program.kill()
        program.wait()
        reader.join()
    return found


async def test_the_python_example_acts_and_takes_back(broker: Broker, prefix: str, tmp_path: Path) -> None:
    topic = f"{prefix}stage-changes"
    await publish(broker.bootstrap, topic)

    command = [sys.executable, str(EXAMPLES / "plain_subscriber.py"), broker.bootstrap, topic]

    assert EXPECTED == first_lines(command, tmp_path, len(EXPECTED))


async def test_the_java_example_acts_and_takes_back(broker: Broker, prefix: str, tmp_path: Path) -> None:
    java = find_java()
    if java is None:
        pytest.skip("no Java here; the broker runs in Docker or elsewhere")
    topic = f"{prefix}stage-changes"
    await publish(broker.bootstrap, topic)

    command = [java, "-cp", class_path(), str(EXAMPLES / "StageChangeSubscriber.java"), broker.bootstrap, topic]

    assert EXPECTED == first_lines(command, tmp_path, len(EXPECTED))
