"""Options that several commands share, and what they mean."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from journey_stream.cli.errors import CommandError

if TYPE_CHECKING:
    from journey_stream.journey.model import Model
    from journey_stream.worker.config import Settings

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="Settings; else `journey.yaml` here, if there is one."),
]
BootstrapServers = Annotated[
    str | None,
    typer.Option("--bootstrap-servers", "-b", metavar="HOST:PORT,…", help="Kafka brokers."),
]
ModelName = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="PRESET|FILE", help="Journey model; else that of the settings."),
]
ChurnName = Annotated[
    str | None,
    typer.Option("--churn", metavar="NAME|FILE|none", help="Churn parameters; else those of the settings."),
]


def load(config: Path | None, **options: Any) -> "Settings":
    """The settings; `options` by the name of the setting, None for those not given. Raises ConfigError."""
    from journey_stream.worker.config_file import load_settings  # noqa: PLC0415

    return load_settings(config, options=options)


def resolve_model(name: str) -> "Model":
    """The model that a preset's name or a path means. Raises ModelError."""
    from journey_stream.journey.load import PRESETS, load_model, preset  # noqa: PLC0415

    is_file = name not in PRESETS and (Path(name).exists() or Path(name).suffix in {".yaml", ".yml"} or "/" in name)
    return load_model(name) if is_file else preset(name)


def instant_ms(written: str) -> int:
    """An instant of the command line, in ms: RFC 3339, or a date, which means midnight UTC. Raises CommandError."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from journey_stream.events.times import to_ms  # noqa: PLC0415

    try:
        read = datetime.fromisoformat(written)
    except ValueError:
        raise CommandError(
            f"{written!r} is no instant; expected one such as 2026-01-31 or 2026-01-31T09:30:00Z"
        ) from None
    if read.tzinfo is None:
        if len(written) > len("2026-01-31"):
            raise CommandError(f"{written!r} has no offset; write {written}Z for UTC, or an offset such as +01:00")
        read = read.replace(tzinfo=UTC)
    return to_ms(read)
