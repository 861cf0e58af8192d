"""`journey-stream simulate`: the engine over files, without a broker."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from journey_stream.cli.options import Config, ModelName, instant_ms, load, resolve_model

if TYPE_CHECKING:
    from journey_stream.history.record import Problem
    from journey_stream.history.simulate import Simulated

SHOWN_PROBLEMS_MAX = 5


class Order(StrEnum):
    """How the touchpoints of the files arrive."""

    TIME = "time"
    FILE = "file"


def simulate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="JSONL, CSV or Parquet (.gz is fine).")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where the results go.")],
    model: ModelName = None,
    order: Annotated[
        Order,
        typer.Option(help="`time`: each touchpoint arrives when it happens. `file`: in the order of the files."),
    ] = Order.TIME,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="INSTANT", help="Decide everything due until then (RFC 3339).")
    ] = None,
    config: Config = None,
) -> None:
    """Run the engine over files: what the running system would publish, in virtual time, without a broker.

    Writes `stage-changes.jsonl`, `profiles.jsonl` and `dead-letters.jsonl`, each line as its topic would carry it.
    """
    from journey_stream.history.simulate import simulate as run  # noqa: PLC0415

    settings = load(config, model=model)
    problems = _Problems()
    result = run(
        files,
        resolve_model(settings.model),
        out,
        limits=settings.limits,
        order=order.value,
        as_of=None if as_of is None else instant_ms(as_of),
        report=problems,
    )
    problems.finish()
    _print_result(result, out)


class _Problems:
    """Shows the first few unusable records; all of them are in the dead letters."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, problem: "Problem") -> None:
        self._count += 1
        if self._count <= SHOWN_PROBLEMS_MAX:
            typer.echo(problem, err=True)

    def finish(self) -> None:
        if self._count > SHOWN_PROBLEMS_MAX:
            typer.echo(f"… and {self._count - SHOWN_PROBLEMS_MAX} more like these", err=True)


def _print_result(result: "Simulated", out: Path) -> None:
    from journey_stream.events.times import rfc3339  # noqa: PLC0415

    if result.clock is not None:
        print(f"until            {rfc3339(result.clock)}")
    print(f"touchpoints      {result.records:,}")
    print(f"profiles         {result.profiles:,}")
    print(f"stage changes    {result.stage_changes:,} ({result.corrections:,} of them retractions)")
    print(f"dead letters     {sum(result.dead_letters.values()):,}")
    for reason, count in result.dead_letters.most_common():
        print(f"  {reason:24} {count:,}")
    print("customers per stage at the end")
    for stage, count in sorted(result.customers.items(), key=lambda item: -item[1]):
        print(f"  {stage or '(none yet)':24} {count:,}")
    print(f"results in {out}")
