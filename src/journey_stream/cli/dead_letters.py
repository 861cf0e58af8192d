"""`journey-stream dead-letters`: what could not be used, and how to send it again after a fix."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from journey_stream.cli.errors import CommandError
from journey_stream.cli.options import BootstrapServers, Config, instant_ms, load

if TYPE_CHECKING:
    from journey_stream.worker.config import Settings
    from journey_stream.worker.found_letters import Wanted
    from journey_stream.worker.letter_replay import Outcome, Seen
    from journey_stream.worker.topic_checks import TopicState

app = typer.Typer(help="Records that could not be used: list them, look at one, send them again.", no_args_is_help=True)

Reasons = Annotated[
    list[str] | None, typer.Option("--reason", metavar="WORD", help="Only this reason; may be repeated.")
]
Sources = Annotated[list[str] | None, typer.Option("--source", metavar="TOPIC", help="Only from it; may be repeated.")]
Since = Annotated[str | None, typer.Option(metavar="INSTANT", help="Only what became a dead letter then or later.")]
Until = Annotated[str | None, typer.Option(metavar="INSTANT", help="Only what became a dead letter before.")]
Stage = Annotated[str | None, typer.Option(metavar="router|task", help="Only those of routers, or of tasks.")]

UNSENT_SHOWN_MAX = 20


@app.command("list")
def list_(
    reason: Reasons = None,
    source: Sources = None,
    since: Since = None,
    until: Until = None,
    stage: Stage = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="Show the newest N; all are counted.")] = 100,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Show the newest dead letters, and how many there are of each reason."""
    from journey_stream.cli.dead_letters_view import print_letters  # noqa: PLC0415

    wanted = wanted_of(reason, source, since, until, stage)
    settings = load(config, bootstrap_servers=bootstrap_servers)
    newest, counts = asyncio.run(_list(settings, wanted, limit))
    print_letters(newest, counts, settings.topics.dead_letters)


