"""A million customers fall silent: what the timers of their churn risk cost in memory and processor time.

    python -m benchmarks.timers [--customers 1000000 --days 400 --churn completejourney] [--title ...]

Every customer buys three times within three weeks and is never heard of again. Then time passes in silence, by ticks
of an hour, until nothing can happen any more or the days are over. It is done twice, with churn risk and without, each
in a process of its own; both decide the silences of the preset six-stages: the difference is what churn risk costs.
`--features full` adds segments and identity to both.
"""

import argparse
import multiprocessing
import time
from collections.abc import Callable

import psutil

from benchmarks import report
from benchmarks.engine import BATCH_RECORDS, DAY_MS, START_MS, Logged, collect_as_worker
from benchmarks.features import BY_NAME, Features
from journey_stream.churn.load import NONE, find_scorer
from journey_stream.engine.partition import Partition
from journey_stream.events.admission import Admitted
from journey_stream.events.log import Source, encode_tick, encode_touchpoint
from journey_stream.events.times import HOUR_MS, rfc3339
from journey_stream.worker.batch import Processor

PURCHASES = 3
SPREAD_MS = 7 * DAY_MS
Result = dict[str, float]


def silence(customers: int, days: int, features: Features) -> Result:
    """Everybody buys, and then nobody does anything."""
    collect_as_worker()
    processor = Processor(Partition(features.model, None, find_scorer(features.churn)), "log", 0)
    engine = processor.engine
    before = _rss_bytes()
    begun = time.process_time()
    _buy(processor, customers)
    bought, resident, filled = time.process_time() - begun, _rss_bytes() - before, engine.state_bytes
    silent_from = engine.clock
    begun, changes, rung, busiest = time.process_time(), 0, engine.counters.timers, 0.0
    while (due := engine.next_timer()) is not None and due <= silent_from + days * DAY_MS:
        clock = max(due, engine.clock + HOUR_MS)
        started = time.process_time()
        batch = processor.process([Logged(None, encode_tick(clock), clock, processor.next_offset)])  # type: ignore[arg-type]
        busiest = max(busiest, time.process_time() - started)
        changes += len(batch.risks)
    seconds = time.process_time() - begun
    rung = engine.counters.timers - rung
    return {
        "seconds of processor time to buy": bought,
        "resident MiB after that": resident / 2**20,
        "state MiB after that": filled / 2**20,
        "timers rung in silence": rung,
        "changes of risk in silence": changes,
        "seconds of processor time in silence": seconds,
        "microseconds per timer": seconds / rung * 1e6 if rung else 0.0,
        "seconds of the busiest hour": busiest,
        "state MiB in the end": engine.state_bytes / 2**20,
    }


def _buy(processor: Processor, customers: int) -> None:
    waiting: list[Logged] = []
    step = SPREAD_MS / customers
    for purchase in range(PURCHASES):
        for number in range(customers):
            at = START_MS + purchase * SPREAD_MS + int(number * step)
            value = b'{"event_id":"p%d-%d","occurred_at":"%b","channel":"store","type":"purchase","value":%d.5}' % (
                *(purchase, number, rfc3339(at).encode(), 5 + number % 60),
            )
            admitted = Admitted(f"c{number}", at, value)
            logged = encode_touchpoint(admitted, Source("touchpoints.store", 0, number), None)
            waiting.append(Logged(b"c%d" % number, logged, at, processor.next_offset + len(waiting)))
            if len(waiting) == BATCH_RECORDS:
                processor.process(waiting)
                waiting = []
    processor.process(waiting)


def _rss_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


def _alone(work: Callable[..., Result], *arguments: object) -> Result:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.timers")
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=400, help="of silence")
    parser.add_argument("--churn", default="completejourney", help="parameters of churn risk")
    parser.add_argument("--features", choices=BY_NAME, default="stages", help="what is decided besides")
    parser.add_argument("--title")
    options = parser.parse_args()
    both = [BY_NAME[options.features]._replace(churn=churn) for churn in (NONE, options.churn)]
    without, found = (_alone(silence, options.customers, options.days, features) for features in both)
    body = (
        f"{options.customers:,} customers buy {PURCHASES} times each and fall silent for {options.days} days; one "
        f"partition, no broker. Decided: {both[0]}; and the same with churn risk on.\n\n"
        + report.table(
            ("what", "without churn risk", f"with {options.churn}"),
            [(name, f"{without[name]:,.1f}", f"{value:,.1f}") for name, value in found.items()],
        )
    )
    report.publish(options.title, body)


if __name__ == "__main__":
    main()
