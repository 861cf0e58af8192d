"""`journey-stream serve`: the live journey map."""

from typing import Annotated

import typer

from journey_stream.cli.options import BootstrapServers, Config, ModelName, load, resolve_model


def serve(
    config: Config = None,
    host: Annotated[str | None, typer.Option(help="Where to listen; 127.0.0.1 if not set.")] = None,
    port: Annotated[int | None, typer.Option(help="8600 if not set; 0 takes any that is free.")] = None,
    database: Annotated[
        str | None,
        typer.Option(metavar="FILE|URL", help="A file, or postgresql://user@host/name; journey.duckdb if not set."),
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make the database anew from the topics.")] = False,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Show what another serve projects into PostgreSQL.")
    ] = False,
    bootstrap_servers: BootstrapServers = None,
    model: ModelName = None,
) -> None:
    """Serve the live journey map and its API until SIGTERM or Ctrl-C.

    It reads the topics of the workers, writes none, and goes on where it stopped. Without a database it reads all that
    the topics hold.
    """
    from journey_stream.serve.run import start  # noqa: PLC0415

    settings = load(
        config,
        serve_host=host,
        serve_port=port,
        serve_database=database,
        bootstrap_servers=bootstrap_servers,
        model=model,
    )
    resolve_model(settings.model)  # names the presets if it is none of them and no file either
    raise typer.Exit(start(settings, rebuild=rebuild, read_only=read_only))
