"""Tokens for SASL OAUTHBEARER: OAuth 2.0 client credentials (RFC 6749), kept until shortly before they expire."""

from __future__ import annotations

import asyncio
import base64
import functools
import http.client
import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import quote_plus, urlencode

import msgspec
from aiokafka.abc import AbstractTokenProvider

from journey_stream.worker.https import opener
from journey_stream.worker.secret_files import read_secret

FETCH_SECONDS_MAX: Final = 10.0
ANSWER_BYTES_MAX: Final = 1_000_000
LIFETIME_SECONDS_DEFAULT: Final = 300.0
"""Taken for the lifetime of a token whose endpoint does not tell it."""

FRESH_PART: Final = 0.8
"""A token is replaced after this part of its life, so that there is time for a second try."""

_log = logging.getLogger(__name__)


class NoToken(OSError):
    """The endpoint gave no token. An OSError, for that is what aiokafka takes for a connection that failed."""


class Endpoint(NamedTuple):
    """Where tokens come from. `cafile` holds the authorities that its certificate is checked by; None: the system's."""

    url: str
    client_id: str
    secret_file: Path
    scope: str | None = None
    cafile: Path | None = None


class _Answer(msgspec.Struct):
    access_token: str
    expires_in: float | None = None


class ClientCredentials(AbstractTokenProvider):  # type: ignore[misc]
    """Gives every connection a token that is valid now. Used from several event loops at once."""

    def __init__(self, endpoint: Endpoint, clock: Callable[[], float] = time.monotonic) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._fresh_until = self._valid_until = float("-inf")

    async def token(self) -> str:
        """Raises NoToken, UnusableFile: both OSErrors, and neither holds a secret."""
        return await asyncio.to_thread(self._current)

    def _current(self) -> str:
        with self._lock:
            now = self._clock()
            if now < self._fresh_until:
                return self._token
            try:
                answer = _fetch(self._endpoint)
            except OSError as error:
                if now < self._valid_until:
                    _log.warning("the token could not be replaced, going on with the one there is: %s", error)
                    return self._token
                raise
            seconds = LIFETIME_SECONDS_DEFAULT if answer.expires_in is None else answer.expires_in
            self._token = answer.access_token
            self._fresh_until, self._valid_until = now + seconds * FRESH_PART, now + seconds
            return self._token


@functools.cache
def token_provider(endpoint: Endpoint) -> ClientCredentials:
    """The one of this process for the endpoint, so that all its clients share a token."""
    return ClientCredentials(endpoint)


def _fetch(endpoint: Endpoint) -> _Answer:
    secret = read_secret("oauth_client_secret_file", endpoint.secret_file)
    form = {"grant_type": "client_credentials"} | ({"scope": endpoint.scope} if endpoint.scope else {})
    login = f"{quote_plus(endpoint.client_id)}:{quote_plus(secret)}"
    request = urllib.request.Request(  # noqa: S310 - the settings take nothing but http and https
        endpoint.url,
        urlencode(form).encode(),
        {
            "Authorization": "Basic " + base64.b64encode(login.encode()).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        },
    )
    place = f"the token endpoint {endpoint.url} (oauth_token_url)"
    try:
        with opener(endpoint.cafile).open(request, timeout=FETCH_SECONDS_MAX) as response:
            content = response.read(ANSWER_BYTES_MAX)
    except urllib.error.HTTPError as error:
        error.close()
        meaning = "; oauth_client_id and oauth_client_secret_file do not fit" if error.code in {400, 401, 403} else ""
        raise NoToken(f"{place} answers {error.code}{meaning}") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise NoToken(f"{place} cannot be asked: {reason}") from None
    try:
        answer = msgspec.json.decode(content, type=_Answer)
    except msgspec.MsgspecError:
        # The error of the decoder may hold what it has read, and that may be a token.
        raise NoToken(f"{place} answers without access_token and expires_in as RFC 6749 has them") from None
    if not answer.access_token or not answer.access_token.isprintable() or not answer.access_token.isascii():
        raise NoToken(f"{place} answers with a token that no header can carry")
    return answer
