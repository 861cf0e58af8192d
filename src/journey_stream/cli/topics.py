"""`journey-stream topics`: make the topics, and find what is wrong with those that exist."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from journey_stream.cli.options import BootstrapServers, Config, load

if TYPE_CHECKING:
    from journey_stream.worker.config import Settings
    from journey_stream.worker.topic_checks import Problem

app = typer.Typer(help="The Kafka topics: make them, check them.", no_args_is_help=True)

History = Annotated[
    bool, typer.Option("--history", help="For a replay of the past, whose records carry the times of then.")
]


@app.command()
def create(config: Config = None, bootstrap_servers: BootstrapServers = None, *, history: History = False) -> None:
    """Create the topics that do not exist yet; leave the others as they are."""
    settings = load(config, bootstrap_servers=bootstrap_servers)
    created = asyncio.run(_create(settings, history=history))
    for name in created:
        print(f"created {name}")
    if not created:
        print("all topics exist already; `journey-stream topics check` says whether they are as they should be")


@app.command()
def check(config: Config = None, bootstrap_servers: BootstrapServers = None, *, history: History = False) -> None:
    """Say what is wrong with the topics, and how to mend it. Ends with 1 if anything is an error."""
    settings = load(config, bootstrap_servers=bootstrap_servers)
    problems = asyncio.run(_check(settings, history=history))
    for problem in problems:
        print(problem)
    if any(problem.severity == "error" for problem in problems):
        raise typer.Exit(1)
    print(f"the topics of {settings.application_id} are fit to work with" + (", with warnings" if problems else ""))


async def _create(settings: "Settings", *, history: bool) -> list[str]:
    from journey_stream.worker.rights_check import require_rights  # noqa: PLC0415
    from journey_stream.worker.topics import create_topics  # noqa: PLC0415

    await require_rights(settings, "topics-create")
    return await create_topics(settings, history=history)


async def _check(settings: "Settings", *, history: bool) -> "list[Problem]":
    from journey_stream.worker.rights_check import require_rights  # noqa: PLC0415
    from journey_stream.worker.topics import check_topics  # noqa: PLC0415

    await require_rights(settings, "topics-check")
    return await check_topics(settings, history=history)
