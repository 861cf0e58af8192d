"""A profile's history for the terminal: what happened, why, and what was corrected since."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from journey_stream.cli.explain_read import Found
from journey_stream.cli.printing import plain
from journey_stream.events.outputs import ChurnRiskChange, StageChange

Message = TypeVar("Message", StageChange, ChurnRiskChange)

EVIDENCE_SHOWN_MAX = 4
CONTRIBUTIONS_SHOWN_MAX = 4
PIPED_WIDTH = 200
BAND_COLOURS = {"low": "green", "medium": "yellow", "high": "dark_orange", "critical": "red"}
_TO_OR_FROM = {"linked": "to", "unlinked": "from"}
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def print_timeline(profile_id: str, found: Found, console: Console | None = None) -> None:
    """Print it: where the customer is now, who it is, then one row per message, corrections marked; first stages, then
    risk.
    """
    console = console or _console()
    console.print(_headline(profile_id, found))
    if standing := _segment(found):
        console.print(standing)
    if found.identities or found.linked or (found.view is not None and found.view.identifiers):
        console.print(_identities_table(found))
        console.print()
    if found.messages and found.messages[0].revision > 1:
        console.print(f"[dim]The first {found.messages[0].revision - 1} messages are past the topic's retention.[/dim]")
    if found.messages:
        console.print(_stages_table(found))
    if retracted := sum(message.kind == "retracted" for message in found.messages):
        console.print(f"{retracted} change(s) were retracted after late news; struck rows no longer stand.")
    if moved := sum(message.cause == "identity" for message in found.messages):
        console.print(f"{moved} message(s) came because it became known, or was taken back, who somebody is.")
    if found.risks:
        console.print()
        console.print(_risk_headline(found))
        console.print(_risk_table(found))


def _console() -> Console:
    console = Console(highlight=False)
    # In a file or a pipe nobody knows the width; rows that are not wrapped are easier to search.
    return console if console.is_terminal else Console(highlight=False, width=PIPED_WIDTH)


def _headline(profile_id: str, found: Found) -> str:
    name = f"[bold]{_shown(profile_id)}[/bold]"
    view = found.view
    if found.merged_into is not None:
        return (
            f"{name} belongs to [bold green]{_shown(found.merged_into)}[/bold green]: nothing is left that is its own. "
            f"See: journey-stream explain {_shown(found.merged_into)}"
        )
    if view is None:
        return f"{name} has no current view"
    model = f"model {_shown(view.model.name)} version {view.model.version}"
    if view.stage is None or view.entered_at is None:
        return f"{name} is in no stage yet, last touchpoint {_when(view.last_touchpoint_at)} ({model})"
    return (
        f"{name} is in [bold green]{_shown(view.stage)}[/bold green] since {_when(view.entered_at)}, "
        f"last touchpoint {_when(view.last_touchpoint_at)} ({model})"
    )


def _segment(found: Found) -> str:
    """The segment and the RFM scores, as far as the view knows of any."""
    view = found.view
    parts = []
    if view is not None and view.segment is not None:
        parts.append(f"Segment [bold]{_shown(view.segment)}[/bold]")
    if view is not None and view.rfm is not None:
        scores = [f"recency {view.rfm.recency}", f"frequency {view.rfm.frequency}"]
        scores += [] if view.rfm.monetary is None else [f"monetary {view.rfm.monetary}"]
        parts.append(f"RFM {', '.join(scores)} of 5 as of {_when(view.updated_at)}")
    return "; ".join(parts)


def _identities_table(found: Found) -> Table:
    """One row per message, first those about the profile itself, then those about the identifiers linked to it."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("identifier", "rev", "since", "what", "because"):
        table.add_column(column, no_wrap=column != "because")
    messages = (*found.identities, *found.linked)
    last = {change.identity_id: change.revision for change in messages}
    for change in messages:
        what = change.kind if change.parent is None else f"{change.kind} {_TO_OR_FROM[change.kind]} {change.parent}"
        because = _shown(change.text)
        if change.evidence:
            because += f"\nevidence: {', '.join(map(_shown, change.evidence))}"
        told_anew = change.revision < last[change.identity_id]
        cells = (_shown(change.profile_id), str(change.revision), _when(change.at), _shown(what), because)
        table.add_row(*cells, style="dim" if told_anew else "")
    told = {change.profile_id for change in found.linked}
    for child in [] if found.view is None else found.view.identifiers:
        if child not in told:
            table.add_row(_shown(child), "", "", "linked", "its messages are past the topic's retention")
    return table


