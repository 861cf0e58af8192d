"""Write the Grafana dashboards: python -m scripts.dashboards [DIRECTORY], by default deploy/grafana/."""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.dashboards.grafana import written
from scripts.dashboards.overview import OVERVIEW
from scripts.dashboards.quality import QUALITY
from scripts.dashboards.tasks import TASKS

DIRECTORY = Path(__file__).parents[2] / "deploy" / "grafana"

DASHBOARDS = {"overview.json": OVERVIEW, "tasks.json": TASKS, "data-quality.json": QUALITY}


def main(arguments: list[str]) -> None:
    """Write all dashboards to a directory."""
    directory = Path(arguments[0]) if arguments else DIRECTORY
    directory.mkdir(parents=True, exist_ok=True)
    for name, dashboard in DASHBOARDS.items():
        (directory / name).write_text(written(dashboard), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
