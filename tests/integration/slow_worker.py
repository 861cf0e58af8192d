"""A worker whose restore takes longer than a session lasts: `python -m tests.integration.slow_worker CONFIG ROLE`."""

import asyncio
import sys
from typing import Any

from journey_stream.worker import run, task

SECONDS = 5.0

_restore = task.restore


async def _slowly(*arguments: Any) -> Any:
    found = await _restore(*arguments)
    await asyncio.sleep(SECONDS)
    return found


if __name__ == "__main__":
    task.restore = _slowly
    sys.exit(run.main(sys.argv[1:]))
