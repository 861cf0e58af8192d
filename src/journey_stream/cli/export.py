"""`journey-stream export`: everything that is held on one person."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from journey_stream.cli.errors import CommandError
from journey_stream.cli.options import BootstrapServers, Config, ModelName, load, resolve_model

if TYPE_CHECKING:
    from journey_stream.events.erasures import Spans
    from journey_stream.journey.model import Model
    from journey_stream.worker.config import Settings

Profile = Annotated[str, typer.Argument(metavar="PROFILE", help="`c42`, or `email:ann@example.org` and the like.")]


def export(
    profile: Profile,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write there; else to standard output.")] = None,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    model: ModelName = None,
) -> None:
    """Write everything that is held on one person, as JSON: their current view, their identifiers, their histories of
    stages, churn risk and identity, and their touchpoints, byte for byte as far as the log still holds them.
    """
    settings = load(config, bootstrap_servers=bootstrap_servers, model=model)
    journey = resolve_model(settings.model)
    profile_id, _ = named(profile, settings, journey)
    document = asyncio.run(_read(settings, journey, profile_id))
    if document is None:
        raise CommandError(nothing_about(profile))
    text = json.dumps(document, indent=2, ensure_ascii=False)
    if out is None:
        print(text)
        return
    out.write_text(text + "\n", encoding="utf-8")
    count = sum(len(one["touchpoints"]) for one in document["identifiers"].values())
    print(f"wrote {len(document['identifiers'])} identifiers with {count} touchpoints to {out}")


def named(profile: str, settings: "Settings", model: "Model") -> tuple[str, dict[str, str]]:
    """The profile id that a person at the command line means, and the identifier as it may be written to a topic.

    Raises CommandError for what identifies nobody.
    """
    from journey_stream.cli.identity import identifiers_of  # noqa: PLC0415
    from journey_stream.worker.pseudonym_key import pseudonyms_of  # noqa: PLC0415

    policy = model.policy(pseudonyms_of(settings))
    usable = policy.usable(identifiers_of([profile], policy))
    if not usable:
        raise CommandError(f"{profile} names nobody: it is empty, a placeholder, or not of the form of its type")
    [(kind, value)] = usable.items()
    return policy.profile_id(kind, value), usable


def nothing_about(profile: str) -> str:
    """What to say when no topic knows an identifier."""
    return (
        f"nothing is held on {profile!r}. A customer_id is written as it is, any other identifier with its type before "
        "it, for example email:ann@example.org"
    )


async def _read(settings: "Settings", model: "Model", profile_id: str) -> dict[str, Any] | None:
    from journey_stream.worker.person import PersonReader  # noqa: PLC0415
    from journey_stream.worker.replay import broker_errors  # noqa: PLC0415
    from journey_stream.worker.rights import checked_topics  # noqa: PLC0415
    from journey_stream.worker.rights_check import require_rights  # noqa: PLC0415
    from journey_stream.worker.topics import topic_states  # noqa: PLC0415

    await require_rights(settings, "export")
    topics, states = settings.topics, await topic_states(settings, checked_topics("export", settings))
    async with broker_errors(settings), PersonReader(settings, states) as reader:
        person = await reader.find(profile_id, model.identity)
        touchpoints = await reader.touchpoints(person)
        identifiers: dict[str, Any] = {}
        found = bool(touchpoints)
        for one, spans in person.spans.items():
            # What is told of a shared identifier is told of others, too.
            is_own = one in person.own
            about = {
                name: [json.loads(value) for value in await reader.values(topic, one)] if is_own else []
                for name, topic in (
                    ("profiles", topics.profiles),
                    ("stage_changes", topics.stage_changes),
                    ("churn_risk", topics.churn_risk),
                    ("identity_changes", topics.identity_changes),
                )
            }
            found = found or any(about.values())
            views = about.pop("profiles")
            identifiers[one] = {
                "theirs": _spoken(spans),
                "profile": views[-1] if views else None,
                **about,
                "touchpoints": [
                    {
                        "arrived_at": _instant(touch.arrived_at),
                        "source": touch.source._asdict(),
                        "original": touch.original.decode(),
                    }
                    for touch in touchpoints
                    if touch.identifier == one
                ],
            }
        if not found and len(identifiers) == 1:
            return None
        return {"profile_id": profile_id, "linked_to": list(person.parents), "identifiers": identifiers}


def _spoken(spans: "Spans") -> Any:
    """`always`, or when."""
    from journey_stream.events.erasures import is_whole  # noqa: PLC0415

    if is_whole(spans):
        return "always"
    return [{"since": _instant(since), "until": _instant(until)} for since, until in spans]


def _instant(ms: int) -> str | None:
    from journey_stream.events.times import MS_MAX, rfc3339  # noqa: PLC0415

    return None if ms >= MS_MAX else rfc3339(ms)
