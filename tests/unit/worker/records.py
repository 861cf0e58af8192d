"""Log and source records as a consumer would hand them over."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from journey_stream.events.admission import Admitted, read_touchpoint
from journey_stream.events.log import Source, encode_touchpoint

T0 = 1_700_000_000_000
MINUTE_MS = 60_000


class Rec(NamedTuple):
    """A record as aiokafka gives it, as far as it is read."""

    key: bytes | None
    value: bytes | None
    timestamp: int = T0
    offset: int = 0
    headers: tuple[tuple[str, bytes | None], ...] = ()
    topic: str = "touchpoints.web"
    partition: int = 0


def touchpoint(event_id: str = "e1", at: int = T0, **fields: Any) -> bytes:
    """The value of a source record: by default a product view of customer c1."""
    body = {"event_id": event_id, "occurred_at": at, "channel": "web", "type": "view", "customer_id": "c1"}
    return json.dumps(body | fields).encode()


def logged(value: bytes, offset: int = 0, at: int = T0, source_key: bytes | None = None, **fields: Any) -> Rec:
    """The log record that a router makes of a source record."""
    admitted = read_touchpoint(value)
    assert isinstance(admitted, Admitted), admitted
    encoded = encode_touchpoint(admitted, Source("touchpoints.web", 2, 77), source_key)
    return Rec(admitted.profile_id.encode(), encoded, at, offset, **fields)
