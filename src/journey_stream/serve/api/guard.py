"""What stands before every answer: security headers, no bodies, and the token if there is one."""

import hmac
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from journey_stream.serve.api.errors import error_response

SECURITY_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_PROTECTED: Final = ("/api/", "/openapi.json")


class Guard:
    """Adds the security headers to every answer, and answers itself what must not get any further.

    With a token, what stands under `/api/` needs it as a bearer; the page and its parts are for everybody.
    """

    def __init__(self, app: ASGIApp, token: str | None = None) -> None:
        self._app = app
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
            await send(message)

        headers = Headers(scope=scope)
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            # The connection is closed, for what is left of the body must not be taken for the next request.
            sentence = "The request has a body; expected none, for everything is read with GET."
            await error_response(413, sentence, {"connection": "close"})(scope, receive, send_guarded)
        elif not self._admits(scope["path"], headers):
            sentence = "The header 'Authorization' does not carry the token of this service; expected 'Bearer <token>'."
            await error_response(401, sentence, {"www-authenticate": "Bearer"})(scope, receive, send_guarded)
        else:
            await self._app(scope, receive, send_guarded)

    def _admits(self, path: str, headers: Headers) -> bool:
        if self._token is None or not path.startswith(_PROTECTED):
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode("latin-1"), self._token)
