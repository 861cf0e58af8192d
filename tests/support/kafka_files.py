"""The files of Apache Kafka: copied once by Maven into a cache, shared by every broker of this machine.

The version is named in one place, `kafka-broker/pom.xml`. The cache is `.cache/kafka/` of this checkout, or
`$JOURNEY_KAFKA_CACHE`. Tests that run at the same time wait for one another behind a file lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

POM = Path(__file__).parent / "kafka-broker" / "pom.xml"
TOOLS_POM = Path(__file__).parent / "kafka-tools" / "pom.xml"
LOG4J = POM.with_name("log4j2.properties")
JAVA_MIN = 17  # what the Kafka 4 broker is compiled for


class NoKafka(RuntimeError):
    """No way to run a broker was found; the message says what to install or set."""


def kafka_version() -> str:
    """The version that `pom.xml` names, for example "4.3.1"."""
    found = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", POM.read_text())
    assert found, f"no kafka.version in {POM}"
    return found[1]


def cache_dir() -> Path:
    named = os.environ.get("JOURNEY_KAFKA_CACHE")
    return Path(named) if named else Path(__file__).parents[2] / ".cache" / "kafka"


def find_java() -> str | None:
    """The path of a `java` that is new enough, or None."""
    home = os.environ.get("JAVA_HOME")
    for java in (str(Path(home) / "bin" / "java") if home else None, shutil.which("java")):
        if java and Path(java).exists() and _java_major(java) >= JAVA_MIN:
            return java
    return None


def _java_major(java: str) -> int:
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    return int(found[1]) if found else 0


def class_path() -> str:
    """The class path of the broker; the first call on a machine lets Maven copy about 45 MB.

    Raises NoKafka when Maven is missing or cannot reach its repository.
    """
    return str(_copied(POM, cache_dir() / kafka_version()) / "*")


def tools_class_path() -> str:
    """The class path of Kafka's own commands, such as kafka-topics.sh. Raises NoKafka."""
    return f"{class_path()}:{_copied(TOOLS_POM, cache_dir() / f'{kafka_version()}-tools') / '*'}"


def _copied(pom: Path, jars: Path) -> Path:
    """The directory with what the pom names."""
    done = jars / ".complete"
    fingerprint = hashlib.sha256(pom.read_bytes()).hexdigest()
    cache_dir().mkdir(parents=True, exist_ok=True)
    with _lock(cache_dir() / ".lock"):
        if not done.exists() or done.read_text() != fingerprint:
            shutil.rmtree(jars, ignore_errors=True)
            _copy_with_maven(pom, jars)
            done.write_text(fingerprint)
    return jars


def _copy_with_maven(pom: Path, target: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise NoKafka("Java is here but Maven (`mvn`) is not: install it, or set JOURNEY_TEST_BOOTSTRAP=host:port")
    command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-Dkafka.version={kafka_version()}"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={target.resolve()}"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise NoKafka(f"Maven could not copy Apache Kafka {kafka_version()}:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
