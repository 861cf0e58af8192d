"""A million profiles with five touchpoints each: resident memory, and seconds to restore them.

    python -m benchmarks.memory [--profiles 1000000 --held 5] [--title ...]            the engine, from a file
    python -m benchmarks.memory --kafka [--profiles 1000000 --held 5] [--title ...]    a worker, from the broker

Each part runs in a process of its own, so that what one leaves behind is not counted for the next.
"""

import argparse
import contextlib
import multiprocessing
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from benchmarks import report
from benchmarks.engine import BATCH_RECORDS, SPAN_MS, START_MS, Logged, collect_as_worker, logged
from benchmarks.features import BY_NAME, Features
from benchmarks.fill import Filler
from benchmarks.meter import Meter
from benchmarks.observer import Observer
from benchmarks.race import DAY_MS, benchmark_broker, check_alive, make_topics, new_job, running
from benchmarks.systems import System, ours
from benchmarks.workload import Workload, evenly
from journey_stream.churn.load import find_scorer
from journey_stream.engine.partition import Partition
from journey_stream.worker.batch import Processor

PARTITIONS = 8
TARGET_MIB, TARGET_SECONDS = 2048, 30
_LENGTHS = struct.Struct("<BII")


def build(profiles: int, held: int, features: Features, file: Path) -> dict[str, float]:
    """Make the state from touchpoints and write it to a file."""
    collect_as_worker()
    processors = [Processor(_engine(features), "log", number) for number in range(PARTITIONS)]
    waiting: list[list[Logged]] = [[] for _ in processors]
    begun = time.perf_counter()
    for record in logged(evenly(Workload(profiles * held, profiles, START_MS, SPAN_MS))):
        number = record.key[-1] % PARTITIONS
        waiting[number].append(record)
        if len(waiting[number]) == BATCH_RECORDS:
            processors[number].process(waiting[number])
            waiting[number] = []
    for processor, records in zip(processors, waiting, strict=True):
        processor.process(records)
    seconds = time.perf_counter() - begun
    with file.open("wb") as out:
        for number, processor in enumerate(processors):
            for key, value in processor.engine.snapshot():
                out.write(_LENGTHS.pack(number, len(key), len(value)) + key + value)
    return {"build seconds": seconds, "build RSS MiB": _rss_mib(), "state file MiB": file.stat().st_size / 2**20}


def restore(features: Features, file: Path) -> dict[str, float]:
    """Restore the state from the file, as a worker restores its tasks."""
    collect_as_worker()
    before = _rss_mib()
    partitions = [_engine(features) for _ in range(PARTITIONS)]
    begun = time.perf_counter()
    for number, key, value in _read(file):
        partitions[number].restore(key, value)
    for partition in partitions:
        partition.restored()
    seconds = time.perf_counter() - begun
    return {
        "profiles": sum(partition.profiles for partition in partitions),
        "restore seconds": seconds,
        "RSS before MiB": before,
        "RSS after MiB": _rss_mib(),
    }


def through_kafka(profiles: int, held: int, system: System) -> dict[str, float]:
    """Feed a router and a tasks process, stop them, start them anew: seconds until the first new consequence is out."""
    span_ms = 20 * DAY_MS
    start_ms = int(time.time() * 1000) - span_ms
    with (
        tempfile.TemporaryDirectory(prefix="journey-stream-memory-") as scratch,
        benchmark_broker(Path(scratch)) as broker,
    ):
        job = new_job(broker, system, PARTITIONS)
        make_topics(broker, system, job)
        filler = Filler(broker.bootstrap, job.sources, PARTITIONS, by_owner=False)

        def feed(phase: str, workload: Workload | None) -> set[bytes]:
            filler.hold()
            last_ms = filler.write(evenly(workload)) if workload else int(time.time() * 1000)
            keys = filler.write_sentinels(phase, last_ms, PARTITIONS)
            filler.release()
            return keys

        keys = feed("fill", Workload(profiles * held, profiles, start_ms, span_ms))
        with contextlib.closing(Observer(broker.bootstrap, job.output, PARTITIONS)) as observer:
            observer.expect(keys)
            with running(system.commands(job), job.directory) as processes:
                observer.wait(3600, check_alive(processes, job.directory))
            observer.expect(feed("restart", None))
            begun = time.monotonic()
            with (
                running(system.commands(job), job.directory) as processes,
                contextlib.closing(Meter([processes[1].pid])) as meter,
            ):
                ready = observer.wait(600, check_alive(processes, job.directory))
                return {
                    "start to first new consequence, seconds": ready - begun,
                    "tasks process peak RSS MiB": meter.rss_bytes_max / 2**20,
                }


def _engine(features: Features) -> Partition:
    return Partition(features.model, None, find_scorer(features.churn))


def _read(file: Path) -> Iterator[tuple[int, bytes, bytes]]:
    with file.open("rb", buffering=1 << 20) as source:
        while head := source.read(_LENGTHS.size):
            number, key_length, value_length = _LENGTHS.unpack(head)
            yield number, source.read(key_length), source.read(value_length)


def _rss_mib() -> float:
    return psutil.Process().memory_info().rss / 2**20


def _alone(work: Callable[..., dict[str, float]], *arguments: object) -> dict[str, float]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory")
    parser.add_argument("--profiles", type=int, default=1_000_000)
    parser.add_argument("--held", type=int, default=5, help="touchpoints of each")
    parser.add_argument("--kafka", action="store_true", help="restore a worker from the broker")
    parser.add_argument("--features", choices=BY_NAME, default="stages", help="what is decided")
    parser.add_argument("--title")
    options = parser.parse_args()
    features = BY_NAME[options.features]
    if options.kafka:
        found = through_kafka(options.profiles, options.held, ours("ours", "router", "tasks", features=features))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / "state"
            found = _alone(build, options.profiles, options.held, features, file) | _alone(restore, features, file)
    body = (
        f"{options.profiles:,} profiles, {options.held} touchpoints each, {PARTITIONS} partitions in one process. "
        f"Decided: {features}. The aim is at most {TARGET_MIB:,} MiB and {TARGET_SECONDS} s.\n\n"
        + report.table(("what", "value"), [(name, f"{value:,.1f}") for name, value in found.items()])
    )
    report.publish(options.title, body)


if __name__ == "__main__":
    main()
