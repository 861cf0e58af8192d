"""A Faust subscriber for tests: writes what it does to a file. Run with `faust -A tests.integration.faust_subscriber`.

`SUBSCRIBER_DIR` is where it keeps its memory and its file. While a file `stuck` is in it, a reaction does not end.
"""

import asyncio
import os
from pathlib import Path

from journey_stream.events.outputs import StageChange
from journey_stream.subscribe import Reactor, SqliteMemory
from journey_stream.subscribe.app import add_reactions, create_app, output_topics
from journey_stream.worker.config_file import load_settings

directory = Path(os.environ["SUBSCRIBER_DIR"])
settings = load_settings()


def say(what: str, change: StageChange) -> None:
    with (directory / "reactions.txt").open("a") as file:
        file.write(f"{what} {change.profile_id} {change.to_stage}\n")


async def act(change: StageChange) -> None:
    if (directory / "stuck").exists():
        say("stuck", change)
        await asyncio.Event().wait()
    say("act", change)


async def undo(change: StageChange) -> None:
    say("undo", change)


app = create_app(settings, f"{settings.application_id}-subscriber", datadir=directory, store="memory://")
add_reactions(app, output_topics(app, settings), Reactor(act, undo, SqliteMemory(directory / "memory.sqlite")))
