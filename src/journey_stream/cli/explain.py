"""`journey-stream explain`: why one customer is where they are, from a running system."""

import asyncio
import json
from typing import Annotated

import typer

from journey_stream.cli.errors import CommandError
from journey_stream.cli.options import BootstrapServers, Config, load


def explain(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="`c42`, or `email:ann@example.org` and the like.")],
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show the history of one profile with the reason of every change, and what was corrected since: its stages, and
    its churn risk with what raised and lowered it.

    Reads the profile's partition of journey.stage-changes, journey.churn-risk and journey.profiles as a subscriber
    does, from the oldest message that their retention still keeps.
    """
    from journey_stream.cli.explain_read import read_profile  # noqa: PLC0415

    settings = load(config, bootstrap_servers=bootstrap_servers)
    found = asyncio.run(read_profile(settings, profile))
    if found.view is None and not found.messages and not found.risks:
        raise CommandError(
            f"nothing is known of {profile!r}. A customer_id is written as it is, any other identifier with its type "
            "before it, for example email:ann@example.org"
        )
    if as_json:
        print(json.dumps(found.to_document(), indent=2, ensure_ascii=False))
        return
    from journey_stream.cli.explain_view import print_timeline  # noqa: PLC0415

    print_timeline(profile, found)
