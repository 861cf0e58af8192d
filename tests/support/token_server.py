"""An endpoint for OAuth tokens on this machine. Its tokens are unsigned, as Kafka takes them for development."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs


class TokenServer:
    """Gives `client_id` with `secret` a token each time it is asked; `forms` is what it was asked."""

    def __init__(self, client_id: str, secret: str, lifetime_seconds: float | None = 60.0) -> None:
        self.client_id, self.secret = client_id, secret
        self.lifetime_seconds = lifetime_seconds
        self.forms: list[dict[str, list[str]]] = []
        self.answer: tuple[int, bytes, dict[str, str]] | None = None
        """In place of a token, if it is set."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/token"

    @contextmanager
    def running(self) -> Iterator[TokenServer]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def answer_to(self, login: str, form: dict[str, list[str]]) -> tuple[int, bytes, dict[str, str]]:
        self.forms.append(form)
        if self.answer is not None:
            return self.answer
        expected = "Basic " + base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
        if login != expected:
            return 401, b'{"error": "invalid_client"}', {}
        told = {} if self.lifetime_seconds is None else {"expires_in": self.lifetime_seconds}
        body = {"access_token": self._token(len(self.forms)), "token_type": "Bearer", **told}
        return 200, json.dumps(body).encode(), {}

    def _token(self, number: int) -> str:
        now = time.time()
        claims = {"sub": self.client_id, "iat": now, "exp": now + (self.lifetime_seconds or 60.0), "jti": str(number)}
        return f"{_encoded({'alg': 'none'})}.{_encoded(claims)}."

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                status, content, headers = server.answer_to(self.headers.get("authorization", ""), parse_qs(body))
                self.send_response(status)
                for name, value in {"content-length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


def _encoded(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")
