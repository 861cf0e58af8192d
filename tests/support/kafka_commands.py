"""Kafka's own commands, such as kafka-topics.sh, as files in a directory that is put on the PATH."""

from __future__ import annotations

import shlex
from pathlib import Path

from tests.support.kafka_files import find_java, kafka_version, tools_class_path

# What the scripts of Kafka's distribution run.
COMMANDS = {
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-get-offsets.sh": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-transactions.sh": "org.apache.kafka.tools.TransactionsCommand",
}
# Each lives for a second, in which there is nothing to optimise.
FLAGS = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def write_kafka_commands(directory: Path) -> None:
    """Write one file for each. They run on Java if it is there, else in Docker. Raises NoKafka."""
    java = find_java()
    for name, main in COMMANDS.items():
        if java:
            command = [java, *FLAGS, "-cp", tools_class_path(), main]
        else:
            image = f"apache/kafka:{kafka_version()}"
            command = ["docker", "run", "--rm", "--network", "host", image, f"/opt/kafka/bin/{name}"]
        file = directory / name
        file.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        file.chmod(0o755)
