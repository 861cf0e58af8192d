"""The HTTP endpoint of a worker: /metrics for Prometheus, /healthz and /readyz for probes.

It answers from threads of its own, so it can tell that the event loop does not answer.
"""

import errno
import json
import socket
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Protocol
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from journey_stream.worker.errors import WorkerError
from journey_stream.worker.health import Health
from journey_stream.worker.metrics import Metrics

SCRAPE_SECONDS_MAX = 2.0
"""A scrape may not wait for the event loop until Prometheus gives it up: the other metrics would be missing."""

_Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Endpoint(Protocol):
    """A running HTTP endpoint."""

    def shutdown(self) -> None: ...
    def server_close(self) -> None: ...


def serve(metrics: Metrics, health: Health, host: str, port: int) -> Endpoint:
    """Answer http://host:port/metrics, /healthz and /readyz. Raises WorkerError if the port cannot be had."""
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=metrics.registry)
    metrics.ready.set_function(lambda: 0.0 if health.ready(SCRAPE_SECONDS_MAX) else 1.0)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        server_class = type("Server", (ThreadingWSGIServer,), {"address_family": family})
        server: WSGIServer = make_server(str(address[0]), port, application(metrics, health), server_class, _Silent)
    except OSError as error:
        taken = "it is taken" if error.errno == errno.EADDRINUSE else str(error)
        raise WorkerError(
            f"The metrics cannot be served on {host}:{port}: {taken}. Set metrics_port (JOURNEY_METRICS_PORT) to a "
            "free port, or to 0 to switch the endpoint off."
        ) from error
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def application(metrics: Metrics, health: Health) -> _Application:
    """The pages as a WSGI application.

    A probe answers 200, or 503 if there are reasons against it, with `{"ok": …, "reasons": […]}`.
    """
    scrape = make_wsgi_app(metrics.registry)
    probes = {"/healthz": health.alive, "/readyz": health.ready}

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/metrics":
            page: Iterable[bytes] = scrape(environ, start_response)
            return page
        probe = probes.get(path)
        if probe is None:
            status, body = HTTPStatus.NOT_FOUND, b"Here are /metrics, /healthz and /readyz.\n"
        else:
            reasons = probe()
            status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
            body = json.dumps({"ok": not reasons, "reasons": reasons}).encode() + b"\n"
        kind = "text/plain; charset=utf-8" if probe is None else "application/json"
        start_response(f"{status.value} {status.phrase}", [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    return answer


class _Silent(WSGIRequestHandler):
    """Probes and scrapes come every few seconds and are not worth a line each."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""
