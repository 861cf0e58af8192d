"""How fast the projection takes records of the topics into DuckDB: read, decoded, written, committed.

    python -m benchmarks.projection [--records 600000 --customers 100000 --batch 60000]

Records are as workers write them, decoded from their bytes: of thirteen, six touchpoints and a delivery (one of the six
is anonymous, and passed on by its device), two stage changes (one in twenty takes back the one before), one churn-risk
change, and three views. No broker is measured: fetching is another process's work and the network's. Every batch is
committed to a file.
"""

import argparse
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import machine
from journey_stream.events.decisions import ProfileChanged, RiskChanged, RiskContribution, StageChanged
from journey_stream.events.erasures import UNKEYED, Erasures
from journey_stream.events.log import Deliver, Passed, encode_message
from journey_stream.events.wire import encode_profile, encode_risk_change, encode_stage_change
from journey_stream.serve.projection.gathering import Gathering
from journey_stream.serve.store.duckdb_store import DuckDBStore
from journey_stream.serve.store.meta import Origin
from journey_stream.serve.store.writer import Writer
from journey_stream.worker.config import Settings

START_MS = 1_750_000_000_000
STEP_MS = 500


class Record(NamedTuple):
    key: bytes
    value: bytes
    timestamp: int
    offset: int
    headers: tuple[tuple[str, bytes], ...] = ()


def records(count: int, customers: int, topics: Any) -> Iterator[tuple[str, Record]]:
    """Topic and record, in the order of time."""
    rng = random.Random(7)
    revisions: dict[int, int] = defaultdict(int)
    last: dict[int, str] = {}
    offset = 0
    for number in range(count // 12):
        who = rng.randrange(customers)
        key, at = f"c{who}".encode(), START_MS + number * STEP_MS
        ids = [f"{rng.getrandbits(64):016x}" for _ in range(6)]
        for place, event_id in enumerate(ids):
            offset += 1
            owner = f"device_id:d{who}".encode() if place == 0 else key
            yield topics.log, Record(owner, _touchpoint(event_id, at + place, offset), at + place + 40, offset)
        offset += 1
        passed = Deliver(at=at, via=f"device_id:d{who}", touchpoints=[Passed(at, ids[0], "web", "page_view")])
        yield topics.log, Record(key, encode_message(passed), at + 40, offset)
        for event_id in ids[:2]:
            revisions[who] += 1
            is_taken_back = rng.random() < 0.05 and who in last
            change_id = last[who] if is_taken_back else f"{rng.getrandbits(128):032x}"
            last[who] = change_id
            change = StageChanged(
                *(change_id, "retracted" if is_taken_back else "entered", key.decode(), revisions[who], "awareness"),
                *("consideration", at, at - 90_000, True, "touchpoint", "looked-again", "Looked at a product again."),
                *((event_id,), None, None, "six-stages", 3),
            )  # fmt: skip
            yield topics.stage_changes, Record(key, encode_stage_change(change), at, revisions[who])
        why = tuple(RiskContribution(one, 0.31, f"Because of {one}.", at, (ids[0],)) for one in ("recency", "habit"))
        risk = RiskChanged(
            *(f"{rng.getrandbits(128):032x}", "entered", key.decode(), revisions[who], "high", "medium", 0.62, -0.4),
            *(30 * 86_400_000, at, True, "touchpoint", "Comes less often.", (ids[1],), None, why, "default", 1),
        )
        yield topics.churn_risk, Record(key, encode_risk_change(risk), at, number)
        view = ProfileChanged(
            *(key.decode(), revisions[who], "consideration", at, "awareness", "looked-again", at, at, False),
            *("six-stages", 3),
        )
        for _ in range(3):
            yield topics.profiles, Record(key, encode_profile(view), at, number)


def _touchpoint(event_id: str, at: int, offset: int) -> bytes:
    return (
        b'{"kind":"touchpoint","at":%d,"source":["touchpoints.web",3,%d],"touchpoint":{"event_id":"%b","occurred_at":%d,'
        b'"channel":"web","type":"page_view","customer_id":"c1","campaign":"spring","properties":{"url":"/p/17"}}}'
    ) % (at, offset, event_id.encode(), at)


def measure(count: int, customers: int, batch: int, path: Path) -> None:
    topics = Settings().topics
    made = list(records(count, customers, topics))
    batches = []
    for start in range(0, len(made), batch):
        by_topic: dict[str, list[Record]] = defaultdict(list)
        for topic, record in made[start : start + batch]:
            by_topic[topic].append(record)
        batches.append(by_topic)
    store = DuckDBStore(path, Origin("benchmark", "journey."))
    writer = Writer(store.session(), Erasures(UNKEYED))
    gathering = Gathering(topics, Erasures(UNKEYED))
    gathered = written = 0.0
    outputs = sum(topic != topics.log for topic, _ in made)
    begun, cpu = time.perf_counter(), time.process_time()
    for by_topic in batches:
        at = time.perf_counter()
        for topic, found in by_topic.items():
            gathering.add(topic, 0, found)
        gathered += time.perf_counter() - at
        at = time.perf_counter()
        writer.write(gathering.take())
        written += time.perf_counter() - at
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    rows = store.connect().execute("SELECT count(*) FROM touchpoints WHERE NOT refused").fetchall()[0][0]
    store.close()
    print(machine.description())
    print(
        f"{len(made):,} records ({outputs:,} of output topics) in {len(batches)} batches: {seconds:.1f} s, "
        f"{len(made) / seconds:,.0f} records/s; reading and decoding {gathered:.1f} s, writing {written:.1f} s; "
        f"{cpu:.1f} s of processor time, {len(made) / cpu:,.0f} records per second of it; {rows:,} touchpoints count; "
        f"file {path.stat().st_size / 2**20:.0f} MiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=600_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--batch", type=int, default=60_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        measure(chosen.records, chosen.customers, chosen.batch, Path(directory) / "map.duckdb")


if __name__ == "__main__":
    main()
