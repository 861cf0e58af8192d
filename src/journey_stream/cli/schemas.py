"""`journey-stream schemas`: the JSON Schemas of the contracts."""

from pathlib import Path
from typing import Annotated

import typer

from journey_stream.cli.errors import CommandError

app = typer.Typer(help="JSON Schemas of what goes in and what comes out.", no_args_is_help=True)

Directory = Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where the schema files are.")]
DEFAULT = Path("schemas")


@app.command()
def export(
    directory: Directory = DEFAULT,
    *,
    release: Annotated[
        bool, typer.Option("--release", help="Also make them what later versions must stay compatible with.")
    ] = False,
) -> None:
    """Write the JSON Schemas of this version."""
    from journey_stream import __version__  # noqa: PLC0415
    from journey_stream.events import schemas  # noqa: PLC0415

    try:
        written = schemas.export(directory, release=__version__ if release else None)
    except schemas.AlreadyReleased as error:
        raise CommandError(str(error)) from error
    for path in written:
        print(path)


@app.command()
def check(directory: Directory = DEFAULT) -> None:
    """Find drift between models and files, and changes that break a producer, worker or subscriber of any release."""
    from journey_stream.events import schemas  # noqa: PLC0415

    problems = schemas.check(directory)
    for problem in problems:
        print(problem)
    if problems:
        raise typer.Exit(1)
    print(f"{directory}: {len(schemas.CONTRACTS)} schemas match their models and every release")
