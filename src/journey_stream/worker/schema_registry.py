"""Registers the schemas of what tasks write with a schema registry, by the API of Confluent's, which others have, too.

Subjects are named as its clients do by default: `<topic>-value`. A schema that is there already is looked up, so that a
user who may only read will do where somebody else registers schemas.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import urllib.error
import urllib.request
from typing import Annotated, Final, NamedTuple

import msgspec

from journey_stream.events.framing import SCHEMA_ID_MAX, frame_of
from journey_stream.events.schemas import Contract, schema_of
from journey_stream.worker.config import Settings
from journey_stream.worker.contracts import topic_contracts
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.https import opener
from journey_stream.worker.secret_files import UnusableFile, read_secret

ANSWER_SECONDS_MAX: Final = 10.0
ANSWER_BYTES_MAX: Final = 1_000_000
MESSAGE_CHARACTERS_MAX: Final = 1_000


class _Answer(msgspec.Struct):
    id: Annotated[int, msgspec.Meta(ge=0, le=SCHEMA_ID_MAX)]


class _Complaint(msgspec.Struct):
    message: str = ""


class _Refused(NamedTuple):
    code: int
    message: str


async def frames_of(settings: Settings) -> dict[str, bytes]:
    """What stands before each value that tasks write, by topic; empty without a registry. Asks the registry.

    Raises WorkerError if it refuses or cannot be asked.
    """
    if settings.schema_registry_url is None:
        return {}
    return await asyncio.to_thread(_registered, settings)


def _registered(settings: Settings) -> dict[str, bytes]:
    registry = _Registry(settings)
    written = [topic for topic in topic_contracts(settings) if not topic.received]
    return {
        topic.name: frame_of(registry.id_of(f"{topic.name}-value", kind.contract))
        for topic in written
        for kind in topic.messages
        if kind.contract is not None
    }


class _Registry:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._place = f"The schema registry {settings.schema_registry_url} (schema_registry_url)"

    def id_of(self, subject: str, contract: Contract) -> int:
        """The id of a contract's schema under a subject, where it is registered if it is not yet."""
        schema = json.dumps(schema_of(contract), ensure_ascii=False, separators=(",", ":"))
        body = json.dumps({"schemaType": "JSON", "schema": schema}).encode()
        found = self._ask(f"/subjects/{subject}", body)
        if isinstance(found, _Refused) and found.code == http.client.NOT_FOUND:
            found = self._ask(f"/subjects/{subject}/versions", body)
        if isinstance(found, _Refused):
            raise WorkerError(f"{self._place} refuses the schema {contract.file}: {_remedy(found, subject)}")
        return found

    def _ask(self, path: str, body: bytes) -> int | _Refused:
        request = urllib.request.Request(  # noqa: S310 - the settings take nothing but http and https
            f"{self._settings.schema_registry_url}{path}",
            body,
            {
                "Content-Type": "application/vnd.schemaregistry.v1+json",
                "Accept": "application/vnd.schemaregistry.v1+json, application/json",
                **self._login(),
            },
        )
        try:
            with opener(self._settings.schema_registry_cafile).open(request, timeout=ANSWER_SECONDS_MAX) as response:
                content = response.read(ANSWER_BYTES_MAX)
        except urllib.error.HTTPError as error:
            with error:
                return _Refused(error.code, _message_in(error.read(ANSWER_BYTES_MAX)))
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise WorkerError(
                f"{self._place} cannot be asked: {reason}. Tasks need from it the ids of their schemas: see that it "
                "runs and can be reached from here, or take schema_registry_url away to write plain JSON."
            ) from error
        try:
            return msgspec.json.decode(content, type=_Answer).id
        except msgspec.MsgspecError as error:
            raise WorkerError(
                f"{self._place} answers {path} with something else than the id of a schema ({error}). Is it the "
                "address of a schema registry with Confluent's API, with the path that it may need?"
            ) from error

    def _login(self) -> dict[str, str]:
        settings = self._settings
        if settings.schema_registry_username is None:
            return {}
        if settings.schema_registry_password_file is not None:
            try:
                password = read_secret("schema_registry_password_file", settings.schema_registry_password_file)
            except UnusableFile as error:
                raise WorkerError(str(error)) from error
        else:
            assert settings.schema_registry_password is not None
            password = settings.schema_registry_password.get_secret_value()
        login = f"{settings.schema_registry_username}:{password}"
        return {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()}


def _remedy(refused: _Refused, subject: str) -> str:
    """What it says, and what to do about it."""
    code, message = refused
    said = f"{code} {message}".rstrip(" .")
    if code in {http.client.UNAUTHORIZED, http.client.FORBIDDEN}:
        return (
            f"{said}. schema_registry_username and the password must be those of somebody who may read the subject "
            f"{subject} and, where the schema is not there yet, write to it."
        )
    if code == http.client.CONFLICT:
        return (
            f"{said}. It does not follow on what the subject {subject} holds. If that was written for these messages, "
            "they have gained optional fields since: set the compatibility of the subject to FORWARD "
            f"(PUT /config/{subject}), which is what holds for them. If it is somebody else's, give this application a "
            "topic_prefix of its own."
        )
    if code == http.client.UNPROCESSABLE_ENTITY:
        return f"{said}. It must know schemas of the type JSON, of JSON Schema 2020-12, under the subject {subject}."
    return f"{said}, for the subject {subject}. Look into its log, and start the worker again."


def _message_in(content: bytes) -> str:
    with contextlib.suppress(msgspec.MsgspecError):
        return msgspec.json.decode(content, type=_Complaint).message[:MESSAGE_CHARACTERS_MAX]
    return ""