def _stages_table(found: Found) -> Table:
    def cells(message: StageChange) -> tuple[str, str, str]:
        move = f"{_shown(message.from_stage or '(new)')} → {_shown(message.to_stage)}"
        return move, _length(message.seconds_in_previous), _reason(message)

    standing = {change.revision for change in found.history.changes}
    return _table(("stage", "after"), found.messages, standing, cells)


def _risk_headline(found: Found) -> str:
    risk = None if found.view is None else found.view.risk
    if risk is None:
        return "Churn risk"
    model = f"parameters {_shown(risk.model.name)} version {risk.model.version}"
    return (
        f"Churn risk is [bold {BAND_COLOURS[risk.band]}]{risk.band}[/] since {_when(risk.since)}: "
        f"{risk.probability:.0%} at that time ({model})"
    )


def _risk_table(found: Found) -> Table:
    def cells(message: ChurnRiskChange) -> tuple[str, str, str]:
        why = _risk_reason(message) if message.kind == "entered" else _said(message.because.text)
        return f"{message.previous_band or '(new)'} → {message.band}", f"{message.probability:.0%}", why

    standing = {change.revision for change in found.risk_history.changes}
    return _table(("band", "risk"), found.risks, standing, cells)


def _table(
    columns: tuple[str, str],
    messages: Sequence[Message],
    standing: set[int],
    cells: Callable[[Message], tuple[str, str, str]],
) -> Table:
    """One row per message: the revisions in `standing` hold, the others do not; `cells` are move, number, why."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("rev", "at", "", *columns, "because"):
        table.add_column(column, no_wrap=column in {"rev", "at"})
    for message in messages:
        is_news = message.kind == "entered"
        style = "" if message.revision in standing else ("dim strike" if is_news else "red")
        move, number, why = cells(message)
        table.add_row(
            str(message.revision),
            _when(message.entered_at),
            "→" if is_news else "✗",
            move + ("" if is_news else " retracted"),
            number,
            why,
            style=style,
        )
    return table


def _risk_reason(message: ChurnRiskChange) -> str:
    parts = [_said(message.because.text)]
    parts += [
        f"{one.log_odds:+.2f} {_said(one.text)} [cyan]({_shown(one.factor)})[/cyan]"
        for one in message.contributions[:CONTRIBUTIONS_SHOWN_MAX]
    ]
    if message.because.evidence:
        parts.append(f"evidence: {', '.join(_shown(event_id) for event_id in message.because.evidence)}")
    return "\n".join(parts)


def _reason(message: StageChange) -> str:
    because = message.because
    parts = ["because of who somebody is"] if message.cause == "identity" else []
    parts += [f"{_said(because.text)} [cyan]({_shown(because.rule)})[/cyan]"]
    if because.silent_since is not None and because.window_seconds is not None:
        parts.append(f"silent since {_when(because.silent_since)}, {_length(because.window_seconds)} long")
    shown = ", ".join(_shown(event_id) for event_id in because.evidence[:EVIDENCE_SHOWN_MAX])
    more = len(because.evidence) - EVIDENCE_SHOWN_MAX
    if shown:
        parts.append(f"evidence: {shown}" + (f" and {more} more" if more > 0 else ""))
    return "\n".join(parts)


def _shown(text: str) -> str:
    return escape(plain(text))


def _said(text: str) -> str:
    """A text of the model, which may have several lines."""
    return "\n".join(map(_shown, text.strip().splitlines()))


def _when(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S}"


def _length(seconds: float | None) -> str:
    """`12.5 d`: one unit, the largest that fits."""
    if seconds is None:
        return ""
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
