"""`journey-stream attribution`: what leads to a stage, from a simulation's results or from the map's database."""

import contextlib
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from journey_stream.cli.errors import CommandError
from journey_stream.cli.inputs import Problems, read_inputs
from journey_stream.cli.options import Config, ModelName, load, resolve_model
from journey_stream.cli.simulate import Order

if TYPE_CHECKING:
    from journey_stream.journey.model import Model
    from journey_stream.serve.queries.answers import Attribution
    from journey_stream.serve.queries.connection import Connection
    from journey_stream.worker.config import Settings

DAY_MS = 86_400_000


class By(StrEnum):
    """What gets the credit."""

    TYPE = "type"
    CHANNEL = "channel"
    CAMPAIGN = "campaign"


class Format(StrEnum):
    """How the credits are printed."""

    TABLE = "table"
    CSV = "csv"


def attribution(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help="The inputs of a simulation: files, or `dataset:NAME`; with --results."),
    ] = None,
    *,
    results: Annotated[
        Path | None, typer.Option("--results", "-r", metavar="DIR", help="What `simulate` wrote of these inputs.")
    ] = None,
    database: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Instead: the database of `serve`, which must not be running.")
    ] = None,
    goal: Annotated[str | None, typer.Option(metavar="STAGE", help="Its entries are the conversions.")] = None,
    by: Annotated[By, typer.Option(help="What gets the credit.")] = By.TYPE,
    look_back: Annotated[
        str, typer.Option("--look-back", metavar="DURATION", help="How long before a conversion touchpoints count.")
    ] = "30d",
    shown: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TABLE,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it as well (PNG).")] = None,
    order: Annotated[Order, typer.Option(help="The --order that was simulated with.")] = Order.TIME,
    model: ModelName = None,
    config: Config = None,
) -> None:
    """Credit entries to a stage to what customers met before, by seven models.

    The goal is the stage `purchase` unless named, or the last one if the model has no such stage.
    """
    settings = load(config, model=model)
    journey = resolve_model(settings.model)
    wanted, days = _goal(goal, journey), _days(look_back)
    with _opened(files, results, database, settings, journey, order) as connection:
        found = _ask(connection, wanted, by.value, days)
    _print(found, shown)
    if png is not None:
        from journey_stream.cli.attribution_plot import draw  # noqa: PLC0415

        draw(found, png)
        typer.echo(f"drawn in {png}", err=True)


def _goal(goal: str | None, model: "Model") -> str:
    stages = [stage.id for stage in model.stages]
    if goal is None:
        return "purchase" if "purchase" in stages else stages[-1]
    if goal not in stages:
        raise CommandError(
            f"--goal is {goal!r}, which is no stage of {model.name}; expected one of {', '.join(stages)}"
        )
    return goal


def _days(written: str) -> int:
    from journey_stream.journey.durations import parse_duration  # noqa: PLC0415

    length_ms = parse_duration(written)
    if not length_ms or length_ms % DAY_MS:
        raise CommandError(f"--look-back is {written!r}; expected whole days or weeks, such as 30d")
    return length_ms // DAY_MS


@contextlib.contextmanager
def _opened(
    files: list[str] | None,
    results: Path | None,
    database: Path | None,
    settings: "Settings",
    model: "Model",
    order: Order,
) -> "Iterator[Connection]":
    if database is not None and not files and results is None:
        from journey_stream.serve.store.duckdb_store import reading  # noqa: PLC0415

        with reading(database) as connection:
            yield connection
    elif files and results is not None and database is None:
        from journey_stream.serve.projection.files import project_files  # noqa: PLC0415
        from journey_stream.serve.store.duckdb_store import DuckDBStore  # noqa: PLC0415
        from journey_stream.serve.store.meta import Origin  # noqa: PLC0415

        problems = Problems()
        records = read_inputs(files, problems, model.policy())
        now = time.time_ns() // 1_000_000
        with contextlib.closing(DuckDBStore(None, Origin("files", ""))) as store:
            project_files(
                store, results, records, model, limits=settings.limits, order=order.value, latest_arrival=now
            )  # fmt: skip
            problems.finish()
            with contextlib.closing(store.connect()) as connection:
                yield connection
    else:
        raise CommandError(
            "expected either --database FILE, or inputs and the folder that they were simulated to: "
            "journey-stream simulate FILE --out DIR, then journey-stream attribution FILE --results DIR"
        )


def _ask(connection: "Connection", goal: str, by: str, look_back_days: int) -> "Attribution":
    from journey_stream.serve.queries.attribution import attribution as ask  # noqa: PLC0415
    from journey_stream.serve.queries.connection import DIALECTS  # noqa: PLC0415
    from journey_stream.serve.queries.facts import Facts  # noqa: PLC0415
    from journey_stream.serve.queries.filters import EVERYTHING  # noqa: PLC0415
    from journey_stream.serve.queries.reading import read  # noqa: PLC0415

    dialect = DIALECTS["duckdb"]
    Facts(dialect).refresh(connection)
    with read(connection, dialect, EVERYTHING) as reading:
        return ask(reading, goal, by, look_back_days)


def _print(found: "Attribution", shown: Format) -> None:
    models = list(found.models)
    # What linear credit says is a fair order to begin with.
    places = sorted(range(len(found.keys)), key=lambda place: (-found.models["linear"][place], place))
    rows = [(found.keys[place], [found.models[name][place] for name in models]) for place in places]
    if shown is Format.CSV:
        _print_csv(found, models, rows)
        return
    print(
        f"{found.conversions:,} entries to {found.goal}, {found.unattributed:,} of them with nothing in the look-back"
    )
    width = max([len(found.by), *(len(key or "(none)") for key, _ in rows)])
    print(f"{found.by:{width}} " + " ".join(f"{name:>10}" for name in models))
    for key, credits_ in rows:
        print(f"{key or '(none)':{width}} " + " ".join(f"{credit:10,.1f}" for credit in credits_))


def _print_csv(found: "Attribution", models: list[str], rows: list[tuple[str | None, list[float]]]) -> None:
    import csv  # noqa: PLC0415
    import sys  # noqa: PLC0415

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([found.by, *models])
    writer.writerows([[key or "", *credits_] for key, credits_ in rows])
