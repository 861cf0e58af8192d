"""What the demo leaves on the terminal: what happened, one journey with its reasons, and how to go on."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from journey_stream.demo.board import Board
from journey_stream.demo.screen import (
    HEADING,
    NEW_CUSTOMER,
    QUIET,
    band_counts,
    band_style,
    bar,
    risk_reason,
    stage_style,
)

FLOWS_MAX = 6
BAR_WIDTH = 14


@dataclass(frozen=True)
class Outcome:
    """Numbers of a replay that is through, and where the system that it ran on is to be found."""

    touchpoints: int
    seconds: float
    bootstrap: str
    metrics: str
    config: str
    map_address: str


def summary(board: Board, outcome: Outcome) -> Group:
    """What happened."""
    counts = Table.grid(padding=(0, 3, 0, 0))
    counts.add_row(_stages(board), _flows(board))
    return Group(
        Text(), _numbers(board, outcome), Text(), counts, Text(), _why(board), Text(), _risk(board), _segments(board)
    )


def how_to_go_on(board: Board, outcome: Outcome) -> Group:
    """What to do while the system runs."""
    journey = board.example()
    profile = journey[0].profile_id if journey else "PROFILE"
    steps = (
        ("Look", f"{outcome.map_address}  the live journey map, and {outcome.map_address}?customer={profile}"),
        ("Settings", f"export JOURNEY_CONFIG={outcome.config}"),
        ("Explain", f"{_command('journey-stream')} explain {profile}"),
        ("Subscribe", f"{_command('faust')} -A journey_stream.subscribe.app worker -l info"),
        ("Any client", f"{outcome.bootstrap}, topics journey.stage-changes and journey.churn-risk, read_committed"),
        ("Metrics", outcome.metrics),
    )
    lines = [Text("The system keeps running until Ctrl-C. In another terminal:", style=HEADING)]
    lines += [Text.assemble((f"  {title:<12}", QUIET), what) for title, what in steps]
    return Group(Text(), *lines)


def _command(name: str) -> str:
    """How to call a command of this installation: by its name, or by its path where the name would not find it."""
    path = Path(sys.executable).parent / name
    found = shutil.which(name)
    if found is not None and Path(found).resolve() == path.resolve():
        return name
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _numbers(board: Board, outcome: Outcome) -> Text:
    rate = outcome.touchpoints / max(outcome.seconds, 1e-6)
    return Text.assemble(
        ("The year is through. ", HEADING),
        f"{outcome.touchpoints:,} touchpoints of {board.profiles:,} households in {outcome.seconds:.0f} s "
        f"({rate:,.0f}/s): {board.entered:,} stage changes, {board.retracted:,} of them corrected later, "
        f"{board.dead_letters.total():,} dead letters.",
    )


def _stages(board: Board) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    everybody = max(1, sum(board.customers.values()))
    for stage in board.stages:
        count, style = board.customers[stage], stage_style(board.stages, stage)
        table.add_row(
            Text(f"  {stage}", style=style),
            Text(f"{count:,}", justify="right"),
            Text(f"{count / everybody:.0%}", style=QUIET, justify="right"),
            Text(bar(count / everybody, BAR_WIDTH), style=style),
        )
    return table


def _flows(board: Board) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    for (before, after), count in board.flows.most_common(FLOWS_MAX):
        if count > 0:
            table.add_row(f"{before or NEW_CUSTOMER} → {after}", Text(f"{count:,}", justify="right"))
    return table


def _why(board: Board) -> Group:
    journey = board.example()
    if not journey:
        return Group()
    table = Table.grid(padding=(0, 2, 0, 0))
    for change in journey:
        cited = len(change.because.evidence)
        table.add_row(
            Text(f"  {change.entered_at:%d %b %Y}", style=QUIET),
            Text(change.to_stage, style=stage_style(board.stages, change.to_stage)),
            Text.assemble(change.because.text, (f" ({cited} touchpoints cited)" if cited > 1 else "", QUIET)),
        )
    return Group(Text(f"For example {journey[0].profile_id}", style=HEADING), table)


def _segments(board: Board) -> Group:
    counts = [f"{segment} {count:,}" for segment, count in board.segments.most_common() if count > 0]
    return Group(Text(), Text.assemble(("Segments ", HEADING), "   ".join(counts))) if counts else Group()


def _risk(board: Board) -> Group:
    lines = Text.assemble(
        ("Churn risk ", HEADING),
        f"rose {board.rises:,} times and fell {board.falls:,} times. Now: ",
        band_counts(board),
    )
    history = board.risk_example()
    if not history:
        return Group(lines)
    table = Table.grid(padding=(0, 2, 0, 0))
    for change in history:
        table.add_row(
            Text(f"  {change.entered_at:%d %b %Y}", style=QUIET),
            Text(change.band, style=band_style(change.band)),
            Text(f"{change.probability:.0%}", justify="right"),
            risk_reason(change),
        )
    return Group(lines, Text(f"For example {history[0].profile_id}", style=HEADING), table)
