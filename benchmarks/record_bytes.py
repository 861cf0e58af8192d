"""How many records of how many bytes a touchpoint makes on every topic, without a broker.

    python -m benchmarks.record_bytes [--touchpoints 100000 --customers 10000] [--features stages,full] [--title ...]

Touchpoints are those of the race. Bytes are of key, value and headers, as they are before compression; Kafka adds about
ten to each record and sixty to each batch. No clock is read, so every machine prints the same.
"""

import argparse
from collections import Counter
from collections.abc import Iterable
from itertools import islice

from benchmarks import report
from benchmarks.engine import BATCH_RECORDS, DAY_MS, SPAN_MS, START_MS, Logged
from benchmarks.features import BY_NAME, Features
from benchmarks.workload import SOURCES, Workload, touchpoints
from journey_stream.churn.load import find_scorer
from journey_stream.engine.partition import Partition
from journey_stream.worker.batch import Processor
from journey_stream.worker.config import Settings
from journey_stream.worker.outbox import Outbox, Row
from journey_stream.worker.routing import Routed, Routing


class Tally:
    """Records and their bytes by topic."""

    def __init__(self) -> None:
        self.records: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def add(self, topic: str, rows: Iterable[Row]) -> None:
        for key, value, headers, _ in rows:
            self.records[topic] += 1
            self.bytes[topic] += len(key or b"") + len(value or b"")
            self.bytes[topic] += sum(len(name) + len(content or b"") for name, content in headers)


def count(features: Features, events: int, customers: int) -> Tally:
    """All that one router and one task write of so many touchpoints; the sources under the name `sources`."""
    settings = Settings(partitions=1)
    log = settings.topics.log
    processor = Processor(Partition(features.model, None, find_scorer(features.churn)), log, 0)
    outbox, routing = Outbox(settings, 0), Routing(settings, 1, features.model.policy())
    made = touchpoints(Workload(events, customers, START_MS, SPAN_MS))
    tally, passed, next_offset, read = Tally(), list[Row](), 0, 0
    while batch := list(islice(made, BATCH_RECORDS)):
        routed = Routed.none()
        for one in batch:
            source = Logged(one.key, one.value, one.timestamp_ms, read)
            read += 1
            tally.add("sources", [(source.key, source.value, (), None)])
            routing.route(SOURCES[one.source], 0, [source], one.timestamp_ms, routed)
        rows = [*passed, *routed.log[0]]
        tally.add(log, rows)
        records = [
            Logged(key or b"", value or b"", timestamp or 0, next_offset + number)
            for number, (key, value, _, timestamp) in enumerate(rows)
        ]
        next_offset += len(records)
        messages = outbox.messages(processor.process(records))
        passed = list(messages.pop((log, 0), ()))
        for (topic, _), found in messages.items():
            tally.add(topic, found)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.record_bytes")
    parser.add_argument("--touchpoints", type=int, default=100_000)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--features", default="stages,full", help=f"some of {', '.join(BY_NAME)}, with commas")
    parser.add_argument("--title")
    options = parser.parse_args()
    rows = []
    for name in options.features.split(","):
        tally = count(BY_NAME[name], options.touchpoints, options.customers)
        rows += [
            (
                name,
                topic,
                f"{records / options.touchpoints:.3f}",
                f"{tally.bytes[topic] / records:,.0f}",
                f"{tally.bytes[topic] / options.touchpoints:,.0f}",
            )
            for topic, records in sorted(tally.records.items())
        ]
    head = ("decided", "topic", "records per touchpoint", "bytes per record", "bytes per touchpoint")
    decided = {name: BY_NAME[name] for name in options.features.split(",")}
    body = (
        f"{options.touchpoints:,} touchpoints of {options.customers:,} customers in {SPAN_MS // DAY_MS} days, "
        f"batches of {BATCH_RECORDS:,}. {report.features(decided)}\n\n{report.table(head, rows)}"
    )
    report.publish(options.title, body)


if __name__ == "__main__":
    main()
