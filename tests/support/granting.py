"""Users and their rights on a broker with an authorizer."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest_v1
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactBytes, CompactString, Int8, Int16, Int32, Schema, TaggedFields

from journey_stream.worker.rights import Operation, Resource, Right

# Kafka's own numbers.
KINDS = {Resource.TOPIC: 2, Resource.GROUP: 3, Resource.TRANSACTIONAL_ID: 5}
OPERATIONS = {
    Operation.READ: 3,
    Operation.WRITE: 4,
    Operation.CREATE: 5,
    Operation.DESCRIBE: 8,
    Operation.DESCRIBE_CONFIGS: 10,
}
LITERAL, PREFIXED, ALLOW = 3, 4, 3
MECHANISMS = {"SCRAM-SHA-256": (1, "sha256"), "SCRAM-SHA-512": (2, "sha512")}
ITERATIONS = 4_096


class CreateAcls(Request[CreateAclsRequest_v1]):
    API_KEY = 30

    def __init__(self, creations: Sequence[tuple[int, str, int, str, str, int, int]]) -> None:
        self._creations = creations

    def build(self, request_struct_class: type[CreateAclsRequest_v1]) -> CreateAclsRequest_v1:
        return request_struct_class(list(self._creations))


class ScramResponse(Response):
    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class ScramStruct(RequestStruct):
    API_KEY = 51
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = ScramResponse
    SCHEMA = Schema(
        ("deletions", CompactArray(("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields))),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class SetScramPassword(Request[ScramStruct]):
    API_KEY = 51

    def __init__(self, user: str, password: str, mechanism: str) -> None:
        self._user, self._password = user, password
        self._number, self._hash = MECHANISMS[mechanism]

    def build(self, request_struct_class: type[ScramStruct]) -> ScramStruct:
        salt = os.urandom(16)
        salted = hashlib.pbkdf2_hmac(self._hash, self._password.encode(), salt, ITERATIONS)
        return request_struct_class([], [(self._user, self._number, ITERATIONS, salt, salted, {})], {})


async def grant(bootstrap: str, user: str, rights: Sequence[Right]) -> None:
    """Allow a user these rights and no others, by a listener where anybody may do so."""
    if not rights:
        return
    request = CreateAcls(
        [
            (
                KINDS[right.resource],
                right.name,
                PREFIXED if right.is_prefix else LITERAL,
                f"User:{user}",
                "*",
                OPERATIONS[right.operation],
                ALLOW,
            )
            for right in rights
        ]
    )
    answer = await _ask(bootstrap, request)
    assert {0} == {code for code, _ in answer.creation_responses}


async def set_scram_password(bootstrap: str, user: str, password: str) -> None:
    for mechanism in MECHANISMS:  # one at a time: a request changes each user once
        answer = await _ask(bootstrap, SetScramPassword(user, password, mechanism))
        assert [(user, 0, None)] == [row[:3] for row in answer.results]


async def _ask(bootstrap: str, request: Request[Any]) -> Any:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return await admin._send_to_controller(request)
    finally:
        await admin.close()
