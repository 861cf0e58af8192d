"""The input contract: one touchpoint, as a source topic carries it."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(min_length=1, max_length=64)]
"""A channel or a type: short and stable, such as `web` or `purchase`."""

EventId = Annotated[str, StringConstraints(min_length=1, max_length=256)]

IdentifierValue = Annotated[str, StringConstraints(max_length=512)]


class Touchpoint(BaseModel):
    """One contact between a customer and the company.

    Fields that are not named here are accepted and travel along unread, so that a producer may add one at any time.
    """

    model_config = ConfigDict(
        extra="ignore",
        allow_inf_nan=False,
        coerce_numbers_to_str=True,
        json_schema_extra={"additionalProperties": True},
        title="Touchpoint",
    )

    event_id: EventId = Field(description="Names the touchpoint; a repeat of it is ignored.")
    occurred_at: AwareDatetime = Field(
        description="When it happened: RFC 3339 with an offset, or seconds or milliseconds since the epoch.",
    )
    channel: Name = Field(description="Where it happened: web, email, store, crm, social, ads, call_centre, …")
    type: Name = Field(description="What happened: page_view, purchase, opened, …")
    identifiers: dict[Name, IdentifierValue] = Field(
        default_factory=dict,
        description="Identifier type to value, for example customer_id, email, device_id.",
    )
    customer_id: IdentifierValue | None = Field(
        default=None,
        description="Short for identifiers.customer_id.",
    )
    campaign: Annotated[str, StringConstraints(max_length=256)] | None = None
    value: float | None = Field(default=None, description="Monetary value, in units of `currency`.")
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] | None = Field(
        default=None,
        description="ISO 4217 code.",
    )
    properties: dict[str, Any] = Field(default_factory=dict, description="Anything else that a rule may read.")
    schema_version: Literal[1] = Field(default=1, description="Version of this contract.")

    @model_validator(mode="after")
    def _one_customer(self) -> "Touchpoint":
        if self.customer_id is not None:
            named = self.identifiers.setdefault("customer_id", self.customer_id)
            if named != self.customer_id:
                raise ValueError("customer_id and identifiers.customer_id differ; send one of them")
        return self
