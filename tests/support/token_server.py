"""An endpoint for OAuth tokens on this machine. Its tokens are unsigned, as Kafka takes them for development."""

from __future__ import annotations

import base64
import json
import time
from typing import Any
from urllib.parse import parse_qs

from tests.support.http_server import Asked, LoopbackServer, Reply


class TokenServer(LoopbackServer):
    """Gives `client_id` with `secret` a token each time it is asked; `forms` is what it was asked."""

    def __init__(self, client_id: str, secret: str, lifetime_seconds: float | None = 60.0) -> None:
        super().__init__()
        self.client_id, self.secret = client_id, secret
        self.lifetime_seconds = lifetime_seconds
        self.forms: list[dict[str, list[str]]] = []
        self.answer: tuple[int, bytes, dict[str, str]] | None = None
        """In place of a token, if it is set."""

    @property
    def url(self) -> str:
        return f"{super().url}/token"

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

    def reply_to(self, asked: Asked) -> Reply:
        return Reply(*self.answer_to(asked.headers.get("authorization", ""), parse_qs(asked.body.decode())))


def _encoded(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")