@app.command()
def show(
    position: Annotated[str, typer.Argument(metavar="PARTITION:OFFSET", help="As `list` shows it.")],
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Show everything about one dead letter: where it came from, what is wrong, its headers and its bytes."""
    from journey_stream.cli.dead_letters_view import print_letter  # noqa: PLC0415

    partition, colon, offset = position.partition(":")
    if not (colon and partition.isdecimal() and offset.isdecimal()):
        raise CommandError(f"{position!r} is no position; expected PARTITION:OFFSET, such as 3:17")
    settings = load(config, bootstrap_servers=bootstrap_servers)
    seen = asyncio.run(_one(settings, int(partition), int(offset)))
    if seen is None:
        raise CommandError(
            f"{settings.topics.dead_letters} has no record at {position}: it is past the topic's retention, or there "
            "never was one; `journey-stream dead-letters list` shows what there is"
        )
    print_letter(seen)


@app.command()
def replay(
    reason: Reasons = None,
    source: Sources = None,
    since: Since = None,
    until: Until = None,
    stage: Stage = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Send at most N.")] = None,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    *,
    now: Annotated[
        bool,
        typer.Option(
            "--now",
            help="With the present time in place of their own: for what came from the future, or is older than its "
            "source keeps. What was too late stays too late.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
) -> None:
    """Send the originals to their sources again, each once, however often this is run.

    Key, value, headers and partition are those of the original, and so is the timestamp unless --now: lateness is
    judged as it was the first time.
    """
    wanted = wanted_of(reason, source, since, until, stage)
    settings = load(config, bootstrap_servers=bootstrap_servers)
    outcome = asyncio.run(_replay(settings, wanted, limit, now=now, dry_run=dry_run))
    _print_outcome(outcome, dry_run=dry_run)


def wanted_of(
    reasons: list[str] | None, sources: list[str] | None, since: str | None, until: str | None, stage: str | None
) -> "Wanted":
    """Raises CommandError for what no dead letter can fit."""
    from journey_stream.events.reasons import Reason  # noqa: PLC0415
    from journey_stream.worker.found_letters import Wanted  # noqa: PLC0415

    for reason in reasons or ():
        if reason not in {*Reason}:
            raise CommandError(f"{reason!r} is no reason; expected one of {', '.join(sorted(Reason))}")
    if stage not in {None, "router", "task"}:
        raise CommandError(f"{stage!r} is no stage; expected router or task")
    return Wanted(
        reasons or (),
        sources or (),
        stage,
        None if since is None else instant_ms(since),
        None if until is None else instant_ms(until),
    )


async def _list(settings: "Settings", wanted: "Wanted", limit: int) -> "tuple[list[Seen], dict[str, int]]":
    import heapq  # noqa: PLC0415
    from collections import Counter  # noqa: PLC0415

    from journey_stream.worker.letter_replay import Letters  # noqa: PLC0415
    from journey_stream.worker.replay import broker_errors  # noqa: PLC0415

    counts: Counter[str] = Counter()
    newest: list[tuple[int, int, int, Seen]] = []
    states = await _states(settings, "dead-letters")
    async with broker_errors(settings), Letters(settings, states) as letters:
        async for seen in letters.matching(wanted, await letters.replayed()):
            letter = seen.letter
            counts[letter.reason or "(none)"] += 1
            kept = seen._replace(letter=letter._replace(key=None, value=None, headers=()))
            heapq.heappush(newest, (letter.written_at, letter.partition, letter.offset, kept))
            if len(newest) > limit:
                heapq.heappop(newest)
    return [seen for *_, seen in sorted(newest, key=lambda one: one[:3])], dict(counts.most_common())


async def _one(settings: "Settings", partition: int, offset: int) -> "Seen | None":
    from journey_stream.worker.letter_replay import Letters  # noqa: PLC0415
    from journey_stream.worker.replay import broker_errors  # noqa: PLC0415

    states = await _states(settings, "dead-letters")
    async with broker_errors(settings), Letters(settings, states) as letters:
        return await letters.one(partition, offset)


async def _replay(settings: "Settings", wanted: "Wanted", limit: int | None, *, now: bool, dry_run: bool) -> "Outcome":
    from journey_stream.worker.letter_replay import replay_letters  # noqa: PLC0415
    from journey_stream.worker.replay import broker_errors  # noqa: PLC0415

    states = await _states(settings, "dead-letters" if dry_run else "dead-letters-replay")
    async with broker_errors(settings):
        return await replay_letters(settings, states, wanted, limit=limit, now=now, dry_run=dry_run)


async def _states(settings: "Settings", component: str) -> "dict[str, TopicState]":
    from journey_stream.worker.rights import checked_topics  # noqa: PLC0415
    from journey_stream.worker.rights_check import require_rights  # noqa: PLC0415
    from journey_stream.worker.topics import topic_states  # noqa: PLC0415

    await require_rights(settings, component)
    return await topic_states(settings, checked_topics(component, settings))


def _print_outcome(outcome: "Outcome", *, dry_run: bool) -> None:
    verb = "would send" if dry_run else "sent"
    print(f"{verb} {outcome.sent.total()} dead letters to their sources")
    for topic, count in sorted(outcome.sent.items()):
        print(f"  {topic}: {count}")
    if outcome.already:
        print(f"{outcome.already} had been sent before")
    if outcome.unsent:
        print(f"{len(outcome.unsent)} cannot be sent:")
        for seen in outcome.unsent[:UNSENT_SHOWN_MAX]:
            print(f"  {seen.letter.position} ({seen.letter.reason or 'no reason'}) {seen.obstacle}")
        if len(outcome.unsent) > UNSENT_SHOWN_MAX:
            print(f"  … and {len(outcome.unsent) - UNSENT_SHOWN_MAX} more; `journey-stream dead-letters list` has them")
