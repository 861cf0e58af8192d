"""The composition root of a worker: checks, signals, roles, metrics."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from journey_stream.churn.load import find_scorer
from journey_stream.engine.partition import Partition
from journey_stream.journey.errors import ModelError
from journey_stream.journey.load import PRESETS, load_model, preset
from journey_stream.journey.model import Model
from journey_stream.worker.broker_errors import BrokerError
from journey_stream.worker.config import Settings
from journey_stream.worker.config_file import ConfigError, load_settings
from journey_stream.worker.endpoint import Endpoint, serve
from journey_stream.worker.erasure_key import erasure_key_of
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.health import Health
from journey_stream.worker.logs import configure_logs
from journey_stream.worker.metrics import Metrics
from journey_stream.worker.pseudonym_key import pseudonyms_of
from journey_stream.worker.rights import checked_topics
from journey_stream.worker.rights_check import require_rights
from journey_stream.worker.router import Router
from journey_stream.worker.schema_registry import frames_of
from journey_stream.worker.tasks import Tasks
from journey_stream.worker.topics import require_topics

if TYPE_CHECKING:
    from journey_stream.worker.spans import Spans

Role = Literal["all", "router", "tasks"]

ROUTER_NICENESS = 3
"""A router by itself goes after the tasks of its machine where processors are short: what is in the log is to be
finished first, and what a router leaves waits in the sources just as well."""

# State is packed bytes and the hot path makes no cycles, so collecting often only costs time.
GC_THRESHOLDS = (200_000, 50, 100)

_log = logging.getLogger(__name__)


async def run_worker(settings: Settings, role: Role = "all") -> None:
    """Run until SIGTERM or SIGINT: then finish and commit the batch at hand, leave the groups and return.

    Raises ModelError, BrokerError or WorkerError with a message for the person on call.
    """
    model, scorer = read_model(settings.model), find_scorer(settings.churn)
    routes, decides = role in {"all", "router"}, role in {"all", "tasks"}
    spans = _spans_of(settings)
    policy = model.policy(pseudonyms_of(settings) if routes else None)
    component = "worker" if role == "all" else role
    await require_rights(settings, component)
    for problem in await require_topics(settings, checked_topics(component, settings)):
        _log.warning("%s", problem)
    frames = await frames_of(settings) if decides else {}
    erasure_key = erasure_key_of(settings)
    metrics = Metrics()
    metrics.uses(model, scorer)
    metrics.log_partitions.set(settings.partitions)
    gc.set_threshold(*GC_THRESHOLDS)
    gc.freeze()
    parts: list[Router | Tasks] = []
    if routes:
        parts.append(Router(settings, metrics, policy, spans))
    if decides:

        def make_engine() -> Partition:
            return Partition(model, settings.limits, scorer, erasure_key)

        parts.append(Tasks(settings, metrics, make_engine, frames=frames, spans=spans))
    endpoint: Endpoint | None = None
    if settings.metrics_port:
        health = Health(asyncio.get_running_loop(), parts)
        endpoint = serve(metrics, health, settings.metrics_host, settings.metrics_port)
    try:
        await _until_signalled(parts)
    finally:
        if endpoint is not None:
            endpoint.shutdown()
            endpoint.server_close()
        if spans is not None:
            await asyncio.to_thread(spans.close)


def _spans_of(settings: Settings) -> Spans | None:
    if settings.tracing == "none":
        return None
    try:
        from journey_stream.worker.spans import otlp_spans  # noqa: PLC0415 - it is there only with the extra
    except ImportError as error:
        raise WorkerError(
            f"tracing: otlp needs OpenTelemetry: {error}. Install it with: pip install 'journey-stream[otel]', or take "
            "the setting away: a touchpoint's traceparent is passed on without it."
        ) from error
    return otlp_spans(settings)


def read_model(name: str) -> Model:
    """A preset by its name, or the model file at a path. Raises ModelError."""
    return preset(name) if name in PRESETS else load_model(Path(name))


def start(settings: Settings, role: Role = "all") -> int:
    """Run a worker as this process: 0 after a signal, 1 with a message on stderr if a person has to do something."""
    configure_logs(settings.log_level, settings.log_format)
    if role == "router":
        os.nice(ROUTER_NICENESS)
    try:
        asyncio.run(run_worker(settings, role))
    except (BrokerError, ModelError, WorkerError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


async def _until_signalled(parts: list[Router | Tasks]) -> None:
    """Run the parts side by side. A signal, or the failure of one, ends all of them in an orderly way."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for part in parts:
            part.stop()

    def stop_because(number: signal.Signals) -> None:
        _log.info("%s: what has been read is finished, then this worker ends", number.name)
        stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop_because, number)
    _log.info("started: %s", ", ".join(type(part).__name__.lower() for part in parts))
    running = [asyncio.create_task(part.run()) for part in parts]
    try:
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop()
        await asyncio.wait(running)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
    for part in running:
        part.result()
    _log.info("stopped")


def main(arguments: list[str]) -> int:
    """`python -m journey_stream.worker.run CONFIG [ROLE]`: the worker without the rest of the command line."""
    roles = get_args(Role)
    if not 1 <= len(arguments) <= 2 or (len(arguments) == 2 and arguments[1] not in roles):
        sys.stderr.write(f"usage: python -m journey_stream.worker.run CONFIG [{'|'.join(roles)}]\n")
        return 2
    role: Role = arguments[1] if len(arguments) == 2 else "all"  # type: ignore[assignment]
    try:
        settings = load_settings(Path(arguments[0]))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return start(settings, role)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
