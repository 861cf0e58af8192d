"""The engine alone, without Kafka: microseconds per touchpoint by number of customers and of touchpoints held by each.

    python -m benchmarks.engine --shapes 10000x5,100000x5,1000000x5,10000x50,10000x500 [--title ...]
    python -m benchmarks.engine --shapes 10000x5,10000x50 --churn none,completejourney [--title ...]
    python -m benchmarks.engine --shapes 10000x50 --identity off,on --anonymous 0.3 --logins 0.02 [--title ...]

A batch of log records is decoded, applied, its state drained, and everything made into messages by the code of the
task. What is measured comes after as many touchpoints as it takes for every customer to hold the number asked for. It
is processor time, which a busy machine disturbs less, and garbage is collected as often as in a worker. With several
parameters of churn risk, or with identity off and on, each batch is done with all of them in turn, on the same
touchpoints: what slows one down slows down the others too. The ratio is that of the whole time to the first one's. From
and to are the tenths that took the least and the most, so that a busy machine shows. Identity brings links and forwards
with it, which are records of the log that are processed too: all their time counts as that of the touchpoints.
`--no-segments` takes the segments out of the model.
"""

import argparse
import gc
import time
from collections.abc import Iterable, Iterator
from itertools import islice, product
from statistics import mean
from typing import NamedTuple

import psutil

from benchmarks import report
from benchmarks.features import Features
from benchmarks.workload import SOURCES, Made, Mix, Workload, evenly
from journey_stream.churn.load import find_scorer
from journey_stream.engine.partition import Partition
from journey_stream.events.admission import Admitted, Refused, read_touchpoint
from journey_stream.events.log import Source, encode_touchpoint
from journey_stream.worker.batch import Processor
from journey_stream.worker.config import Settings
from journey_stream.worker.outbox import Outbox
from journey_stream.worker.routing import Routed, Routing
from journey_stream.worker.run import GC_THRESHOLDS

BATCH_RECORDS = 2_000
TENTHS = 10
DAY_MS = 86_400_000
START_MS = 1_767_225_600_000
SPAN_MS = 20 * DAY_MS


Row = tuple[str, ...]


class Logged(NamedTuple):
    """A record of the log, as a consumer hands it over."""

    key: bytes
    value: bytes
    timestamp: int
    offset: int
    headers: tuple[tuple[str, bytes], ...] = ()


def collect_as_worker() -> None:
    """Collect garbage as often as a worker does."""
    gc.set_threshold(*GC_THRESHOLDS)
    gc.freeze()


def logged(records: Iterable[Made]) -> Iterator[Logged]:
    """What the router makes of valid source records, spared its validation; no links."""
    for offset, made in enumerate(records):
        admitted = Admitted(made.owner.decode(), made.timestamp_ms, made.value)
        value = encode_touchpoint(admitted, Source(SOURCES[made.source], 0, offset), made.key)
        yield Logged(made.owner, value, made.timestamp_ms, offset)


class Subject:
    """One engine under measurement, and what came of it so far."""

    def __init__(self, features: Features, workload: Workload) -> None:
        self.features = features
        settings = Settings(partitions=1)
        self.processor = Processor(Partition(features.model, None, find_scorer(features.churn)), "log", 0)
        self._outbox = Outbox(settings, 0)
        self._routing = Routing(settings, 1, features.model.policy())
        self._log = settings.topics.log, 0
        # Everybody gets the same records, made anew for each so that none waits in memory.
        self._made = evenly(workload)
        self._passed: list[Logged] = []
        self._offset = self._sources = 0
        self.seconds: list[float] = []
        """Processor time of each batch, by touchpoint that a source sent."""
        self.changes = self.risks = self.drained = self.links = self.forwards = 0

    def fill(self, count: int) -> None:
        """Process `count` touchpoints, unmeasured."""
        while count > 0:
            self._process(self._batch(min(BATCH_RECORDS, count)))
            count -= BATCH_RECORDS
        self.changes = self.risks = self.drained = self.links = self.forwards = 0

    def run(self) -> None:
        """Process and measure a batch."""
        batch = self._batch(BATCH_RECORDS)
        begun = time.process_time()
        self._process(batch)
        self.seconds.append((time.process_time() - begun) / BATCH_RECORDS)

    def _batch(self, count: int) -> list[Logged]:
        """What the log has next: so many touchpoints with their links, and what was passed on in the batch before."""
        records, self._passed = self._passed, []
        routed = Routed.none()
        for made in islice(self._made, count):
            source = Logged(made.key, made.value, made.timestamp_ms, self._sources)
            self._routing.route(SOURCES[made.source], 0, [source], made.timestamp_ms, routed)
            self._sources += 1
        self.links += routed.written["link"]
        records += [self._appended(*row) for row in routed.log[0]]
        return records

    def _appended(self, key: bytes, value: bytes, headers: object, timestamp: int) -> Logged:
        del headers
        self._offset += 1
        return Logged(key, value, timestamp, self._offset - 1)

    def _process(self, records: list[Logged]) -> None:
        batch = self.processor.process(records)
        messages = self._outbox.messages(batch)
        self._passed = [self._appended(*row) for row in messages.get(self._log, ())]
        self.forwards += len(self._passed)
        self.changes += len(batch.changes)
        self.risks += len(batch.risks)
        self.drained += sum(len(key) + len(value or b"") for key, value in batch.changelog)


