"""Two ways to run one broker from a properties file: a Java child process, or a container of the official image.

Both answer to the same verbs: `start`, `signal`, `wait`, `running`, `remove`.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import uuid
from pathlib import Path
from typing import Protocol

from tests.support.kafka_files import LOG4J, NoKafka, class_path, find_java, kafka_version


class BrokerProcess(Protocol):
    @property
    def pid(self) -> int | None: ...
    def start(self, properties: dict[str, str], log: Path) -> None: ...
    def signal(self, number: signal.Signals) -> None: ...
    def wait(self, seconds_max: float) -> None: ...
    def running(self) -> bool: ...
    def remove(self) -> None: ...


def choose_process(data_dir: Path, heap: str) -> BrokerProcess:
    """Java if there is one, else Docker. Raises NoKafka, saying what to do, if there is neither."""
    if java := find_java():
        return JavaBroker(java, data_dir, heap)
    if _docker_runs():
        return DockerBroker(data_dir, heap)
    raise NoKafka(
        "These tests need a real Apache Kafka 4. Either install Java 17+ and Maven, or start Docker, "
        "or name a running broker with JOURNEY_TEST_BOOTSTRAP=host:port."
    )


def _docker_runs() -> bool:
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0


class JavaBroker:
    """`kafka.Kafka` in a plain child process, so that signals reach the broker itself and no shell script."""

    def __init__(self, java: str, data_dir: Path, heap: str) -> None:
        self._java = [java, f"-Xms{heap}", f"-Xmx{heap}", f"-Dlog4j2.configurationFile={LOG4J}", "-cp", class_path()]
        self._data_dir = data_dir
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self, properties: dict[str, str], log: Path) -> None:
        file = self._data_dir / "server.properties"
        file.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        with log.open("ab") as out:
            if not (Path(properties["log.dirs"]) / "meta.properties").exists():
                cluster = uuid.uuid4().hex[:22]
                command = [*self._java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(file)]
                subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=True)
            command = [*self._java, "kafka.Kafka", str(file)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)

    def signal(self, number: signal.Signals) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(number)

    def wait(self, seconds_max: float) -> None:
        if self._process:
            self._process.wait(seconds_max)

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def remove(self) -> None:
        pass


class DockerBroker:
    """The `apache/kafka` image on the host's network; the container, and with it the data, outlives stop and kill."""

    def __init__(self, data_dir: Path, heap: str) -> None:
        self._name = f"journey-stream-kafka-{uuid.uuid4().hex[:12]}"
        self._heap = heap
        self._created = False
        self._log_follower: subprocess.Popen[bytes] | None = None
        data_dir.mkdir(parents=True, exist_ok=True)

    @property
    def pid(self) -> int | None:
        return None

    def start(self, properties: dict[str, str], log: Path) -> None:
        if not self._created:
            command = ["create", "--name", self._name, "--network", "host"]
            command += ["-e", f"KAFKA_HEAP_OPTS=-Xms{self._heap} -Xmx{self._heap}"]
            for key, value in (properties | {"log.dirs": "/var/lib/kafka/data"}).items():
                command += ["-e", f"KAFKA_{key.replace('.', '_').upper()}={value}"]
            self._docker(*command, f"apache/kafka:{kafka_version()}")
            self._created = True
        self._docker("start", self._name)
        with log.open("ab") as out:
            follow = ["docker", "logs", "--follow", "--since", "0s", self._name]
            self._log_follower = subprocess.Popen(follow, stdout=out, stderr=subprocess.STDOUT)

    def signal(self, number: signal.Signals) -> None:
        if self.running():
            self._docker("kill", "--signal", number.name, self._name)

    def wait(self, seconds_max: float) -> None:
        subprocess.run(["docker", "wait", self._name], capture_output=True, check=True, timeout=seconds_max)
        if self._log_follower:
            self._log_follower.wait(seconds_max)

    def running(self) -> bool:
        return self._created and self._docker("inspect", "-f", "{{.State.Running}}", self._name).strip() == "true"

    def remove(self) -> None:
        if self._created:
            self._docker("rm", "--force", "--volumes", self._name)
            self._created = False

    @staticmethod
    def _docker(*arguments: str) -> str:
        run = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise NoKafka(f"docker {arguments[0]} failed: {run.stderr.strip()}")
        return run.stdout
