"""The engine alone, without Kafka: microseconds per touchpoint by number of customers and of touchpoints held by each.

    python -m benchmarks.engine --shapes 10000x5,100000x5,1000000x5,10000x50,10000x500 [--title ...]
    python -m benchmarks.engine --shapes 10000x5,10000x50 --churn none,completejourney [--title ...]

A batch of log records is decoded, applied and its state drained by the code of the task, and its changes encoded for
the output topics. What is measured comes after as many touchpoints as it takes for every customer to hold the number
asked for, and is cut into runs so that a busy machine shows. It is processor time, which a busy machine disturbs less.
With several parameters of churn risk each run is done with all of them in turn, on the same touchpoints; the ratio is
to the first. `--no-segments` takes the segments out of the model.
"""

import argparse
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from statistics import median
from typing import NamedTuple

import psutil

from benchmarks import report
from benchmarks.workload import SOURCES, Made, Workload, evenly
from journey_stream.churn.load import find_scorer
from journey_stream.engine.partition import Partition
from journey_stream.events.admission import Admitted, Refused, read_touchpoint
from journey_stream.events.log import Source, encode_touchpoint
from journey_stream.events.wire import encode_risk_change, encode_stage_change
from journey_stream.journey.load import preset
from journey_stream.worker.batch import Processor

BATCH_RECORDS = 2_000
RUNS = 5
DAY_MS = 86_400_000
START_MS = 1_767_225_600_000
SPAN_MS = 20 * DAY_MS


class Logged(NamedTuple):
    """A record of the log, as a consumer hands it over."""

    key: bytes
    value: bytes
    timestamp: int
    offset: int
    headers: tuple[tuple[str, bytes], ...] = ()


def logged(records: Iterable[Made]) -> Iterator[Logged]:
    """What the router makes of valid source records, spared its validation."""
    for offset, made in enumerate(records):
        admitted = Admitted(f"c{made.customer}", made.timestamp_ms, made.value)
        value = encode_touchpoint(admitted, Source(SOURCES[made.source], 0, offset), made.key)
        yield Logged(b"c%d" % made.customer, value, made.timestamp_ms, offset)


def apply(processor: Processor, records: Iterator[Logged], count: int) -> int:
    """Feed `count` records in batches; returns the bytes of state that were drained."""
    drained = 0
    while count > 0 and (batch := list(islice(records, min(BATCH_RECORDS, count)))):
        count -= len(batch)
        drained += sum(len(key) + len(value or b"") for key, value in processor.process(batch).changelog)
    return drained


class Subject:
    """One engine under measurement, and what came of it so far."""

    def __init__(self, churn: str, *, segments: bool) -> None:
        self.churn = churn
        model = preset("six-stages") if segments else replace(preset("six-stages"), segments=())
        self.processor = Processor(Partition(model, None, find_scorer(churn)), "log", 0)
        self.seconds: list[float] = []
        self.changes = self.risks = self.drained = 0

    def run(self, batches: list[list[Logged]]) -> None:
        begun = time.process_time()
        for batch in batches:
            result = self.processor.process(batch)
            for caused in result.changes:
                encode_stage_change(caused.change)
            for caused_risk in result.risks:
                encode_risk_change(caused_risk.change)
            self.changes += len(result.changes)
            self.risks += len(result.risks)
            self.drained += sum(len(key) + len(value or b"") for key, value in result.changelog)
        self.seconds.append((time.process_time() - begun) / sum(map(len, batches)))


def measure(customers: int, held: int, measured: int, churns: list[str], *, segments: bool) -> list[tuple[str, ...]]:
    """The rows of one shape."""
    fill = customers * held
    subjects = [Subject(churn, segments=segments) for churn in churns]
    # Everybody gets the same records, made anew for each so that none waits in memory.
    streams = [logged(evenly(Workload(fill + measured, customers, START_MS, SPAN_MS))) for _ in subjects]
    for subject, records in zip(subjects, streams, strict=True):
        apply(subject.processor, records, fill)
    for _ in range(RUNS):
        for subject, records in zip(subjects, streams, strict=True):
            subject.run([list(islice(records, BATCH_RECORDS)) for _ in range(measured // RUNS // BATCH_RECORDS)])
    events = measured // RUNS // BATCH_RECORDS * BATCH_RECORDS * RUNS
    first = median(subjects[0].seconds)
    return [
        (
            f"{customers:,}",
            f"{held:,}",
            subject.churn,
            f"{median(subject.seconds) * 1e6:.2f}",
            f"{min(subject.seconds) * 1e6:.2f}-{max(subject.seconds) * 1e6:.2f}",
            f"{median(subject.seconds) / first:.2f}",
            f"{1 / median(subject.seconds):,.0f}",
            f"{subject.drained / events:,.0f}",
            f"{subject.changes / events:.3f}",
            f"{subject.risks / events:.3f}",
            f"{subject.processor.engine.state_bytes / 2**20:,.0f}",
            f"{psutil.Process().memory_info().rss / 2**20:,.0f}",
        )
        for subject in subjects
    ]


def admission(measured: int) -> str:
    """The other half of the way: the router's validation and log encoding."""
    made = list(islice(evenly(Workload(measured, 10_000, START_MS, SPAN_MS)), measured))
    begun = time.process_time()
    for offset, record in enumerate(made):
        admitted = read_touchpoint(record.value)
        if isinstance(admitted, Refused):
            raise TypeError(admitted.detail)
        encode_touchpoint(admitted, Source("touchpoints.web", 0, offset), record.key)
    return (
        f"Router, validation and encoding only: {(time.process_time() - begun) / measured * 1e6:.2f} µs per touchpoint."
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine")
    parser.add_argument("--shapes", default="10000x5,100000x5,1000000x5,10000x50,10000x500", help="customers x held")
    parser.add_argument("--measured", type=int, default=500_000, help="touchpoints measured of each shape")
    parser.add_argument("--churn", default="none", help="parameters of churn risk by name, several with commas")
    parser.add_argument("--segments", action=argparse.BooleanOptionalAction, default=True, help="those of the model")
    parser.add_argument("--title")
    options = parser.parse_args()
    rows = []
    for shape in options.shapes.split(","):
        customers, held = map(int, shape.split("x"))
        for row in measure(customers, held, options.measured, options.churn.split(","), segments=options.segments):
            rows.append(row)
            print(" | ".join(row), flush=True)
    head = (
        *("customers", "held by each", "churn", "µs per touchpoint", "from-to", "ratio", "touchpoints/s"),
        *("state bytes drained per touchpoint", "changes per touchpoint", "risk changes per touchpoint"),
        *("state MiB", "process RSS MiB"),
    )
    body = (
        f"Decode, apply, drain and encode, one process, one partition, {options.measured:,} touchpoints per row in "
        f"{RUNS} runs. {admission(200_000)}\n\n{report.table(head, rows)}"
    )
    report.publish(options.title, body)


if __name__ == "__main__":
    main()
