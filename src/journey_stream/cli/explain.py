"""`journey-stream explain`: why one customer is where they are, from a running system."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from journey_stream.cli.errors import CommandError
from journey_stream.cli.options import BootstrapServers, Config, ModelName, load, resolve_model

if TYPE_CHECKING:
    from journey_stream.worker.config import Settings


def explain(
    profile: Annotated[str, typer.Argument(metavar="PROFILE", help="`c42`, or `email:ann@example.org` and the like.")],
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    model: ModelName = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show the history of one profile with the reason of every change, and what was corrected since: its identifiers,
    its stages, and its churn risk with what raised and lowered it.

    Reads the profile's partition of journey.stage-changes, journey.churn-risk and journey.profiles, and all of
    journey.identity-changes, as a subscriber does, from the oldest message that their retention still keeps. PROFILE is
    normalised as the journey model says.
    """
    from journey_stream.cli.explain_read import read_profile  # noqa: PLC0415

    settings = load(config, bootstrap_servers=bootstrap_servers, model=model)
    profile_id = _profile_id(profile, settings)
    found = asyncio.run(read_profile(settings, profile_id))
    if found.is_empty:
        raise CommandError(
            f"nothing is known of {profile_id!r}. A customer_id is written as it is, any other identifier with its "
            "type before it, for example email:ann@example.org"
        )
    if as_json:
        print(json.dumps(found.to_document(), indent=2, ensure_ascii=False))
        return
    from journey_stream.cli.explain_view import print_timeline  # noqa: PLC0415

    print_timeline(profile_id, found)


def _profile_id(written: str, settings: "Settings") -> str:
    """The name that the router gives to the profile. Raises CommandError for what names nobody."""
    from journey_stream.events.pseudonyms import is_pseudonym  # noqa: PLC0415
    from journey_stream.worker.errors import WorkerError  # noqa: PLC0415
    from journey_stream.worker.pseudonym_key import pseudonyms_of  # noqa: PLC0415

    journey = resolve_model(settings.model)
    policy = journey.policy()
    kind, colon, value = written.partition(":")
    if not colon or kind not in policy.ranks:
        kind, value = policy.ranks[0], written
    if kind in settings.pseudonymise and not is_pseudonym(value.strip()):
        try:
            policy = journey.policy(pseudonyms_of(settings))
        except WorkerError as error:
            raise CommandError(f"{error}; or write the pseudonym, {kind}:hmac-…, as the topics show it") from error
    profile_id = policy.owner_of({kind: value})
    if profile_id is None:
        raise CommandError(f"{written!r} names nobody: the value is blocked, or it is not one of the type {kind}")
    return profile_id
