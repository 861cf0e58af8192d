"""How the throughput of journey-stream changes with tasks and with customers.

python -m benchmarks.scaling [--tasks 1,2,4,8,16 --customers 10000,100000,1000000 --events 600000] [--title ...]
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks import report
from benchmarks.race import Result, Shape, benchmark_broker, run_once
from benchmarks.systems import SYSTEMS

TASKS, CUSTOMERS = 4, 100_000


def row(shape: Shape, result: Result) -> tuple[str, ...]:
    return (
        f"{shape.partitions}",
        f"{shape.customers:,}",
        f"{result.events_per_second:,.0f}",
        f"{result.cpu_seconds_per_million:.1f}",
        f"{result.broker_cpu_seconds / result.events * 1e6:.1f}",
        f"{result.rss_bytes_max / 2**20:,.0f}",
        f"{result.changelog_bytes / result.events:,.0f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling")
    parser.add_argument("--tasks", default="1,2,4,8,16", help=f"each with {CUSTOMERS:,} customers")
    parser.add_argument("--customers", default="10000,1000000", help=f"each with {TASKS} tasks")
    parser.add_argument("--events", type=int, default=600_000)
    parser.add_argument("--warm-up", type=int, default=200_000)
    parser.add_argument("--system", default="ours", choices=SYSTEMS)
    parser.add_argument("--title")
    options = parser.parse_args()
    shapes = [Shape(options.events, options.warm_up, CUSTOMERS, int(tasks)) for tasks in options.tasks.split(",")]
    shapes += [Shape(options.events, options.warm_up, int(n), TASKS) for n in options.customers.split(",")]
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="journey-stream-scaling-") as scratch,
        benchmark_broker(Path(scratch)) as broker,
    ):
        for shape in shapes:
            rows.append(row(shape, run_once(broker, SYSTEMS[options.system], shape)))
            print(" | ".join(rows[-1]), flush=True)
    head = (
        *("tasks", "customers", "events/s", "CPU s per million", "broker CPU s per million"),
        *("peak RSS MiB", "changelog bytes per event"),
    )
    body = (
        f"{options.system}: {options.events:,} events after a warm-up of {options.warm_up:,}; each source topic has as "
        f"many partitions as there are tasks. Decided: {SYSTEMS[options.system].features}.\n\n"
        f"{report.table(head, rows)}"
    )
    report.publish(options.title, body)


if __name__ == "__main__":
    main()
