"""`journey-stream model`: journey models, ours and yours."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from journey_stream.cli.options import resolve_model

if TYPE_CHECKING:
    from journey_stream.journey.model import Identity

app = typer.Typer(help="Journey models: the stages and the rules that lead there.", no_args_is_help=True)


@app.command()
def check(files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Model files (YAML).")]) -> None:
    """Check model files; each mistake is shown with its file, line and field."""
    from journey_stream.journey.errors import ModelError  # noqa: PLC0415
    from journey_stream.journey.load import load_model  # noqa: PLC0415

    failed = False
    for file in files:
        try:
            model = load_model(file)
        except ModelError as error:
            failed = True
            print(error)
            continue
        print(
            f"{file}: ok: {model.name} version {model.version}, {len(model.stages)} stages, {len(model.kinds)} kinds "
            f"of touchpoints, {len(model.rules)} rules, {len(model.inactivity)} inactivity rules, "
            f"{len(model.segments)} segments, {_say_identity(model.identity)} (fingerprint {model.fingerprint[:12]})"
        )
    if failed:
        raise typer.Exit(1)


def _say_identity(identity: "Identity | None") -> str:
    return "identity off" if identity is None else f"{len(identity.ranks)} types of identifiers"


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="PRESET|FILE")],
    *,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Only the state diagram, as Mermaid.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show a model: its stages, what touchpoints mean, and its rules, as Markdown."""
    from journey_stream.journey import describe  # noqa: PLC0415

    model = resolve_model(name)
    if as_json:
        print(json.dumps(model.to_document(), indent=2, ensure_ascii=False))
    elif mermaid:
        print(describe.mermaid(model), end="")
    else:
        print(describe.markdown(model), end="")


@app.command("list")
def list_presets() -> None:
    """List the models that ship with journey-stream."""
    from journey_stream.journey.load import PRESETS, preset  # noqa: PLC0415

    width = max(map(len, PRESETS))
    for name in PRESETS:
        print(f"{name:{width}}  {preset(name).description}")
