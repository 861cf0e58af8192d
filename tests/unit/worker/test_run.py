"""What a worker says before it asks any broker."""

from __future__ import annotations

import sys

import pytest

from journey_stream.worker.config import Settings
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.run import run_worker


async def test_spans_without_their_extra_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "journey_stream.worker.spans", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)  # type: ignore[arg-type]

    with pytest.raises(WorkerError, match=r"needs OpenTelemetry: .*pip install 'journey-stream\[otel\]'"):
        await run_worker(Settings(tracing="otlp"))
