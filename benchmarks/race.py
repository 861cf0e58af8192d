"""One run of one system: warm it up, give it everything at once, and see when the last consequence is out."""

import contextlib
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.fill import Filler
from benchmarks.meter import Meter, broker_pid, log_bytes
from benchmarks.observer import Observer
from benchmarks.systems import Job, System
from benchmarks.workload import SOURCES, Mix, Workload, touchpoints
from tests.support.kafka import KafkaBroker

REPOSITORY = Path(__file__).parents[1]
DAY_MS = 86_400_000
START_SECONDS_MAX = 240.0
STOP_SECONDS_MAX = 40.0
EVENTS_PER_SECOND_MIN = 1_500
# A source keeps its records whatever their time is, and what was written can be weighed because nothing is compacted.
BROKER = {"log.retention.ms": "-1", "log.cleaner.enable": "false", "log.segment.bytes": str(512 * 1024 * 1024)}


class Shape(NamedTuple):
    """How large a run is. Event time ends now and is `days` long: a live clock never runs ahead of the events."""

    events: int
    warm_up: int
    customers: int
    partitions: int = 4
    days: float = 20.0
    seed: int = 7
    mix: Mix | None = None


class Result(NamedTuple):
    """What one run measured; processor seconds and bytes are of the measured events only."""

    system: str
    events: int
    seconds: float
    cpu_seconds: float
    broker_cpu_seconds: float
    rss_bytes_max: int
    changelog_bytes: int
    output_messages: int

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds

    @property
    def cpu_seconds_per_million(self) -> float:
        return self.cpu_seconds / self.events * 1e6


@contextlib.contextmanager
def benchmark_broker(directory: Path) -> Iterator[KafkaBroker]:
    with KafkaBroker(directory, overrides=BROKER, heap="1g") as broker:
        yield broker


def run_once(broker: KafkaBroker, system: System, shape: Shape, settings: Sequence[tuple[str, object]] = ()) -> Result:
    """Measure one system once. Raises when it ends early or its output does not come."""
    job = new_job(broker, system, shape.partitions, settings)
    before = set(log_bytes(broker.data_dir))
    make_topics(broker, system, job)
    try:
        return _measure(broker, system, shape, job)
    finally:
        made = [topic for topic in log_bytes(broker.data_dir) if topic not in before and not topic.startswith("__")]
        for deleted in AdminClient({"bootstrap.servers": broker.bootstrap}).delete_topics(made).values():
            with contextlib.suppress(Exception):
                deleted.result(30)
        shutil.rmtree(job.directory / "state", ignore_errors=True)


def new_job(broker: KafkaBroker, system: System, partitions: int, settings: Sequence[tuple[str, object]] = ()) -> Job:
    """A job with names and a directory that no other has."""
    name = f"{system.name}-{uuid.uuid4().hex[:6]}"
    directory = broker.data_dir / "runs" / name
    directory.mkdir(parents=True)
    sources = tuple(f"{name}.{source}" for source in SOURCES)
    return Job(broker.bootstrap, name, sources, partitions, f"{name}.stage-changes", directory, tuple(settings))


def make_topics(broker: KafkaBroker, system: System, job: Job) -> None:
    """Make the source topics, the output topic, and whatever else the system wants to find."""
    topics = [*job.sources, *([job.output] if system.needs_output else [])]
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    for created in admin.create_topics([NewTopic(topic, job.partitions, 1) for topic in topics]).values():
        created.result(30)
    system.prepare(job)


def _measure(broker: KafkaBroker, system: System, shape: Shape, job: Job) -> Result:
    events = int(shape.events * system.share)
    warm_up = int(shape.warm_up * system.share)
    span_ms = int(shape.days * DAY_MS)
    start_ms = int(time.time() * 1000) - span_ms
    customers = max(1, int(shape.customers * system.share))
    made = touchpoints(Workload(warm_up + events, customers, start_ms, span_ms, shape.seed, mix=shape.mix))
    filler = Filler(broker.bootstrap, job.sources, shape.partitions, by_owner=system.by_owner)
    filler.hold()
    warm_until_ms = filler.write(islice(made, warm_up))
    warm_keys = _sentinels(filler, system, "warm", warm_until_ms, shape.partitions)
    filler.release()
    observer = Observer(broker.bootstrap, job.output, shape.partitions)
    observer.expect(warm_keys)
    with contextlib.closing(observer), running(system.commands(job), job.directory) as processes:
        alive = check_alive(processes, job.directory)
        seconds_max = START_SECONDS_MAX + warm_up / EVENTS_PER_SECOND_MIN
        observer.wait(seconds_max, alive)
        filler.hold()
        keys = _sentinels(filler, system, "done", filler.write(made), shape.partitions)
        filler.flush()
        observer.expect(keys)
        with (
            contextlib.closing(Meter([process.pid for process in processes])) as meter,
            contextlib.closing(Meter([broker_pid()])) as broker_meter,
        ):
            before_bytes, before_messages = _changelog(broker.data_dir, job), observer.messages
            cpu, broker_cpu = meter.cpu_seconds(), broker_meter.cpu_seconds()
            begun = time.monotonic()
            filler.release()
            ended = observer.wait(events / EVENTS_PER_SECOND_MIN + 60.0, alive)
            return Result(
                system=system.name,
                events=events,
                seconds=ended - begun,
                cpu_seconds=meter.cpu_seconds() - cpu,
                broker_cpu_seconds=broker_meter.cpu_seconds() - broker_cpu,
                rss_bytes_max=meter.rss_bytes_max,
                changelog_bytes=_changelog(broker.data_dir, job) - before_bytes,
                output_messages=observer.messages - before_messages,
            )


def _sentinels(filler: Filler, system: System, phase: str, timestamp_ms: int, tasks: int) -> set[bytes]:
    """Markers at the end of every way that a touchpoint can take through the system."""
    keys = filler.write_sentinels(phase, timestamp_ms, tasks)
    if system.features.identity:
        keys |= filler.write_passed_sentinels(f"{phase}-passed", timestamp_ms, tasks)
    return keys


@contextlib.contextmanager
def running(commands: list[list[str]], directory: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start processes, their output in files of `directory`; end them by SIGTERM, and by SIGKILL if that is in vain."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for number, command in enumerate(commands):
            with (directory / f"process-{number}.log").open("wb") as log:
                processes.append(subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT))
        yield processes
    finally:
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def check_alive(processes: list[subprocess.Popen[bytes]], directory: Path) -> Callable[[], None]:
    """A function that raises, with the end of its output, when one of the processes has ended."""

    def check() -> None:
        for number, process in enumerate(processes):
            if process.poll() is not None:
                tail = (directory / f"process-{number}.log").read_text(errors="replace")[-3000:]
                raise RuntimeError(f"process {number} ended with {process.returncode}:\n{tail}")

    return check


def _changelog(data_dir: Path, job: Job) -> int:
    ours = {topic: size for topic, size in log_bytes(data_dir).items() if job.name in topic}
    return sum(size for topic, size in ours.items() if "changelog" in topic or topic.endswith(".state"))
