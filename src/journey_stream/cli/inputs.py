"""What `replay` and `simulate` read: files of touchpoints, and data sets by name."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from journey_stream.cli.printing import plain

if TYPE_CHECKING:
    from journey_stream.events.identifiers import Policy
    from journey_stream.history.record import HistoryRecord, Problem

SHOWN_PROBLEMS_MAX = 5
DATASET = "dataset:"

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE",
        help="JSONL, CSV or Parquet (.gz is fine); or `dataset:completejourney`, `dataset:cdnow`, `dataset:ecom`, "
        "which read an installed package.",
    ),
]


class Problems:
    """Shows the first few unusable records on stderr; what becomes of all of them is said elsewhere."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, problem: "Problem") -> None:
        self._count += 1
        if self._count <= SHOWN_PROBLEMS_MAX:
            typer.echo(plain(str(problem)), err=True)

    def finish(self) -> None:
        """Say how many more there were."""
        if self._count > SHOWN_PROBLEMS_MAX:
            typer.echo(f"… and {self._count - SHOWN_PROBLEMS_MAX} more like these", err=True)


def read_inputs(names: Iterable[str], report: Problems, policy: "Policy | None" = None) -> "Iterator[HistoryRecord]":
    """Every record of the inputs, one input after the other; `policy` is that of the model.

    Whether there is such an input is checked of all of them at once, before anything is read or written. Raises
    HistoryError.
    """
    from journey_stream.events.identifiers import DEFAULT  # noqa: PLC0415
    from journey_stream.history.datasets import dataset  # noqa: PLC0415
    from journey_stream.history.files import read_files  # noqa: PLC0415

    inputs = [
        dataset(name.removeprefix(DATASET)).records()
        if name.startswith(DATASET)
        else read_files([Path(name)], report, policy or DEFAULT)
        for name in names
    ]
    return chain.from_iterable(inputs)
