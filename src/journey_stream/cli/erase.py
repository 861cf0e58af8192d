"""`journey-stream erase`: forget one person, and show proof."""

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer

from journey_stream.cli.errors import CommandError
from journey_stream.cli.export import Profile, named, nothing_about
from journey_stream.cli.options import BootstrapServers, Config, ModelName, load, resolve_model
from journey_stream.cli.printing import plain

if TYPE_CHECKING:
    from journey_stream.journey.model import Model
    from journey_stream.worker.config import Settings
    from journey_stream.worker.erase import Inventory, Left


def erase(
    profile: Profile,
    why: Annotated[str, typer.Option(metavar="TEXT", help="Why; it stands in the log beside the erasure.")],
    who: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who decided it; else the user of this machine.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, help="How long to wait for the worker to do it.")
    ] = 60.0,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    model: ModelName = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="Also if nothing is held, or if the identifier belongs to a higher one."),
    ] = False,
) -> None:
    """Erase one person up to now: state, view and what was published of every identifier that is theirs alone, and what
    was theirs of those that others use as well. Inputs that come late or again do not bring them back.

    Prints what was found, what is left, and when the broker will have removed that.
    """
    if not why.strip():
        raise CommandError("--why is empty; expected a reason that somebody understands in a year")
    settings = load(config, bootstrap_servers=bootstrap_servers, model=model)
    asyncio.run(_erase(settings, resolve_model(settings.model), profile, why, who, timeout, dry_run, anyway))


async def _erase(
    settings: "Settings",
    model: "Model",
    profile: str,
    why: str,
    who: str | None,
    timeout: float,  # noqa: ASYNC109 - a deadline of our own, told with what it waited for
    dry_run: bool,
    anyway: bool,
) -> None:
    from journey_stream.cli.identity import identifiers_of, operation_of, user  # noqa: PLC0415
    from journey_stream.events.times import rfc3339  # noqa: PLC0415
    from journey_stream.worker.erase import erase_person, inventory, left  # noqa: PLC0415
    from journey_stream.worker.operate import write_operation  # noqa: PLC0415
    from journey_stream.worker.replay import broker_errors  # noqa: PLC0415
    from journey_stream.worker.rights import checked_topics  # noqa: PLC0415
    from journey_stream.worker.rights_check import require_rights  # noqa: PLC0415
    from journey_stream.worker.topics import topic_states  # noqa: PLC0415

    profile_id, _ = named(profile, settings, model)
    policy, properties = model.policy(), {"who": who or user(), "why": why}
    await require_rights(settings, "erase")
    states = await topic_states(settings, checked_topics("erase", settings))
    async with broker_errors(settings):
        before = await inventory(settings, states, profile_id, model.identity)
    if not anyway:
        _require_sense(profile, before)
        if before.is_erased:
            print(f"{profile} is erased already, and nothing has come since; another erasure would be no news")
            _show_left(settings, before, left(before.held, before.held, states))
            return
    _show_found(before)
    if dry_run:
        return
    at = time.time_ns() // 1_000_000

    async def write(one: str) -> object:
        operation, value = operation_of("erase", identifiers_of([one], policy), properties, policy, at)
        return await write_operation(settings, operation.profile_id.encode(), value)

    async with broker_errors(settings):
        rest = await erase_person(settings, states, before, at, write, seconds_max=timeout)
    print(f"done: erased up to {rfc3339(at)}, and {settings.topics.erasures} keeps it so")
    _show_left(settings, before, rest)


def _require_sense(profile: str, before: "Inventory") -> None:
    """Raise CommandError if this is not what somebody means who wants a person erased."""
    person = before.person
    if person.parents:
        higher = " and ".join(map(plain, person.parents))
        raise CommandError(
            f"{profile} belongs to {higher}: erase that one, and all that is theirs goes with it "
            f"(journey-stream erase {plain(person.parents[0])}). To erase {profile} alone, add --anyway"
        )
    if before.is_empty and not before.is_erased:
        raise CommandError(f"{nothing_about(profile)}. To keep what may still come out all the same, add --anyway")


def _show_found(before: "Inventory") -> None:
    person = before.person
    print(f"erased wholly: {', '.join(map(plain, person.own))}")
    if person.shared:
        print(f"shared with others, of which only what was theirs goes: {', '.join(map(plain, person.shared))}")
    for topic, held in before.held.items():
        print(f"  {topic}: {held.records} records")


def _show_left(settings: "Settings", before: "Inventory", rest: "list[Left]") -> None:
    width = max(len(one.topic) for one in rest)
    print(f"  {'topic':{width}}  found  left  gone from the disks")
    for one in rest:
        print(f"  {one.topic:{width}}  {one.found:5}  {one.left:4}  {one.gone}")
    print(
        f"not counted here: the sources ({', '.join(settings.sources)}), which belong to those who write them, and "
        "what subscribers have read; they were told by null values"
    )
    if before.person.shared:
        print("nor what the shared identifiers were to others, which stays")
