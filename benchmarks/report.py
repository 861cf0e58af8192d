"""Medians and tables, appended to RESULTS.md."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks import machine
from benchmarks.race import Result

RESULTS = Path(__file__).parent / "RESULTS.md"
REFERENCE = "kafka-streams"


def race_table(results: Sequence[Result]) -> str:
    """One row per system: medians over its runs, and the ratio to Kafka Streams."""
    names = list(dict.fromkeys(result.system for result in results))
    runs = {name: [result for result in results if result.system == name] for name in names}
    reference = median(r.events_per_second for r in runs[REFERENCE]) if REFERENCE in runs else None
    rows = []
    for name in names:
        mine = runs[name]
        speeds = sorted(r.events_per_second for r in mine)
        rows.append(
            (
                name,
                f"{len(mine)} of {mine[0].events:,}",
                f"{median(speeds):,.0f}",
                f"{speeds[0]:,.0f}-{speeds[-1]:,.0f}",
                f"{median(speeds) / reference:.2f}" if reference else "",
                f"{median(r.cpu_seconds_per_million for r in mine):.1f}",
                f"{median(r.broker_cpu_seconds / r.events * 1e6 for r in mine):.1f}",
                f"{median(r.rss_bytes_max for r in mine) / 2**20:,.0f}",
                f"{median(r.changelog_bytes / r.events for r in mine):,.0f}",
                f"{median(r.output_messages / r.events for r in mine):.3f}",
            )
        )
    head = (
        *("system", "runs of events", "events/s", "from-to", f"ratio to {REFERENCE}", "CPU s per million"),
        *("broker CPU s per million", "peak RSS MiB", "changelog bytes per event", "changes per event"),
    )
    return table(head, rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def publish(title: str | None, body: str) -> None:
    """Print a result; under a title also add it to RESULTS.md, with the description of this machine."""
    if not title:
        print(body)
        return
    print(f"\n## {title}\n\n{body}\n", flush=True)
    with RESULTS.open("a") as file:
        file.write(f"\n## {title}\n\n{machine.description()}\n\n{body}\n")
