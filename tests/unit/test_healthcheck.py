"""The health check of the image."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.support.kafka import free_port

SCRIPT = Path(__file__).parents[2] / "deploy" / "image" / "healthcheck.py"


@contextlib.contextmanager
def answering(status: HTTPStatus) -> Iterator[int]:
    """The port of a server whose /healthz answers so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else HTTPStatus.NOT_FOUND)
            self.end_headers()
            self.wfile.write(b'{"ok": false, "reasons": ["the event loop has ended"]}')

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def check(**ports: int) -> tuple[int, str]:
    environ = {f"JOURNEY_{name.upper()}_PORT": str(port) for name, port in ports.items()}
    done = subprocess.run([sys.executable, str(SCRIPT)], env=environ, capture_output=True, text=True, check=False)
    assert not done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize("name", ["metrics", "serve"])
def test_a_process_that_lives_is_healthy_whichever_it_is(name: str) -> None:
    with answering(HTTPStatus.OK) as port:
        assert (0, "") == check(**{"metrics": free_port(), "serve": free_port(), name: port})


def test_a_worker_whose_event_loop_hangs_is_not_and_the_reason_is_told() -> None:
    with answering(HTTPStatus.SERVICE_UNAVAILABLE) as port:
        code, said = check(metrics=port, serve=free_port())

    assert 1 == code
    assert "says 503" in said
    assert "the event loop has ended" in said


def test_a_process_that_does_not_listen_is_not() -> None:
    code, said = check(metrics=free_port(), serve=free_port())

    assert 1 == code
    assert "nothing listens" in said
