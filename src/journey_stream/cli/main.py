"""The `journey-stream` command: one module per group of commands, imported here and nothing else of weight.

What a command needs is imported when it runs, so that `--help` answers at once.
"""

import logging
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer

from journey_stream.cli import (
    acls,
    attribution,
    churn,
    dead_letters,
    demo,
    erase,
    explain,
    export,
    identity,
    model,
    replay,
    schemas,
    serve,
    simulate,
    topics,
    worker,
)
from journey_stream.cli.errors import exit_code_of

RUN, HISTORY, RULES = "Run", "History", "Rules and contracts"

app = typer.Typer(
    name="journey-stream",
    help="The current stage of every customer's journey: touchpoints on Kafka in, explained stage changes out.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo", rich_help_panel=RUN)(demo.demo)
app.command("worker", rich_help_panel=RUN)(worker.worker)
app.command("serve", rich_help_panel=RUN)(serve.serve)
app.add_typer(topics.app, name="topics", rich_help_panel=RUN)
app.add_typer(acls.app, name="acls", rich_help_panel=RUN)
app.add_typer(dead_letters.app, name="dead-letters", rich_help_panel=RUN)
app.command("explain", rich_help_panel=RUN)(explain.explain)
app.add_typer(identity.app, name="identity", rich_help_panel=RUN)
app.command("export", rich_help_panel=RUN)(export.export)
app.command("erase", rich_help_panel=RUN)(erase.erase)
app.command("replay", rich_help_panel=HISTORY)(replay.replay)
app.command("simulate", rich_help_panel=HISTORY)(simulate.simulate)
app.command("attribution", rich_help_panel=HISTORY)(attribution.attribution)
app.add_typer(churn.app, name="churn", rich_help_panel=RULES)
app.add_typer(model.app, name="model", rich_help_panel=RULES)
app.add_typer(schemas.app, name="schemas", rich_help_panel=RULES)


def _print_version(wanted: bool) -> None:
    if wanted:
        from journey_stream import __version__  # noqa: PLC0415 -- see above

        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    """Settings come from `journey.yaml` and from `JOURNEY_*` variables; an option of a command beats both."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    # A broker that cannot be reached is told once, by us.
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())
    if isinstance(sys.stdout, TextIOWrapper):
        # As stderr does it: an escape for what the terminal cannot show is better than no answer.
        sys.stdout.reconfigure(errors="backslashreplace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(given, prog_name="journey-stream")
    except Exception as error:
        if "--debug" in given:
            raise
        sys.exit(exit_code_of(error))


if __name__ == "__main__":
    main()
