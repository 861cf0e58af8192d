"""`journey-stream identity`: say who is who, where the touchpoints alone do not."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from journey_stream.cli.errors import CommandError
from journey_stream.cli.options import BootstrapServers, Config, ModelName, instant_ms, load, resolve_model

if TYPE_CHECKING:
    from journey_stream.events.identifiers import Policy
    from journey_stream.events.log import Source
    from journey_stream.events.operations import Operation
    from journey_stream.worker.config import Settings

app = typer.Typer(
    help="Link identifiers by hand, undo links, block identifiers. Each is written `type:value`; one of the highest "
    "type, a customer_id unless the model says otherwise, may be its value alone.",
    no_args_is_help=True,
)

Child = Annotated[str, typer.Argument(metavar="CHILD", help="The lower one, such as `device_id:d7`.")]
Parent = Annotated[str, typer.Argument(metavar="PARENT", help="The higher one, such as `customer_id:c42`.")]
Why = Annotated[str, typer.Option(metavar="TEXT", help="Why; it is told with what comes of it.")]
Who = Annotated[str | None, typer.Option(metavar="NAME", help="Who decided it; else the user of this machine.")]


@app.command()
def link(
    child: Child,
    parent: Parent,
    why: Why,
    who: Who = None,
    since: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="Since when it holds (RFC 3339); else from now on.")
    ] = None,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    model: ModelName = None,
) -> None:
    """Say that CHILD belongs to PARENT."""
    _operate("link", [child, parent], why, who, _instant("at", since), config, bootstrap_servers, model)


@app.command()
def unlink(
    child: Child,
    parent: Parent,
    why: Why,
    who: Who = None,
    since: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="From when on it did not belong there (RFC 3339); else never.")
    ] = None,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    model: ModelName = None,
) -> None:
    """Say that CHILD, up to now, does not belong to PARENT. Seen together again later, they are linked anew."""
    _operate("unlink", [child, parent], why, who, _instant("since", since), config, bootstrap_servers, model)


@app.command()
def block(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="Such as `email:info@shop.example`.")],
    why: Why,
    who: Who = None,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    model: ModelName = None,
) -> None:
    """Say that ID names nobody: what it alone names is dropped from now on."""
    _operate("block", [identifier], why, who, {}, config, bootstrap_servers, model)


def _operate(
    kind: str,
    written: list[str],
    why: str,
    who: str | None,
    instants: dict[str, str],
    config: Config,
    bootstrap_servers: BootstrapServers,
    model: ModelName,
) -> None:
    if not why.strip():
        raise CommandError("--why is empty; expected a reason that somebody understands in a year")
    settings = load(config, bootstrap_servers=bootstrap_servers, model=model)
    identifiers = identifiers_of(written, policy := resolve_model(settings.model).policy())
    properties = {"who": who or user(), "why": why, **instants}
    operation, value = operation_of(kind, identifiers, properties, policy)
    place = asyncio.run(_write(settings, operation.profile_id.encode(), value))
    print(f"wrote {kind} {' '.join(written)} to {place.topic}, partition {place.partition}, offset {place.offset}")
    hidden = identifiers.keys() & set(settings.pseudonymise)
    key = "the pseudonym of it" if hidden else operation.profile_id
    print(
        f"a worker that runs tells what comes of it on {settings.topics.identity_changes} (key: {key}), or on "
        f"{settings.topics.dead_letters} why nothing does"
    )


async def _write(settings: "Settings", key: bytes, value: bytes) -> "Source":
    from journey_stream.worker.operate import write_operation  # noqa: PLC0415
    from journey_stream.worker.rights_check import require_rights  # noqa: PLC0415

    await require_rights(settings, "identity")
    return await write_operation(settings, key, value)


def operation_of(
    kind: str, identifiers: dict[str, str], properties: dict[str, str], policy: "Policy", at: int | None = None
) -> "tuple[Operation, bytes]":
    """The operation, decided at `at` (ms; else now), as the router will read it, and its bytes.

    Raises CommandError with what the router would say.
    """
    import json  # noqa: PLC0415
    import time  # noqa: PLC0415
    from uuid import uuid4  # noqa: PLC0415

    from journey_stream.events.admission import Refused, read_touchpoint  # noqa: PLC0415
    from journey_stream.events.operations import CHANNEL, Operation  # noqa: PLC0415
    from journey_stream.events.times import rfc3339  # noqa: PLC0415

    document: dict[str, Any] = {
        "event_id": f"{CHANNEL}-{uuid4().hex}",
        "occurred_at": rfc3339(time.time_ns() // 1_000_000 if at is None else at),
        "channel": CHANNEL,
        "type": kind,
        "identifiers": identifiers,
        "properties": properties,
    }
    value = json.dumps(document, ensure_ascii=False).encode()
    found = read_touchpoint(value, policy)
    if isinstance(found, Refused):
        raise CommandError(f"{found.reason}: {found.detail}")
    assert isinstance(found, Operation)
    return found, value


def identifiers_of(written: list[str], policy: "Policy") -> dict[str, str]:
    """Type to value. Raises CommandError for what cannot be said of a lower and a higher identifier."""
    from journey_stream.events.operations import ONE_TYPE  # noqa: PLC0415

    found: dict[str, str] = {}
    for one in written:
        kind, colon, value = one.partition(":")
        if not colon:
            kind, value = policy.ranks[0], one
        if kind not in policy.ranks:
            types = ", ".join(policy.ranks)
            raise CommandError(f"{one}: {kind!r} is no type of identifiers; expected TYPE:VALUE with one of {types}")
        if kind in found:
            raise CommandError(f"both are of the type {kind}: {ONE_TYPE}")
        found[kind] = value
    ranked = [kind for kind in policy.ranks if kind in found]
    if len(ranked) == 2 and list(found) == ranked:
        higher, lower = written
        raise CommandError(f"{higher} is of a higher type than {lower}; write the lower one first: {lower} {higher}")
    return found


def _instant(name: str, written: str | None) -> dict[str, str]:
    from journey_stream.events.times import rfc3339  # noqa: PLC0415

    return {} if written is None else {name: rfc3339(instant_ms(written))}


def user() -> str:
    import getpass  # noqa: PLC0415

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise CommandError("this machine does not say who you are; expected --who NAME") from None
