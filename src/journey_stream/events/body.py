"""What a task reads of a touchpoint: the second, faster reading of bytes that admission has already let in.

Admission reads every touchpoint both ways, so what is admitted can be read here: pydantic's JSON parser accepts a few
things, such as NaN, that are no JSON.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta


class Body(msgspec.Struct, gc=False):
    """The fields that rules read. An integer where the contract says text stands for its digits.

    `properties` are left as they stand in the bytes (nothing for none): few rules read them, and taking them apart is a
    tenth of a task's work.
    """

    event_id: str | int
    channel: str | int
    type: str | int
    value: float | None = None
    currency: str | None = None
    campaign: str | int | None = None
    properties: msgspec.Raw = msgspec.Raw()


class _WholeBody(Body):
    properties: dict[str, Any] | None = None  # type: ignore[assignment]


read_body = msgspec.json.Decoder(_WholeBody).decode
"""The body in a touchpoint's original bytes, all of it. Raises msgspec.DecodeError, or its ValidationError."""


def properties_of(body: Body) -> dict[str, Any] | None:
    """The properties, taken apart; None for none."""
    raw = body.properties
    found: dict[str, Any] | None = _decode_properties(raw) if len(raw) else None
    return found


_decode_properties = msgspec.json.Decoder(dict[str, Any] | None).decode


_Name = Annotated[str, Meta(min_length=1, max_length=64)]
_IdentifierValue = Annotated[str, Meta(max_length=512)]


class PlainTouchpoint(msgspec.Struct, gc=False):
    """A touchpoint that is just what the contract says, without any of the liberties it allows."""

    event_id: Annotated[str, Meta(min_length=1, max_length=256)]
    occurred_at: str | int
    channel: _Name
    type: _Name
    identifiers: dict[_Name, _IdentifierValue] = {}
    customer_id: _IdentifierValue | None = None
    campaign: Annotated[str, Meta(max_length=256)] | None = None
    value: float | None = None
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")] | None = None
    properties: dict[str, Any] = {}
    schema_version: Literal[1] = 1


decode_plain = msgspec.json.Decoder(PlainTouchpoint).decode
