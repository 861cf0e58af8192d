"""How to start each system on the same job."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import yaml

from benchmarks.features import FULL, FULL_NO_CHURN, IDENTITY, STAGES, Features
from tests.support.kafka_files import find_java

HERE = Path(__file__).parent
MAVEN_PROJECT = HERE / "kafka-streams"


class Job(NamedTuple):
    """One run: its broker, the source topics to read, the topic to write changes to, and a directory of its own."""

    bootstrap: str
    name: str
    sources: tuple[str, ...]
    partitions: int
    output: str
    directory: Path
    settings: tuple[tuple[str, object], ...] = ()


Command = list[str]
_OURS = [sys.executable, "-m", "journey_stream.cli.main"]


class System(NamedTuple):
    """One contestant. `share` is the part of the events that it gets: the slow ones would take all day.

    `prepare` runs before the sources are filled; `commands` are the processes to start. `needs_output` says that the
    output topic has to be made for it. `features` says what is decided: by the others, stages only.
    """

    name: str
    guarantee: str
    commands: Callable[[Job], list[Command]]
    prepare: Callable[[Job], None] = lambda _: None
    by_owner: bool = False
    share: float = 1.0
    needs_output: bool = True
    features: Features = STAGES


def ours(name: str, *roles: str, features: Features = STAGES) -> System:
    """journey-stream itself: one worker process per entry of `roles`."""

    def commands(job: Job) -> list[Command]:
        return [[*_OURS, "worker", "--config", str(job.directory / "journey.yaml"), "--role", role] for role in roles]

    def prepare(job: Job) -> None:
        model = job.directory / "model.yaml"
        model.write_text(features.model_file)
        config = {
            "bootstrap_servers": [job.bootstrap],
            "application_id": job.name,
            "sources": list(job.sources),
            "topic_prefix": f"{job.name}.",
            "partitions": job.partitions,
            # The events are of the last days, so the wall clock is ahead of them: a replay, in which no tick may fire.
            "ticks": False,
            "model": str(model),
            "churn": features.churn,
            "metrics_port": 0,
            "log_level": "warning",
        } | dict(job.settings)
        file = job.directory / "journey.yaml"
        file.write_text(yaml.safe_dump(config))
        subprocess.run([*_OURS, "topics", "create", "--config", str(file)], check=True, stdout=subprocess.DEVNULL)

    return System(name, "exactly once", commands, prepare, needs_output=False, features=features)


def kafka_streams(name: str, *arguments: str, by_owner: bool = False) -> System:
    def commands(job: Job) -> list[Command]:
        java = find_java()
        if java is None:
            raise RuntimeError("Kafka Streams needs Java 17; it was not found")
        run = [
            java,
            "-Xms512m",
            "-Xmx1g",
            "-XX:+UseParallelGC",
            "-cp",
            f"{MAVEN_PROJECT}/target/*:{MAVEN_PROJECT}/target/lib/*",
        ]
        run += ["journey.bench.JourneyApp", *_common(job), *arguments]
        for key, value in job.settings:
            run += [f"--set.{key}", str(value)]
        return [run + (["--no-repartition"] if by_owner else [])]

    return System(name, "exactly once", commands, _build_kafka_streams, by_owner=by_owner)


def python_peer(name: str, module: str, guarantee: str, processes: int, share: float = 1.0) -> System:
    def commands(job: Job) -> list[Command]:
        run = [sys.executable, "-m", module, *_common(job)]
        return [[*run, "--instance", str(instance)] for instance in range(processes)]

    return System(name, guarantee, commands, share=share)


def _common(job: Job) -> Command:
    return [
        *("--bootstrap", job.bootstrap, "--application-id", job.name, "--sources", ",".join(job.sources)),
        *("--output", job.output, "--partitions", str(job.partitions), "--state-dir", str(job.directory / "state")),
    ]


def _build_kafka_streams(_: Job) -> None:
    jar = MAVEN_PROJECT / "target" / "journey-kafka-streams-1.jar"
    sources = [path.stat().st_mtime for path in MAVEN_PROJECT.rglob("src/**/*.java")]
    if not jar.exists() or jar.stat().st_mtime < max(sources):
        subprocess.run(["mvn", "-q", "-B", "-f", str(MAVEN_PROJECT / "pom.xml"), "package"], check=True)


SYSTEMS: dict[str, System] = {
    system.name: system
    for system in (
        ours("ours", "router", "tasks"),
        ours("ours-3-processes", "router", "tasks", "tasks"),
        ours("ours-2-workers", "all", "all"),
        ours("ours-identity", "router", "tasks", features=IDENTITY),
        ours("ours-full", "router", "tasks", features=FULL),
        ours("ours-full-no-churn", "router", "tasks", features=FULL_NO_CHURN),
        kafka_streams("kafka-streams"),
        kafka_streams("kafka-streams-no-repartition", by_owner=True),
        kafka_streams(
            "kafka-streams-1s", "--set.commit.interval.ms", "1000", "--set.statestore.cache.max.bytes", "134217728"
        ),
        python_peer("quix-streams", "benchmarks.peers.quix_app", "exactly once", 2),
        python_peer("faust", "benchmarks.peers.faust_app", "at least once", 2, share=0.1),
        python_peer("floor", "benchmarks.floor", "exactly once", 1),
    )
}
