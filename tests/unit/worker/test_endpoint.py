from __future__ import annotations

import asyncio
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from journey_stream.worker.endpoint import serve
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.health import Health
from journey_stream.worker.metrics import Metrics
from tests.support.kafka import free_port


class Saying:
    """A part of a worker that has these reasons not to be ready."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = list(reasons)

    def unready(self) -> list[str]:
        return self.reasons


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs in a thread of its own, as the worker's does beside the endpoint."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.fixture
def served(loop: asyncio.AbstractEventLoop) -> Iterator[tuple[int, Metrics, Saying]]:
    metrics, part, port = Metrics(), Saying(), free_port()
    endpoint = serve(metrics, Health(loop, [Saying(), part]), "127.0.0.1", port)
    yield port, metrics, part
    endpoint.shutdown()
    endpoint.server_close()


def test_the_endpoint_answers_a_scrape(served: tuple[int, Metrics, Saying]) -> None:
    port, metrics, _ = served
    metrics.corrections.inc(3)

    status, text = get(port, "/metrics")

    assert 200 == status
    assert "journey_corrections_total 3.0" in text
    assert "journey_ready 1.0" in text
    assert "python_info" in text


def test_a_worker_whose_parts_work_is_alive_and_ready(served: tuple[int, Metrics, Saying]) -> None:
    port, _, _ = served

    answers = {path: get(port, path) for path in ("/healthz", "/readyz")}

    assert dict.fromkeys(answers, (200, '{"ok": true, "reasons": []}\n')) == answers


def test_a_part_that_is_not_at_work_is_named_and_is_no_reason_to_replace_the_process(
    served: tuple[int, Metrics, Saying],
) -> None:
    port, _, part = served
    part.reasons.append("task 3: restoring")

    ready, alive, page = get(port, "/readyz"), get(port, "/healthz"), get(port, "/metrics")[1]

    assert (503, {"ok": False, "reasons": ["task 3: restoring"]}) == (ready[0], json.loads(ready[1]))
    assert 200 == alive[0]
    assert "journey_ready 0.0" in page


def test_what_is_nowhere_says_what_is_there(served: tuple[int, Metrics, Saying]) -> None:
    assert (404, "Here are /metrics, /healthz and /readyz.\n") == get(served[0], "/")


def test_an_event_loop_that_is_busy_for_too_long_is_neither_alive_nor_ready(loop: asyncio.AbstractEventLoop) -> None:
    health, released = Health(loop, [Saying()]), threading.Event()
    loop.call_soon_threadsafe(released.wait, 20)

    blocked = health.alive(0.1), health.ready(0.1)
    released.set()
    afterwards = health.alive(), health.ready()

    reasons = ["the event loop has not answered within 0.1 s"]
    assert (reasons, reasons) == blocked
    assert ([], []) == afterwards


def test_an_event_loop_that_has_ended_says_so() -> None:
    loop = asyncio.new_event_loop()
    loop.close()

    assert ["the event loop has ended"] == Health(loop, []).alive()


def test_a_port_that_is_taken_is_a_matter_for_a_person(loop: asyncio.AbstractEventLoop) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(WorkerError, match=f"127.0.0.1:{port}: it is taken. Set metrics_port"):
            serve(Metrics(), Health(loop, []), "127.0.0.1", port)
