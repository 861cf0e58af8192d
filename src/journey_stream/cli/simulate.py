"""`journey-stream simulate`: the engine over files, without a broker."""

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from journey_stream.cli.errors import CommandError
from journey_stream.cli.inputs import Inputs, Problems, read_inputs
from journey_stream.cli.options import ChurnName, Config, ModelName, instant_ms, load, resolve_model

if TYPE_CHECKING:
    from journey_stream.history.simulate import Simulated


class Order(StrEnum):
    """How the touchpoints of the files arrive."""

    TIME = "time"
    FILE = "file"


def simulate(
    files: Inputs,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where the results go.")],
    model: ModelName = None,
    churn: ChurnName = None,
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

    Writes `stage-changes.jsonl`, `churn-risk.jsonl`, `identity-changes.jsonl`, `profiles.jsonl` and
    `dead-letters.jsonl`, each line as its topic would carry it.
    """
    from journey_stream.churn.load import find_scorer  # noqa: PLC0415
    from journey_stream.history.simulate import simulate_records  # noqa: PLC0415

    settings = load(config, model=model, churn=churn)
    _keep_inputs(files, out)
    problems = Problems()
    journey = resolve_model(settings.model)
    result = simulate_records(
        read_inputs(files, problems, journey.policy()),
        journey,
        out,
        scorer=find_scorer(settings.churn),
        limits=settings.limits,
        order=order.value,
        as_of=None if as_of is None else instant_ms(as_of),
        # As in the running system, nothing arrives later than now: a touchpoint from 2099 must not move the time.
        latest_arrival=time.time_ns() // 1_000_000,
    )
    problems.finish()
    _print_result(result, out)


def _keep_inputs(files: list[str], out: Path) -> None:
    """Raises CommandError when the results would be written over what they come from."""
    from journey_stream.history.outputs import NAMES  # noqa: PLC0415

    results = {(out / name).resolve() for name in NAMES}
    for file in files:
        if Path(file).resolve() in results:
            raise CommandError(f"{file}: the results in {out} would overwrite this input; name another --out")


def _print_result(result: "Simulated", out: Path) -> None:
    from journey_stream.churn.bands import BANDS  # noqa: PLC0415
    from journey_stream.events.times import rfc3339  # noqa: PLC0415

    if result.clock is not None:
        print(f"until            {rfc3339(result.clock)}")
    print(f"touchpoints      {result.records:,}")
    print(f"profiles         {result.profiles:,}")
    print(f"stage changes    {result.stage_changes:,} ({result.corrections:,} of them retractions)")
    print(f"risk changes     {result.risk_changes:,} ({result.risk_corrections:,} of them retractions)")
    print(f"identity changes {result.identity_changes:,}")
    print(f"dead letters     {sum(result.dead_letters.values()):,}")
    for reason, count in result.dead_letters.most_common():
        print(f"  {reason:24} {count:,}")
    print("customers per stage at the end")
    for stage, count in sorted(result.customers.items(), key=lambda item: -item[1]):
        print(f"  {stage or '(none yet)':24} {count:,}")
    if result.bands:
        print("customers per band of churn risk at the end")
        for band in BANDS:
            print(f"  {band:24} {result.bands[band]:,}")
    if result.segments:
        print("customers per segment at the end")
        for segment, count in sorted(result.segments.items(), key=lambda item: -item[1]):
            print(f"  {segment or '(none)':24} {count:,}")
    print(f"results in {out}")
