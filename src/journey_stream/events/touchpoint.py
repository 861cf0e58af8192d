"""The input contract: one touchpoint, as a source topic carries it."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from journey_stream.events.times import EPOCH, SECONDS_MAX


def _text(min_length: int, max_length: int) -> WithJsonSchema:
    """What the schema says of a text: producers that number things may send the integer itself."""
    lengths = {"minLength": min_length, "maxLength": max_length} if min_length else {"maxLength": max_length}
    return WithJsonSchema({"type": ["string", "integer"], **lengths})


Name = Annotated[str, StringConstraints(min_length=1, max_length=64), _text(1, 64)]
"""A channel or a type: short and stable, such as `web` or `purchase`."""

EventId = Annotated[str, StringConstraints(min_length=1, max_length=256), _text(1, 256)]

IdentifierType = Annotated[str, StringConstraints(min_length=1, max_length=64)]

IdentifierValue = Annotated[str, StringConstraints(max_length=512), _text(0, 512)]

Campaign = Annotated[str, StringConstraints(max_length=256), _text(0, 256)]


def _before_the_epoch(written: Any) -> Any:
    """A fraction of a negative number points backwards; pydantic counts it forwards and reads -1.25 as -1.75."""
    if not isinstance(written, float) or written >= 0 or written.is_integer():
        return written
    unit = timedelta(seconds=1) if written >= -SECONDS_MAX else timedelta(milliseconds=1)
    try:
        return EPOCH + written * unit
    except (OverflowError, ValueError):
        return written  # too far, which pydantic explains


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_before_the_epoch),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}]}),
]


def _object(fields: Any) -> Any:
    """What is null is not given: many serialisers write every field, and the schema need not ask for that."""
    return {} if fields is None else fields


def _given(fields: Any) -> Any:
    """The same of each field."""
    found = _object(fields)
    return {name: value for name, value in found.items() if value is not None} if isinstance(found, dict) else found


class Touchpoint(BaseModel):
    """One contact between a customer and the company.

    Fields that are not named here are accepted and travel along unread, so that a producer may add one at any time.
    """

    model_config = ConfigDict(
        extra="ignore",
        allow_inf_nan=False,
        coerce_numbers_to_str=True,
        json_schema_extra={
            "additionalProperties": True,
            "anyOf": [{"required": ["identifiers"]}, {"required": ["customer_id"]}],
        },
        title="Touchpoint",
    )

    event_id: EventId = Field(description="Names the touchpoint; a repeat of it is ignored.")
    occurred_at: Instant = Field(
        description="When it happened: RFC 3339 with an offset, or a number: seconds since the epoch up to 2e10, "
        "milliseconds beyond.",
    )
    channel: Name = Field(description="Where it happened: web, email, store, crm, social, ads, call_centre, …")
    type: Name = Field(description="What happened: page_view, purchase, opened, …")
    identifiers: Annotated[dict[IdentifierType, IdentifierValue], BeforeValidator(_given)] = Field(
        default_factory=dict,
        description="Identifier type to value, for example customer_id, email, device_id.",
    )
    customer_id: IdentifierValue | None = Field(
        default=None,
        description="Short for identifiers.customer_id.",
    )
    campaign: Campaign | None = Field(default=None, description="Name or id of the campaign that led to it.")
    value: Annotated[float, Strict()] | None = Field(
        default=None, description="Monetary value, in units of `currency`."
    )
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = Field(
        default=None,
        description="ISO 4217 code.",
    )
    properties: Annotated[dict[str, Any], BeforeValidator(_object)] = Field(
        default_factory=dict, description="Anything else that a rule may read."
    )
    schema_version: Literal[1] = Field(default=1, description="Version of this contract.")

    @model_validator(mode="after")
    def _one_customer(self) -> "Touchpoint":
        if self.customer_id is not None:
            named = self.identifiers.setdefault("customer_id", self.customer_id)
            if named != self.customer_id:
                raise ValueError("customer_id and identifiers.customer_id differ; send one of them")
        return self
