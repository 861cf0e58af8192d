"""The demo's picture: a board and a few gauges in, something that rich can draw out. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Group
from rich.style import Style
from rich.text import Text

from journey_stream.demo.board import BANDS, Board, Flow
from journey_stream.events.outputs import ChurnRiskChange, StageChange
from journey_stream.events.times import from_ms

MARGIN = 2
QUIET = Style(color="grey58")
FAINT = Style(color="grey35")
HEADING = Style(bold=True)
NEW_CUSTOMER = "new"
# From cool to warm along the journey; six hues read well on dark and on light terminals.
HUES = ("#5b8fd9", "#3fa7a0", "#7fae5a", "#d0a43c", "#dd7e4e", "#c9628c")
BAND_HUES = {"low": "#7fae5a", "medium": "#d0a43c", "high": "#dd7e4e", "critical": "#d9534f"}
RISK_ROWS_MAX = 5
EIGHTHS = " ▏▎▍▌▋▊▉█"
SPARKS = " ▁▂▃▄▅▆▇█"
WIDE = 96
"""From so many columns on there is room for the trend beside the stages."""
VERY_WIDE = 120
"""And from so many for the time of day and for longer names."""


@dataclass(frozen=True)
class Gauges:
    """What only the running system can tell."""

    phase: str
    per_second: float = 0.0
    behind: int = 0
    seconds_behind: float = 0.0
    changes_per_second: float = 0.0
    map_address: str = ""


def picture(
    board: Board,
    gauges: Gauges,
    latest: Sequence[StageChange],
    width: int,
    height: int,
    *,
    risks: Sequence[ChurnRiskChange] = (),
) -> Group:
    """The whole screen, exactly `height` lines high; `latest` and `risks` are the changes to list, newest first."""
    top = _header(board, gauges, width)
    middle = _panes(board, width)
    bottom = _footer(board, gauges, width)
    used = sum(len(part) for part in (top, middle, bottom))
    rows = max(0, height - used - 2)
    risk_rows = min(RISK_ROWS_MAX, rows // 3) if board.bands else 0
    if risk_rows:
        middle += [_bands(board), *_risks(risks, risk_rows, width), Text()]
        rows -= risk_rows + 2
    lines = [*top, *middle, _heading("Latest changes", _share(gauges)), *_changes(board, latest, rows, width)]
    lines += [Text()] * (height - len(lines) - len(bottom))
    return Group(*lines, *bottom)


def bar(fraction: float, width: int) -> str:
    """A bar of at most `width` cells, an eighth of a cell exact; never empty for more than nothing."""
    eighths = round(min(1.0, max(0.0, fraction)) * width * 8)
    if fraction > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return "█" * full + (EIGHTHS[rest] if rest else "")


def sparkline(samples: Sequence[int]) -> str:
    """One cell per sample, the highest being full; blank where nothing was."""
    top = max(samples, default=0)
    return "".join(SPARKS[-(-sample * 8 // top)] if top else " " for sample in samples)


def stage_style(stages: Sequence[str], stage: str | None) -> Style:
    """The colour of a stage: its place on the way from the first to the last."""
    if stage not in stages:
        return QUIET
    place = stages.index(stage) / max(1, len(stages) - 1)
    return Style(color=HUES[round(place * (len(HUES) - 1))])


def _header(board: Board, gauges: Gauges, width: int) -> list[Text]:
    inner = width - 2 * MARGIN
    day = f"{from_ms(board.clock):%-d %B %Y}" if board.clock else ""
    done = round(board.fraction * inner)
    line = Text("━" * done, style=Style(color=HUES[1])) + Text("━" * (inner - done), style=FAINT)
    title = Text.assemble(("journey-stream", HEADING), ("  " + gauges.phase, QUIET))
    return [Text(), _sides(title, Text(day, style=HEADING), width), _indented(line), Text()]


def _panes(board: Board, width: int) -> list[Text]:
    left = [_heading("Where customers are", f"{sum(board.customers.values()):,}"), *_stages(board, _left(width))]
    right = [Text("How they move", style=HEADING), *_flows(board, len(board.stages), width - _left(width) - 3)]
    rows = []
    for place, text in enumerate(left):
        row = text.copy()
        row.truncate(_left(width), pad=True)
        row.append("   ")
        row.append_text(right[place] if place < len(right) else Text())
        rows.append(row)
    return [*rows, Text()]


def _left(width: int) -> int:
    return width * 58 // 100


def _stages(board: Board, width: int) -> list[Text]:
    name_width = max((len(stage) for stage in board.stages), default=0)
    trend_width = 16 if width >= WIDE * 58 // 100 else 0
    bar_width = max(6, width - MARGIN - name_width - trend_width - 13)
    most = max([1, *board.customers.values()])
    rows = []
    for stage in board.stages:
        count, style = board.customers[stage], stage_style(board.stages, stage)
        row = Text(" " * MARGIN)
        row.append(f"{stage:<{name_width}}  ", style=style)
        row.append(f"{count:>6,}  ")
        row.append(f"{bar(count / most, bar_width):<{bar_width}}", style=style)
        if trend_width:
            row.append("   " + sparkline(_thinned(board.trend.get(stage, []), trend_width)), FAINT)
        rows.append(row)
    return rows


def _thinned(samples: Sequence[int], width: int) -> list[int]:
    """At most `width` samples spread evenly over all, the newest among them."""
    if len(samples) <= width:
        return list(samples)
    return [samples[round(place * (len(samples) - 1) / (width - 1))] for place in range(width)]


def _flows(board: Board, rows: int, width: int) -> list[Text]:
    flows = sorted((item for item in board.flows.items() if item[1] > 0), key=lambda item: (-item[1], str(item[0])))
    return [_flow(board, flow, count, width) for flow, count in flows[:rows]]


def _flow(board: Board, flow: Flow, count: int, width: int) -> Text:
    text = _arrow(board, *flow)
    number = f"{count:,}"
    text.truncate(width - MARGIN - len(number) - 1, overflow="ellipsis", pad=True)
    return text.append(" " + number)


def _arrow(board: Board, from_stage: str | None, to_stage: str) -> Text:
    return Text.assemble(
        (from_stage or NEW_CUSTOMER, stage_style(board.stages, from_stage)),
        (" → ", QUIET),
        (to_stage, stage_style(board.stages, to_stage)),
    )


def _changes(board: Board, latest: Sequence[StageChange], rows: int, width: int) -> list[Text]:
    lengths = sorted((len(stage) for stage in board.stages), reverse=True)
    wide, very_wide = width >= WIDE, width >= VERY_WIDE
    move_width = min(sum(lengths[:2]) + 3, 30) if wide else min(sum(lengths[:1]) + 2, 20)
    lines = []
    for change in latest[:rows]:
        line = Text(" " * MARGIN)
        line.append(f"{change.entered_at:%d %b %H:%M}  " if very_wide else f"{change.entered_at:%d %b}  ", QUIET)
        line.append(_cut(change.profile_id, 20 if very_wide else 14) + "  ")
        # Where there is little room, the reason says more than the stage before.
        move = _arrow(board, change.from_stage, change.to_stage)
        move = move if wide else move[move.plain.index("→") :]
        move.truncate(move_width, overflow="ellipsis", pad=True)
        line.append_text(move)
        line.append("  " + change.because.text, QUIET)
        line.truncate(width - 1, overflow="ellipsis")
        lines.append(line)
    return lines


def band_style(band: str) -> Style:
    """The colour of a band, from calm to alarming."""
    return Style(color=BAND_HUES[band])


def band_counts(board: Board) -> Text:
    """How many customers are in each band."""
    text = Text()
    for band in BANDS:
        text.append(f"{band} ", band_style(band)).append(f"{board.bands[band]:,}   ")
    return text


def _bands(board: Board) -> Text:
    return Text.assemble((" " * MARGIN + "Churn risk", HEADING), "  ", band_counts(board))


def _risks(latest: Sequence[ChurnRiskChange], rows: int, width: int) -> list[Text]:
    lines = [_risk(change, width) for change in latest[:rows]]
    return lines + [Text()] * (rows - len(lines))


def _risk(change: ChurnRiskChange, width: int) -> Text:
    very_wide = width >= VERY_WIDE
    line = Text(" " * MARGIN)
    line.append(f"{change.entered_at:%d %b %H:%M}  " if very_wide else f"{change.entered_at:%d %b}  ", QUIET)
    line.append(_cut(change.profile_id, 20 if very_wide else 14) + "  ")
    line.append(f"{change.previous_band or NEW_CUSTOMER:>8}", band_style(change.previous_band or "low"))
    line.append(" → ", QUIET).append(f"{change.band:<8}", band_style(change.band))
    line.append(f"  {change.probability:4.0%}  ")
    line.append(risk_reason(change), QUIET)
    line.truncate(width - 1, overflow="ellipsis")
    return line


def risk_reason(change: ChurnRiskChange) -> str:
    """What happened, and the fact that weighs most."""
    return f"{change.because.text.partition(':')[0]}; {change.contributions[0].text}"


def _cut(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"


def _share(gauges: Gauges) -> str:
    return f"a few of {gauges.changes_per_second:,.0f} a second" if gauges.changes_per_second >= 10 else ""


def _footer(board: Board, gauges: Gauges, width: int) -> list[Text]:
    numbers = Text.assemble(
        _number(f"{gauges.per_second:,.0f}", "touchpoints/s"),
        _number(f"{gauges.behind:,}", f"waiting ({gauges.seconds_behind:.1f} s)"),
        _number(f"{board.entered:,}", "stage changes"),
    )
    exceptions = Text.assemble(
        _number(f"{board.retracted:,}", "corrected"),
        _number(f"{board.dead_letters.total():,}", "dead letters"),
    )
    place = Text(f"Map {gauges.map_address}   Ctrl-C ends" if gauges.map_address else "", style=QUIET)
    rule = Text("─" * (width - 2 * MARGIN), style=FAINT)
    return [_indented(rule), _sides(numbers, Text(), width), _sides(exceptions, place, width)]


def _number(value: str, unit: str) -> Text:
    return Text.assemble((value, HEADING), (f" {unit}   ", QUIET))


def _heading(title: str, note: str) -> Text:
    return Text.assemble((" " * MARGIN + title, HEADING), ("  " + note, QUIET))


def _indented(text: Text) -> Text:
    return Text(" " * MARGIN) + text


def _sides(left: Text, right: Text, width: int) -> Text:
    line = _indented(left)
    line.truncate(width - MARGIN - right.cell_len, pad=True)
    return line.append_text(right)
