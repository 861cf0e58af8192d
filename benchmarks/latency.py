"""End-to-end latency at a steady rate: from produce to what a subscriber of committed records reads.

    python -m benchmarks.latency [--rate 5000 --seconds 60 --warm-up 30 --only ours,kafka-streams] [--title ...]

One touchpoint in ten is the first of a new customer, so that it has a consequence for certain; the time from handing it
to the producer until its stage change has been read is what is measured. The others go to 100,000 customers.
"""

import argparse
import contextlib
import tempfile
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from confluent_kafka import Message, Producer

from benchmarks import report
from benchmarks.meter import Meter, broker_pid
from benchmarks.observer import Observer
from benchmarks.race import benchmark_broker, check_alive, make_topics, new_job, running
from benchmarks.systems import SYSTEMS, Job
from benchmarks.workload import Workload, evenly, sentinel
from tests.support.kafka import KafkaBroker

PARTITIONS = 4
CUSTOMERS = 100_000
PROBE_EVERY = 10
BEAT_SECONDS = 0.005
SETTLE_SECONDS = 30.0
START_SECONDS_MAX = 120.0
VARIANTS: Mapping[str, tuple[str, tuple[tuple[str, object], ...]]] = {
    "ours": ("ours", (("ticks", True),)),  # the events are of now, so timers may ring as they do in service
    "ours-identity": ("ours-identity", (("ticks", True),)),
    "ours-full": ("ours-full", (("ticks", True),)),
    "kafka-streams": ("kafka-streams", ()),  # commit.interval.ms is 100 by default when exactly once
    "kafka-streams-10ms": ("kafka-streams", (("commit.interval.ms", "10"),)),
    "quix-streams": ("quix-streams", ()),
}


class Probes:
    """Sent and not yet answered touchpoints, and how long the answers took."""

    def __init__(self) -> None:
        self.sent: dict[bytes, float] = {}
        self.seconds: list[float] = []
        self.counting = False

    def answered(self, message: Message, now: float) -> None:
        """A stage change was read. Only the first of a customer counts."""
        begun = self.sent.pop(message.key(), None)
        if begun is not None and self.counting:
            self.seconds.append(now - begun)


class Traffic:
    """Touchpoints at a steady rate, produced at once (no linger), with event times of now."""

    def __init__(self, job: Job, probes: Probes, rate: int) -> None:
        self._job, self._probes, self._rate = job, probes, rate
        self._producer = Producer({"bootstrap.servers": job.bootstrap, "linger.ms": 0, "log_level": 3})
        self._numbers = count()

    def run(self, seconds: float) -> float:
        """Keep the rate for a time; returns the rate that was reached."""
        events = int(seconds * self._rate)
        now_ms = int(time.time() * 1000)
        made = evenly(Workload(events, CUSTOMERS, now_ms, int(seconds * 1000), seed=now_ms))
        begun, sent = time.monotonic(), 0
        while sent < events:
            due = int((time.monotonic() - begun) * self._rate)
            for record in (next(made) for _ in range(min(due, events) - sent)):
                sent += 1
                if sent % PROBE_EVERY:
                    self._send(record.source, record.value, record.key)
                else:
                    self._probe()
            self._producer.poll(0)
            time.sleep(BEAT_SECONDS)
        self._producer.flush()
        return sent / (time.monotonic() - begun)

    def _probe(self) -> None:
        name = f"new-{self._job.name}-{next(self._numbers)}"
        self._probes.sent[name.encode()] = time.monotonic()
        self._send(0, sentinel(name, int(time.time() * 1000)), name.encode())

    def _send(self, source: int, value: bytes, key: bytes) -> None:
        self._producer.produce(self._job.sources[source], value, key)


def measure(broker: KafkaBroker, variant: str, rate: int, warm_up: float, seconds: float) -> tuple[str, ...]:
    """One row of the table."""
    name, settings = VARIANTS[variant]
    system = SYSTEMS[name]
    job = new_job(broker, system, PARTITIONS, settings)
    make_topics(broker, system, job)
    probes = Probes()
    traffic = Traffic(job, probes, rate)
    with (
        contextlib.closing(Observer(broker.bootstrap, job.output, PARTITIONS)) as observer,
        running(system.commands(job), job.directory) as processes,
        contextlib.closing(Meter([process.pid for process in processes])) as meter,
        contextlib.closing(Meter([broker_pid()])) as broker_meter,
    ):
        observer.on_message = probes.answered
        alive = check_alive(processes, job.directory)
        traffic.run(1.0)
        _until_answered(probes, START_SECONDS_MAX, alive)
        traffic.run(warm_up)
        _until_answered(probes, SETTLE_SECONDS, alive)
        probes.counting = True
        cpu, broker_cpu = meter.cpu_seconds(), broker_meter.cpu_seconds()
        reached = traffic.run(seconds)
        cpu, broker_cpu = meter.cpu_seconds() - cpu, broker_meter.cpu_seconds() - broker_cpu
        _until_answered(probes, SETTLE_SECONDS, alive)
    took = sorted(probes.seconds)
    quantiles = [took[int(len(took) * share)] * 1000 for share in (0.50, 0.95, 0.99)]
    return (
        variant,
        f"{reached:,.0f}",
        f"{len(took):,}",
        *(f"{quantile:.0f}" for quantile in quantiles),
        f"{took[-1] * 1000:.0f}",
        f"{100 * cpu / seconds:.0f}",
        f"{100 * broker_cpu / seconds:.0f}",
    )


def _until_answered(probes: Probes, seconds_max: float, alive: object) -> None:
    """Wait until every probe has been answered."""
    assert callable(alive)
    deadline = time.monotonic() + seconds_max
    while probes.sent:
        alive()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{len(probes.sent)} stage changes did not come within {seconds_max:.0f} s")
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency")
    parser.add_argument("--rate", type=int, default=5_000, help="touchpoints per second")
    parser.add_argument("--warm-up", type=float, default=30.0, help="seconds at that rate before measuring")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--only", default="ours,kafka-streams,kafka-streams-10ms", help=", ".join(VARIANTS))
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--title")
    options = parser.parse_args()
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="journey-stream-latency-") as scratch,
        benchmark_broker(Path(scratch)) as broker,
    ):
        for _ in range(options.repeats):
            for variant in options.only.split(","):
                rows.append(measure(broker, variant, options.rate, options.warm_up, options.seconds))
                print(" | ".join(rows[-1]), flush=True)
    decided = {variant: SYSTEMS[VARIANTS[variant][0]].features for variant in options.only.split(",")}
    head = ("system", "touchpoints/s", "probes", "p50 ms", "p95 ms", "p99 ms", "max ms", "CPU %", "broker CPU %")
    body = (
        f"{options.seconds:g} s at {options.rate:,} touchpoints/s after a warm-up of {options.warm_up:g} s, "
        f"{PARTITIONS} tasks, {CUSTOMERS:,} customers.\n\n{report.features(decided)}\n\n{report.table(head, rows)}"
    )
    report.publish(options.title, body)


if __name__ == "__main__":
    main()
