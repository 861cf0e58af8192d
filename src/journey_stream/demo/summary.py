"""What the demo leaves on the terminal: what happened, one journey with its reasons, and how to go on."""

from dataclasses import dataclass

from rich.console import Group
from rich.table import Table
from rich.text import Text

from journey_stream.demo.board import Board
from journey_stream.demo.screen import HEADING, NEW_CUSTOMER, QUIET, bar, stage_style

FLOWS_MAX = 6
BAR_WIDTH = 24


@dataclass(frozen=True)
class Outcome:
    """Numbers of a replay that is through."""

    touchpoints: int
    seconds: float
    bootstrap: str
    config: str


def summary(board: Board, outcome: Outcome) -> Group:
    """The whole summary."""
    return Group(Text(), _numbers(board, outcome), Text(), _stages(board), Text(), _flows(board), Text(), _why(board))


def how_to_go_on(outcome: Outcome) -> Group:
    """What to do while the system runs."""
    commands = (
        ("Why is a customer where she is?", f"journey-stream explain household-1 --config {outcome.config}"),
        ("Subscribe with Faust", f"JOURNEY_BOOTSTRAP_SERVERS={outcome.bootstrap} {SUBSCRIBER}"),
        ("Subscribe with anything", f"Kafka at {outcome.bootstrap}, topic journey.stage-changes, read_committed"),
    )
    lines = [Text("The system keeps running for you, until Ctrl-C.", style=HEADING)]
    for question, command in commands:
        lines += [Text(f"  {question}", style=QUIET), Text(f"    {command}", no_wrap=True, overflow="fold")]
    return Group(Text(), *lines)


SUBSCRIBER = "python -m journey_stream.subscribe.example worker"


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
            table.add_row(f"  {before or NEW_CUSTOMER} → {after}", Text(f"{count:,}", justify="right"))
    return table


def _why(board: Board) -> Group:
    journey = board.example()
    if not journey:
        return Group()
    lines = [Text.assemble((f"For example {journey[0].profile_id}", HEADING))]
    for change in journey:
        evidence = f" ({len(change.because.evidence)} touchpoints cited)" if len(change.because.evidence) > 1 else ""
        lines.append(
            Text.assemble(
                (f"  {change.entered_at:%d %b %Y}  ", QUIET),
                (f"{change.to_stage:<14}", stage_style(board.stages, change.to_stage)),
                change.because.text,
                (evidence, QUIET),
            ),
        )
    return Group(*lines)
