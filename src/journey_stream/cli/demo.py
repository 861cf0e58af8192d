"""`journey-stream demo`: real customers moving through a journey, on this machine."""

from typing import Annotated

import typer


def demo(
    seconds: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0, help="How long the year takes; 0: as fast as it goes.", show_default="60"
        ),
    ] = None,
) -> None:
    """Watch a year of 2,469 real households move through a journey, on a Kafka broker that comes along.

    In a terminal it shows what happens and then keeps running for your own subscriber until Ctrl-C. Without a terminal
    it prints lines, goes as fast as it can, and ends by itself.
    """
    from rich.console import Console  # noqa: PLC0415

    from journey_stream.demo.run import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(Console(), seconds=seconds))
