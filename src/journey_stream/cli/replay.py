"""`journey-stream replay`: history into the source topics."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Self

import typer

from journey_stream.cli.errors import CommandError
from journey_stream.cli.inputs import Inputs, Problems, read_inputs
from journey_stream.cli.options import BootstrapServers, Config, instant_ms, load, resolve_model

TOLD_EVERY_SECONDS = 10

if TYPE_CHECKING:
    from journey_stream.history.record import HistoryRecord
    from journey_stream.worker.config import Settings
    from journey_stream.worker.positions import Reading
    from journey_stream.worker.replay import Due, Progress


def replay(
    files: Inputs,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    speed: Annotated[
        float | None,
        typer.Option(
            metavar="FACTOR", min=0.001, help="1: as it happened; 86400: a day in a second. Else at full speed."
        ),
    ] = None,
    rate: Annotated[
        float | None, typer.Option(metavar="PER_SECOND", min=0.001, help="So many touchpoints a second.")
    ] = None,
    topic: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="One source for all; else the one named after the channel.")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="INSTANT",
            help="At the end, let silence count until then (RFC 3339); waits until a worker is through.",
        ),
    ] = None,
) -> None:
    """Write touchpoints to the source topics in time order, each with the time at which it happened.

    Make the topics with `topics create --history` first, so that Kafka keeps records that old, and run the worker with
    `ticks: false`, so that it does not take today for the time.
    """
    if speed is not None and rate is not None:
        raise CommandError("--speed and --rate exclude each other; give one of them")
    settings = load(config, bootstrap_servers=bootstrap_servers)
    end = None if as_of is None else instant_ms(as_of)
    done = asyncio.run(_replay(settings, files, _due(speed, rate), topic, end))
    print(f"wrote {done.sent:,} touchpoints" + (f", left out {done.left_out:,}" if done.left_out else ""))


def _due(speed: float | None, rate: float | None) -> "Due | None":
    from journey_stream.worker.replay import at_rate, at_speed  # noqa: PLC0415

    if speed is not None:
        return at_speed(speed)
    return None if rate is None else at_rate(rate)


async def _replay(
    settings: "Settings", files: list[str], due: "Due | None", topic: str | None, end: int | None
) -> "Progress":
    from journey_stream.history.order import in_time_order  # noqa: PLC0415
    from journey_stream.worker.replay import end_history, replay  # noqa: PLC0415
    from journey_stream.worker.rights_check import require_rights  # noqa: PLC0415

    await require_rights(settings, "replay" if end is None else "replay-as-of")
    problems = Problems()
    policy = resolve_model(settings.model).policy()
    with _Bar() as bar:
        records = in_time_order(bar.counted(read_inputs(files, problems, policy)))
        done = await replay(settings, records, due=due, topic=topic, policy=policy, progress=bar.show, report=problems)
    problems.finish()
    if end is not None:
        await end_history(settings, end, waiting=Patience(settings.application_id).told)
    return done


class Patience:
    """Says on stderr what `--as-of` waits for, once it has for a while; `now` tells the time in seconds."""

    def __init__(self, application_id: str, now: Callable[[], float] = time.monotonic) -> None:
        self._application_id = application_id
        self._now = now
        self._next = now() + TOLD_EVERY_SECONDS

    def told(self, reading: "Reading") -> None:
        """The worker is not through with this."""
        if self._now() < self._next:
            return
        self._next = self._now() + TOLD_EVERY_SECONDS
        typer.echo(
            f"waiting until a worker is through: {reading.unrouted:,} records for the router, {reading.unapplied:,} "
            f"for the tasks. Is one running with application_id {self._application_id}?",
            err=True,
        )


class _Bar:
    """A progress bar on stderr. Sorting reads everything first, so the total is known when the writing begins."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[until]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task("reading", total=None, until="")
        self._read = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def counted(self, records: "Iterable[HistoryRecord]") -> "Iterator[HistoryRecord]":
        """The records, counted."""
        for record in records:
            self._read += 1
            yield record

    def show(self, progress: "Progress") -> None:
        """Move on."""
        from journey_stream.events.times import rfc3339  # noqa: PLC0415

        self._progress.update(
            self._task,
            description="writing",
            completed=progress.sent + progress.left_out,
            total=self._read,
            until=rfc3339(progress.occurred_at)[:10],
        )
