"""Medians and tables, appended to RESULTS.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks import machine
from benchmarks.features import Features
from benchmarks.race import Result

RESULTS = Path(__file__).parent / "RESULTS.md"
REFERENCES = ("kafka-streams", "ours", "ours-full-no-churn")


def race_table(results: Sequence[Result]) -> str:
    """One row per system: medians over its runs, and their ratios to those of the references."""
    names = list(dict.fromkeys(result.system for result in results))
    runs = {name: [result for result in results if result.system == name] for name in names}
    speed = {name: median(r.events_per_second for r in mine) for name, mine in runs.items()}
    cpu = {name: median(r.cpu_seconds_per_million for r in mine) for name, mine in runs.items()}
    references = [name for name in REFERENCES if name in runs and len(names) > 1]
    rows = []
    for name in names:
        mine = runs[name]
        speeds = sorted(r.events_per_second for r in mine)
        rows.append(
            (
                name,
                f"{len(mine)} of {mine[0].events:,}",
                f"{speed[name]:,.0f}",
                f"{speeds[0]:,.0f}-{speeds[-1]:,.0f}",
                *(f"{speed[name] / speed[reference]:.2f}" for reference in references),
                f"{cpu[name]:.1f}",
                *(f"{cpu[name] / cpu[reference]:.2f}" for reference in references),
                f"{median(r.broker_cpu_seconds / r.events * 1e6 for r in mine):.1f}",
                f"{median(r.rss_bytes_max for r in mine) / 2**20:,.0f}",
                f"{median(r.changelog_bytes / r.events for r in mine):,.0f}",
                f"{median(r.output_messages / r.events for r in mine):.3f}",
            )
        )
    head = (
        *("system", "runs of events", "events/s", "from-to"),
        *(f"events/s, ratio to {reference}" for reference in references),
        "CPU s per million",
        *(f"CPU, ratio to {reference}" for reference in references),
        *("broker CPU s per million", "peak RSS MiB", "changelog bytes per event", "changes per event"),
    )
    return table(head, rows)


def features(decided: Mapping[str, Features]) -> str:
    """What each system decides, those with the same together."""
    alike: dict[Features, list[str]] = {}
    for name, one in decided.items():
        alike.setdefault(one, []).append(name)
    return "; ".join(f"{', '.join(names)}: {one}" for one, names in alike.items()) + "."


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
