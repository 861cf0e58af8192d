"""`journey-stream acls`: which rights on the brokers each part needs, and whether it has them."""

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from journey_stream.cli.errors import CommandError
from journey_stream.cli.options import BootstrapServers, Config, load

if TYPE_CHECKING:
    from journey_stream.worker.config import Settings

app = typer.Typer(help="The rights on the brokers that each part needs: show them, check them.", no_args_is_help=True)


class Form(StrEnum):
    """How rights are printed."""

    TABLE = "table"
    KAFKA_ACLS = "kafka-acls"
    STRIMZI = "strimzi"


Component = Annotated[str | None, typer.Argument(metavar="[COMPONENT]", help="Such as worker or serve; else all.")]


@app.command()
def show(
    component: Component = None,
    form: Annotated[
        Form, typer.Option("--format", help="A table, commands of Kafka, or what stands under spec of a KafkaUser.")
    ] = Form.TABLE,
    principal: Annotated[
        str | None, typer.Option(metavar="User:NAME", help="Whom to grant them; else User: and the component.")
    ] = None,
    config: Config = None,
) -> None:
    """Print the least rights with which a part works, for the names in the settings."""
    import yaml  # noqa: PLC0415

    from journey_stream.worker import rights as all_rights  # noqa: PLC0415

    settings = load(config)
    chosen = _chosen(component)
    if component is None and form is Form.TABLE:
        print(*all_rights.rights_overview(settings), sep="\n")
        return
    if form is Form.STRIMZI and len(chosen) > 1:
        raise CommandError("a KafkaUser is for one component; expected acls show COMPONENT --format strimzi")
    for number, name in enumerate(chosen):
        rights = all_rights.rights_of(name, settings)
        if form is Form.STRIMZI:
            print(yaml.safe_dump(all_rights.strimzi_acls(rights), sort_keys=False), end="")
            continue
        print(*([""] if number else []), f"# {name}: {all_rights.COMPONENTS[name].why}", sep="\n")
        lines = (
            all_rights.rights_table(rights)
            if form is Form.TABLE
            else all_rights.kafka_acls(rights, principal or f"User:{name}")
        )
        print(*lines, sep="\n")


@app.command()
def check(component: Component = None, config: Config = None, bootstrap_servers: BootstrapServers = None) -> None:
    """Say which of these rights the brokers do not grant to the user of the settings. Ends with 1 if one is missing.

    The creation of topics cannot be asked about.
    """
    settings = load(config, bootstrap_servers=bootstrap_servers)
    lacking = [name for name in _chosen(component) if asyncio.run(_lacks(settings, name))]
    if lacking:
        raise typer.Exit(1)


async def _lacks(settings: "Settings", component: str) -> bool:
    from journey_stream.worker.rights import rights_of  # noqa: PLC0415
    from journey_stream.worker.rights_check import missing_rights  # noqa: PLC0415

    missing = await missing_rights(settings, rights_of(component, settings))
    if not missing:
        print(f"{component}: has what it needs")
    for right in missing:
        print(f"{component}: {settings.principal} lacks {right}")
    return bool(missing)


def _chosen(component: str | None) -> list[str]:
    from journey_stream.worker.rights import COMPONENTS  # noqa: PLC0415

    if component is None:
        return list(COMPONENTS)
    if component not in COMPONENTS:
        raise CommandError(f"{component!r} is no component; expected one of {', '.join(COMPONENTS)}")
    return [component]
