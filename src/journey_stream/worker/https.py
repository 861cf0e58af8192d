"""Asking a server over HTTP with a secret: TLS 1.2 or later, and no redirects."""

from __future__ import annotations

import ssl
import urllib.request
from pathlib import Path
from typing import Any


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the secret elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


def opener(cafile: Path | None) -> urllib.request.OpenerDirector:
    """Trusts the authorities in `cafile`, or those of the system. Raises OSError."""
    context = ssl.create_default_context(cafile=cafile)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return urllib.request.build_opener(_NoRedirects, urllib.request.HTTPSHandler(context=context))