def measure(customers: int, held: int, measured: int, alternatives: list[Features], mix: Mix | None) -> list[Row]:
    """The rows of one shape."""
    fill = customers * held
    workload = Workload(fill + measured, customers, START_MS, SPAN_MS, mix=mix)
    subjects = [Subject(features, workload) for features in alternatives]
    for subject in subjects:
        subject.fill(fill)
    batches = measured // BATCH_RECORDS
    for number in range(batches):
        # Back and forth, so that none always comes right after the same other one.
        for subject in subjects if number % 2 else subjects[::-1]:
            subject.run()
    events = batches * BATCH_RECORDS
    first = mean(subjects[0].seconds)
    return [
        (
            f"{customers:,}",
            f"{held:,}",
            "on" if subject.features.identity else "off",
            subject.features.churn,
            f"{mean(subject.seconds) * 1e6:.2f}",
            f"{min(_tenths(subject.seconds)) * 1e6:.2f}-{max(_tenths(subject.seconds)) * 1e6:.2f}",
            f"{mean(subject.seconds) / first:.2f}",
            f"{1 / mean(subject.seconds):,.0f}",
            f"{subject.drained / events:,.0f}",
            f"{subject.links / events:.3f}",
            f"{subject.forwards / events:.3f}",
            f"{subject.changes / events:.3f}",
            f"{subject.risks / events:.3f}",
            f"{subject.processor.engine.state_bytes / 2**20:,.0f}",
            f"{psutil.Process().memory_info().rss / 2**20:,.0f}",
        )
        for subject in subjects
    ]


def _tenths(seconds: list[float]) -> list[float]:
    """Their means, of one tenth after the other."""
    return [
        mean(seconds[place * len(seconds) // TENTHS : (place + 1) * len(seconds) // TENTHS]) for place in range(TENTHS)
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
    parser.add_argument("--identity", default="off", help="off, on, or off,on")
    parser.add_argument("--anonymous", type=float, default=0.0, help="share of touchpoints with only a device_id")
    parser.add_argument("--logins", type=float, default=0.0, help="share of touchpoints with device_id and customer_id")
    parser.add_argument("--title")
    options = parser.parse_args()
    if options.measured < TENTHS * BATCH_RECORDS:
        parser.error(f"--measured: at least {TENTHS * BATCH_RECORDS:,} touchpoints, one batch in each tenth")
    mix = Mix(options.anonymous, options.logins)
    alternatives = [
        Features(options.segments, identity == "on", churn)
        for identity, churn in product(options.identity.split(","), options.churn.split(","))
    ]
    collect_as_worker()
    rows = []
    for shape in options.shapes.split(","):
        customers, held = map(int, shape.split("x"))
        for row in measure(customers, held, options.measured, alternatives, mix):
            rows.append(row)
            print(" | ".join(row), flush=True)
    head = (
        *("customers", "held by each", "identity", "churn", "µs per touchpoint", "from-to", "ratio", "touchpoints/s"),
        *("state bytes drained per touchpoint", "links per touchpoint", "forwards per touchpoint"),
        *("changes per touchpoint", "risk changes per touchpoint", "state MiB", "process RSS MiB"),
    )
    body = (
        f"Decode, apply, drain and encode, one process, one partition, {options.measured:,} touchpoints per row. "
        f"{mix} Decided: {'; '.join(map(str, alternatives))}. {admission(200_000)}"
        f"\n\n{report.table(head, rows)}"
    )
    report.publish(options.title, body)


if __name__ == "__main__":
    main()
