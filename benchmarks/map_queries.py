"""How long the questions of the journey map take over ten million stage changes of a million customers.

    python -m benchmarks.map_queries [--customers 1000000 --changes 10 --touchpoints 3 --repeats 15] [--title ...]

The rows are made inside the database, each number by hashing: customers go through six stages at their own pace, a
fifth of the changes are silences, one touchpoint in three has one of 24 campaigns. Each question is asked `--repeats`
times, with nothing cached between but what the service always has at hand for a filtered map, the names to filter by.
The map without a filter, which the service answers from what it computed when the version changed, is measured as it is
computed. Beside the time on the clock stands that of the processor, all threads together: on a machine with other work
it is the one to compare.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

import duckdb

from benchmarks import report
from journey_stream.events.times import DAY_MS
from journey_stream.journey.load import preset
from journey_stream.serve.api.parameters import KEYS
from journey_stream.serve.queries.attribution import attribution
from journey_stream.serve.queries.cohorts import cohorts
from journey_stream.serve.queries.connection import DIALECTS
from journey_stream.serve.queries.customers import Search, customers
from journey_stream.serve.queries.facts import Facts
from journey_stream.serve.queries.filters import EVERYTHING, Filter
from journey_stream.serve.queries.journey_map import journey_map
from journey_stream.serve.queries.options import options as options_of
from journey_stream.serve.queries.person import person
from journey_stream.serve.queries.reading import Reading, read
from journey_stream.serve.store.schema import ddl

START_MS, SPAN_DAYS = 1_483_228_800_000, 730
DUCKDB = DIALECTS["duckdb"]
STAGES = "['awareness', 'consideration', 'decision', 'purchase', 'retention', 'advocacy']"
CHANNELS = "['web', 'email', 'store', 'crm', 'social']"
TYPES = "['page_view', 'clicked', 'purchase', 'visit', 'search', 'call']"
MIX = "CAST(hash({0} * 7919 + {1}) % {2} AS BIGINT)"
"""A number below {2}, by hashing {0}, different for each {1}."""


def fill(connection: duckdb.DuckDBPyConnection, customers_: int, changes: int, touchpoints: int) -> None:
    """Views, touchpoints and standing changes, into the empty tables of a store."""

    def mix(of: str, salt: int, below: int | str) -> str:
        return MIX.format(of, salt, below)

    span = SPAN_DAYS * DAY_MS
    connection.execute(
        f"INSERT INTO touchpoints BY NAME SELECT 'e' || i AS event_id, {START_MS} + {mix('i', 1, span)} AS occurred_at,"
        f" occurred_at AS arrived_at, 'c' || i // {touchpoints} AS owner_id, owner_id AS profile_id, "
        f"{CHANNELS}[1 + {mix('i', 2, 5)}] AS channel, {TYPES}[1 + ({mix('i', 2, 5)} + {mix('i', 3, 2)}) % 6] AS type, "
        f"CASE WHEN {mix('i', 4, 3)} = 0 THEN 'campaign-' || {mix('i', 5, 24)} END AS campaign, false AS refused, "
        f"false AS rejected, 't' AS source_topic, 0 AS source_partition, i AS source_offset, 0 AS log_partition, "
        f"i AS log_offset FROM range({customers_ * touchpoints}) g(i)"
    )
    each = span // changes
    # One change in five is a silence that leads back to the first stage; the others lead on to the next one.
    silent = f"{mix('i', 5, 5)} = 0"
    before = f"CASE WHEN {mix('(i - 1)', 5, 5)} = 0 THEN 1 ELSE 1 + (n + j - 1) % 6 END"
    connection.execute(
        f"INSERT INTO stage_messages BY NAME SELECT 'c' || n AS profile_id, j + 1 AS revision, 'h' || i AS change_id, "
        f"'entered' AS kind, CASE WHEN j > 0 THEN {STAGES}[{before}] END AS from_stage, "
        f"{STAGES}[CASE WHEN {silent} THEN 1 ELSE 1 + (n + j) % 6 END] AS to_stage, "
        f"{START_MS} + j * {each} + {mix('i', 2, each)} AS entered_at, "
        f"CASE WHEN j > 0 THEN floor(exp({mix('i', 3, 1_000_000)} / 64000.0) * 1000) / 1000 END "
        f"AS seconds_in_previous, "
        f"true AS current, 'touchpoint' AS cause, 'rule' AS rule, 'Because of this' AS text, "
        f"'[\"e' || n * {touchpoints} + {mix('i', 4, touchpoints)} || '\"]' AS evidence, "
        f"CASE WHEN {silent} THEN 0 END AS silent_since, 'six-stages' AS model_name, 2 AS model_version, "
        f"true AS standing "
        f"FROM (SELECT i, i // {changes} AS n, i % {changes} AS j FROM range({customers_ * changes}) g(i))"
    )
    connection.execute(
        f"INSERT INTO profiles BY NAME SELECT 'c' || i AS profile_id, {STAGES}[1 + {mix('i', 1, 6)}] AS stage, "
        f"{START_MS} + {mix('i', 2, span)} AS entered_at, 'rule' AS rule, {START_MS} + {mix('i', 3, span)} AS "
        f"last_touchpoint_at, {START_MS + span} AS updated_at, false AS overflow, '[]' AS identifiers, "
        f"['low', 'medium', 'high', 'critical', NULL][1 + {mix('i', 4, 5)}] AS band, 0.5 AS probability, "
        f"['loyal', 'lost', 'new', NULL][1 + {mix('i', 5, 4)}] AS segment, {changes} AS revision "
        f"FROM range({customers_}) g(i)"
    )


def add_rows(parser: argparse.ArgumentParser) -> None:
    """The options that say what to `fill`, and where."""
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--changes", type=int, default=10, help="per customer")
    parser.add_argument("--touchpoints", type=int, default=3, help="per customer")
    parser.add_argument(
        "--directory", help="where the database is made; the system's place for such files if not given"
    )


def rows_of(options: argparse.Namespace) -> str:
    """What these options fill, in words."""
    return (
        f"{options.customers:,} customers, {options.customers * options.changes:,} standing changes, "
        f"{options.customers * options.touchpoints:,} touchpoints"
    )


def measured(ask: Callable[[], object], repeats: int) -> tuple[float, float, float]:
    """Median and 95th percentile of its milliseconds, and the median of those of processor time."""
    ask()
    times, busy = [], []
    for _ in range(repeats):
        begun, begun_busy = time.perf_counter(), time.process_time()
        ask()
        times.append((time.perf_counter() - begun) * 1000)
        busy.append((time.process_time() - begun_busy) * 1000)
    percentiles = quantiles(times, n=20, method="inclusive")
    return percentiles[9], percentiles[18], median(busy)


def filters() -> dict[str, Filter]:
    quarter = {"from_ms": START_MS + 200 * DAY_MS, "to_ms": START_MS + 290 * DAY_MS}
    return {
        "no filter": EVERYTHING,
        "a quarter": Filter(**quarter),
        "a channel": Filter(channel="email"),
        "a campaign": Filter(campaign="campaign-7"),
        "a segment": Filter(segment="loyal"),
        "a channel in a quarter": Filter(channel="email", **quarter),
        "everything at once": Filter(channel="email", campaign="campaign-7", segment="loyal", **quarter),
    }


def main() -> None:
    options = _options()
    model = preset("six-stages")
    with tempfile.TemporaryDirectory(prefix="journey-stream-map-", dir=options.directory) as scratch:
        connection = duckdb.connect(str(Path(scratch) / "journey.duckdb"))
        for statement in ddl("duckdb"):
            connection.execute(statement)
        begun = time.perf_counter()
        fill(connection, options.customers, options.changes, options.touchpoints)
        connection.execute("INSERT INTO meta VALUES ('version', '1')")
        filled = time.perf_counter()
        facts = Facts(DUCKDB)
        facts.refresh(connection)
        read_ = time.perf_counter()
        print(f"filled in {filled - begun:.0f} s, all facts read in {read_ - filled:.0f} s", flush=True)
        some = [f"c{number}" for number in random.Random(1).sample(range(options.customers), 100)]

        def asked(chosen: Filter, question: Callable[[Reading], object]) -> Callable[[], object]:
            def ask() -> object:
                with read(connection, DUCKDB, chosen) as reading:
                    return question(reading)

            return ask

        def found(chosen: Filter, search: Search) -> Callable[[], object]:
            return asked(chosen, lambda reading: customers(reading, search))

        with read(connection, DUCKDB, EVERYTHING) as reading:
            names = options_of(reading)

        def map_of(chosen: Filter) -> Callable[[], object]:
            known = None if chosen == EVERYTHING else names
            return asked(chosen, lambda reading: journey_map(reading, model.stages, known))

        questions: dict[str, Callable[[], object]] = {
            f"map, {name}": map_of(chosen) for name, chosen in filters().items()
        }
        questions |= {f"cohorts, {name}": asked(chosen, cohorts) for name, chosen in filters().items()}

        def credits_(chosen: Filter, by: str, look_back_days: int) -> Callable[[], object]:
            return asked(chosen, lambda reading: attribution(reading, "purchase", by, look_back_days))

        questions |= {f"attribution by {by}, no filter": credits_(EVERYTHING, by, 30) for by in KEYS}
        questions |= {f"attribution, {days} days, no filter": credits_(EVERYTHING, KEYS[0], days) for days in (90, 365)}
        questions |= {
            f"attribution, {name}": credits_(chosen, KEYS[0], 30)
            for name, chosen in {**filters(), "until a day": Filter(to_ms=START_MS + 600 * DAY_MS)}.items()
            if chosen != EVERYTHING
        }
        questions |= {
            "customers of a stage and a band": found(EVERYTHING, Search("purchase", "high")),
            "customers by a part of the id": found(EVERYTHING, Search(q="99999")),
        }
        questions |= {f"customers, {name}": found(chosen, Search()) for name, chosen in filters().items()}
        questions |= {
            "one customer": lambda: person(connection, some[0]),
            "facts of 100 changed customers": lambda: facts.refresh(connection, some),
        }
        rows = []
        for name, ask in questions.items():
            median_ms, p95_ms, busy_ms = measured(ask, options.repeats)
            rows.append((name, f"{median_ms:,.0f}", f"{p95_ms:,.0f}", f"{busy_ms:,.0f}"))
            print(f"{name:34} p50 {median_ms:8,.0f}  p95 {p95_ms:8,.0f}  processor {busy_ms:8,.0f} ms", flush=True)
    body = (
        f"{rows_of(options)}; each question asked {options.repeats} times, nothing cached. "
        f"Reading all facts at the start: {read_ - filled:.0f} s.\n\n"
        f"{report.table(('question', 'p50 ms', 'p95 ms', 'processor ms'), rows)}"
    )
    report.publish(options.title, body)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.map_queries")
    add_rows(parser)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--title", help="adds the result to RESULTS.md under this title")
    return parser.parse_args()


if __name__ == "__main__":
    main()
