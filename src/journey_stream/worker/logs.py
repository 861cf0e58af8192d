"""Log output of a worker: text for people, or one JSON object per line for machines."""

import json
import logging
import sys
import time
from contextvars import ContextVar
from typing import Literal

REPEAT_SECONDS = 5.0

_speaker: ContextVar[dict[str, str | int]] = ContextVar("speaker")


def speak_as(role: Literal["router", "task"], partition: int | None = None) -> None:
    """From here on, what this asyncio task and those that it starts say is said by a part of the worker.

    That holds for the Kafka client's messages too, which do not say on whose behalf a request failed.
    """
    _speaker.set({"role": role} if partition is None else {"role": role, "partition": partition})


def configure_logs(level: str, style: Literal["text", "json"]) -> None:
    """Log to stderr. aiokafka is heard from WARNING on, and not more often than it says something new."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else _text())
    handler.addFilter(NoRepeats())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("aiokafka").setLevel(max(logging.WARNING, logging.getLogger().level))


class NoRepeats(logging.Filter):
    """Drops what the same line of code has said within the last seconds.

    A client that waits for a broker reports each of its attempts, hundreds in a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said_at: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to let the record pass."""
        if not record.name.startswith("aiokafka"):
            return True
        line, now = (record.pathname, record.lineno), time.monotonic()
        if now - self._said_at.get(line, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        self._said_at[line] = now
        return True


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, message, which part of the worker says it, and the traceback if there is one."""
        fields: dict[str, str | int] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_speaker.get({}),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


def _text() -> logging.Formatter:
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    return formatter
