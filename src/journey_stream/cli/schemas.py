"""`journey-stream schemas`: the contracts, as JSON Schemas, as an AsyncAPI document and as a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from journey_stream.cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator

app = typer.Typer(help="The contracts of what goes in and what comes out.", no_args_is_help=True)

Directory = Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where the schema files are.")]
Page = Annotated[Path | None, typer.Option(metavar="FILE", help="Also the contracts as a page to read (Markdown).")]
DEFAULT = Path("schemas")


@app.command()
def export(
    directory: Directory = DEFAULT,
    page: Page = None,
    *,
    release: Annotated[
        bool, typer.Option("--release", help="Also make them what later versions must stay compatible with.")
    ] = False,
) -> None:
    """Write the JSON Schemas of this version, and the AsyncAPI document of all topics."""
    from journey_stream import __version__  # noqa: PLC0415
    from journey_stream.events import schemas  # noqa: PLC0415

    try:
        written = schemas.export(directory, release=__version__ if release else None)
    except schemas.AlreadyReleased as error:
        raise CommandError(str(error)) from error
    for path, text in _documents(directory, page):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    for path in written:
        print(path)


@app.command()
def check(directory: Directory = DEFAULT, page: Page = None) -> None:
    """Find drift between models and files, and changes that break a producer, worker or subscriber of any release."""
    from journey_stream.events import schemas  # noqa: PLC0415

    problems = [str(problem) for problem in schemas.check(directory)]
    for path, text in _documents(directory, page):
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            option = f" --page {path}" if path == page else ""
            how = f"write it anew with `journey-stream schemas export{option}`"
            problems.append(f"{path.name}: {'differs from the models' if path.exists() else f'missing: {path}'}; {how}")
    for problem in problems:
        print(problem)
    if problems:
        raise typer.Exit(1)
    print(f"{directory}: {len(schemas.CONTRACTS)} schemas match their models and every release")


def _documents(directory: Path, page: Path | None) -> "Iterator[tuple[Path, str]]":
    """What is written beside the schemas, of the topics under their default names."""
    from journey_stream.worker.asyncapi import FILE, render_asyncapi  # noqa: PLC0415
    from journey_stream.worker.config import Settings  # noqa: PLC0415
    from journey_stream.worker.contracts_page import contracts_page  # noqa: PLC0415

    settings = Settings()
    yield directory / FILE, render_asyncapi(settings)
    if page is not None:
        yield page, contracts_page(settings)
