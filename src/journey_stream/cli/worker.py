"""`journey-stream worker`: the service."""

from enum import StrEnum
from typing import Annotated

import typer

from journey_stream.cli.options import BootstrapServers, Config, ModelName, load, resolve_model


class Role(StrEnum):
    """Which part of the service this process runs."""

    ALL = "all"
    ROUTER = "router"
    TASKS = "tasks"


def worker(
    config: Config = None,
    role: Annotated[Role, typer.Option(help="`router`: sources to log. `tasks`: log to outputs.")] = Role.ALL,
    bootstrap_servers: BootstrapServers = None,
    model: ModelName = None,
) -> None:
    """Run a worker until SIGTERM or Ctrl-C; it then finishes its batch and leaves its group.

    Start as many as you like: Kafka shares the partitions among them.
    """
    from journey_stream.worker.run import start  # noqa: PLC0415

    settings = load(config, bootstrap_servers=bootstrap_servers, model=model)
    resolve_model(settings.model)  # names the presets if it is none of them and no file either
    raise typer.Exit(start(settings, role.value))
