"""The race: the same job on each system, on one real broker, in turn, medians of several rounds.

python -m benchmarks.run                                            the real one
python -m benchmarks.run --events 200000 --warm-up 50000 --repeats 1 --only ours,kafka-streams     a quick look

What identity costs: first where no touchpoint names more than its customer, then with anonymous ones and log-ins.

python -m benchmarks.run --anonymous 0 --logins 0 --only ours,ours-identity
python -m benchmarks.run --anonymous 0.3 --logins 0.02 --only ours,ours-identity,kafka-streams
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks import report
from benchmarks.race import Result, Shape, benchmark_broker, run_once
from benchmarks.systems import SYSTEMS
from benchmarks.workload import Mix

EVERYBODY_NAMED = "Each touchpoint carries its customer_id and one more identifier."
REPARTITIONED = (
    "Where identity is off, and in the other systems, a touchpoint belongs to its highest identifier for good: it is "
    "repartitioned by that, and what a device did stays apart from its customer."
)
DEFAULT = ("ours", "kafka-streams", "kafka-streams-no-repartition", "quix-streams", "faust", "floor")


def main() -> None:
    options = _options()
    shape = Shape(options.events, options.warm_up, options.customers, options.partitions, options.days, mix=options.mix)
    systems = [SYSTEMS[name] for name in options.only]
    results: list[Result] = []
    with (
        tempfile.TemporaryDirectory(prefix="journey-stream-race-", dir=options.directory) as scratch,
        benchmark_broker(Path(scratch)) as broker,
    ):
        for round_ in range(options.repeats):
            for system in systems:
                result = run_once(broker, system, shape)
                results.append(result)
                print(_line(round_, result), flush=True)
    body = (
        f"{options.events:,} events after a warm-up of {options.warm_up:,}, {options.customers:,} customers, "
        f"4 sources of {options.partitions} partitions, {options.partitions} tasks, "
        f"{options.days:g} days of event time. {options.mix or EVERYBODY_NAMED}"
        f"{' ' + REPARTITIONED if options.mix else ''}\n\n"
        f"{report.features({system.name: system.features for system in systems})}\n\n"
        f"{report.race_table(results)}"
    )
    report.publish(options.title, body)


def _line(round_: int, result: Result) -> str:
    return (
        f"round {round_ + 1}  {result.system:30} {result.events_per_second:>10,.0f} events/s  "
        f"{result.cpu_seconds_per_million:6.1f} CPU s and "
        f"{result.broker_cpu_seconds / result.events * 1e6:5.1f} of the broker per million  "
        f"{result.rss_bytes_max / 2**20:7,.0f} MiB  "
        f"{result.changelog_bytes / result.events:6.0f} changelog bytes per event"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Race the systems on one broker.")
    parser.add_argument("--events", type=int, default=2_400_000, help="measured, after the warm-up")
    parser.add_argument("--warm-up", type=int, default=600_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--partitions", type=int, default=4, help="of each source, and tasks")
    parser.add_argument("--days", type=float, default=20.0, help="event time that the events cover")
    parser.add_argument("--anonymous", type=float, help="share of touchpoints that carry only a device_id")
    parser.add_argument("--logins", type=float, help="share of touchpoints that carry device_id and customer_id")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default=",".join(DEFAULT), help=f"some of {', '.join(SYSTEMS)}")
    parser.add_argument("--title", help="append to RESULTS.md under this title; without it, print only")
    parser.add_argument("--directory", type=Path, help="where the broker keeps its data; a temporary one")
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = set(options.only) - set(SYSTEMS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(SYSTEMS)}")
    options.mix = None
    if options.anonymous is not None or options.logins is not None:
        options.mix = Mix(options.anonymous or 0.0, options.logins or 0.0)
    return options


if __name__ == "__main__":
    main()
