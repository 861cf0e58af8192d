"""Touchpoints as producers write them."""

from __future__ import annotations

import json
from typing import Any


def touchpoint(**changes: Any) -> bytes:
    """The JSON of a touchpoint with these fields changed, or left out where they are `...`."""
    fields = {
        "event_id": "e1",
        "occurred_at": "2026-01-01T12:00:00Z",
        "channel": "web",
        "type": "page_view",
        "identifiers": {"customer_id": "c1"},
    }
    return json.dumps({key: value for key, value in (fields | changes).items() if value is not ...}).encode()
