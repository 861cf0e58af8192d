"""The live map's service as a process of its own."""

from __future__ import annotations

import re
from pathlib import Path

from tests.integration.workers import Worker


class Service(Worker):
    """`journey-stream serve`; its log is `<directory>/<name>.log`."""

    def __init__(self, config: Path, name: str, *options: str) -> None:
        super().__init__(config, name, command=["journey_stream.cli.main", "serve", "--config", str(config), *options])

    @property
    def url(self) -> str:
        """Where it listens, once it has started."""
        found = re.search(r"http://\S+?:\d+", self.log.read_text())
        assert found is not None, self.tail()
        return found[0]
