"""What a task reads of a touchpoint: the second, faster reading of bytes that admission has already let in.

Admission reads every touchpoint both ways, so what is admitted can be read here: pydantic's JSON parser accepts a few
things, such as NaN, that are no JSON.
"""

from typing import Any

import msgspec


class Body(msgspec.Struct, gc=False):
    """The fields that rules read. An integer where the contract says text stands for its digits."""

    event_id: str | int
    channel: str | int
    type: str | int
    value: float | None = None
    currency: str | None = None
    campaign: str | int | None = None
    properties: dict[str, Any] | None = None


read_body = msgspec.json.Decoder(Body).decode
"""The body in a touchpoint's original bytes. Raises msgspec.DecodeError, or its ValidationError."""
