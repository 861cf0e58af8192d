"""A schema registry on this machine, with as much of Confluent's API as its clients need to write and read JSON."""

from __future__ import annotations

import base64
import json
import re
import threading
from typing import Any

from tests.support.http_server import Asked, LoopbackServer, Reply

Answer = tuple[int, Any]


class SchemaRegistry(LoopbackServer):
    """Schemas get rising ids, the same for the same text. `registered` has the ids under each subject, oldest first.

    `asked` is what it was asked, as `METHOD /path`; `readers` and `writers` are logins as `user:password`, and without
    any everybody may do everything. Subjects in `closed` take no other schema than they have.
    """

    def __init__(self, first_id: int = 1) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.registered: dict[str, list[int]] = {}
        self.readers: set[str] = set()
        self.writers: set[str] = set()
        self.closed: set[str] = set()
        self.answer: Answer | None = None
        """In place of any other, if it is set."""

        self._schemas: dict[int, str] = {}
        self._first_id = first_id
        self._lock = threading.Lock()

    def schema(self, schema_id: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._schemas[schema_id])
        return found

    def answer_to(self, method: str, path: str, login: str, body: Any) -> Answer:
        with self._lock:
            self.asked.append(f"{method} {path}")
            if self.answer is not None:
                return self.answer
            user = base64.b64decode(login.removeprefix("Basic ")).decode()
            if (self.readers or self.writers) and user not in self.readers | self.writers:
                return 401, {"error_code": 401, "message": "Unauthorized"}
            if method == "GET" and (found := re.fullmatch(r"/schemas/ids/(\d+)(\?.*)?", path)):
                return self._schema(int(found[1]))
            if method == "POST" and (found := re.fullmatch(r"/subjects/([^/?]+)(\?.*)?", path)):
                return self._look_up(found[1], body)
            if method == "POST" and (found := re.fullmatch(r"/subjects/([^/?]+)/versions(\?.*)?", path)):
                if self.writers and user not in self.writers:
                    return 403, {"error_code": 40301, "message": "User is denied operation Write on Subject"}
                return self._register(found[1], body)
            return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def _schema(self, schema_id: int) -> Answer:
        if schema_id not in self._schemas:
            return 404, {"error_code": 40403, "message": f"Schema {schema_id} not found"}
        return 200, {"schemaType": "JSON", "schema": self._schemas[schema_id]}

    def _look_up(self, subject: str, body: dict[str, str]) -> Answer:
        if subject not in self.registered:
            return 404, {"error_code": 40401, "message": f"Subject '{subject}' not found."}
        for version, schema_id in enumerate(self.registered[subject], 1):
            if self._schemas[schema_id] == body["schema"]:
                return 200, {"subject": subject, "version": version, "id": schema_id, **body}
        return 404, {"error_code": 40403, "message": "Schema not found"}

    def _register(self, subject: str, body: dict[str, str]) -> Answer:
        if body.get("schemaType") != "JSON" or not isinstance(json.loads(body["schema"]), dict):
            return 422, {"error_code": 42201, "message": "Invalid schema"}
        known = {text: schema_id for schema_id, text in self._schemas.items()}
        schema_id = known.get(body["schema"], self._first_id + len(known))
        ids = self.registered.setdefault(subject, [])
        if schema_id not in ids:
            if subject in self.closed:
                text = "Schema being registered is incompatible with an earlier schema for subject"
                return 409, {"error_code": 409, "message": f'{text} "{subject}"'}
            self._schemas[schema_id] = body["schema"]
            ids.append(schema_id)
        return 200, {"id": schema_id}

    def reply_to(self, asked: Asked) -> Reply:
        body = json.loads(asked.body) if asked.body else None
        status, document = self.answer_to(asked.method, asked.path, asked.headers.get("authorization", ""), body)
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        return Reply(status, content, {"content-type": "application/vnd.schemaregistry.v1+json"})
