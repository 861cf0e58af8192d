"""What the questions are answered with; the JSON of the API and its description are made from these declarations.

Instants are RFC 3339 in UTC with milliseconds, lengths of time are seconds.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

Instant = Annotated[str, Meta(description="RFC 3339, UTC, milliseconds.", extra_json_schema={"format": "date-time"})]
Seconds = Annotated[float, Meta(description="Seconds.")]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]


class Totals(msgspec.Struct, frozen=True):
    """Everything at a glance."""

    customers: Annotated[Count, Meta(description="Customers in the filter.")]
    touchpoints: Annotated[Count, Meta(description="Their counted touchpoints in the range, of channel and campaign.")]
    changes: Annotated[Count, Meta(description="Their standing stage changes in the range.")]
    corrections: Annotated[Count, Meta(description="Messages that retracted one of their changes in the range.")]
    dead_letters: Annotated[Count, Meta(description="Records that could not be used; not filtered.")]
    newest_touchpoint_at: Instant | None = None


class Trigger(msgspec.Struct, frozen=True):
    """How often a touchpoint of this channel and type was the reason; null and null if the reason names none."""

    channel: str | None
    type: str | None
    count: Count


class StageNumbers(msgspec.Struct, frozen=True):
    """One stage."""

    id: str
    meaning: Annotated[str | None, Meta(description="Null for a stage that the present journey model does not have.")]
    customers_now: Count
    entered: Annotated[Count, Meta(description="Standing changes to this stage.")]
    left: Annotated[Count, Meta(description="Standing changes from this stage.")]
    median_seconds: Annotated[
        Seconds | None, Meta(description="Median time in this stage of those who left it; null if nobody did.")
    ]
    brought_by: list[Trigger]
    left_after: list[Trigger]


class Flow(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Standing changes between two stages; from null are new customers."""

    from_: str | None
    to: str
    count: Count
    median_seconds: Seconds | None


class Stall(msgspec.Struct, frozen=True):
    """Customers now in a stage for longer than nine of ten of those who left it; null with under five leavings."""

    stage: str
    count: Count | None
    share: Annotated[Share | None, Meta(description="Of the customers now in this stage.")]
    threshold_seconds: Seconds | None


class DropOff(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """Standing changes by silence."""

    from_: str
    to: str
    count: Count
    share: Annotated[Share, Meta(description="Of all who left `from`.")]


class Bands(msgspec.Struct, frozen=True):
    """Customers now in a stage, by their band of churn risk."""

    stage: str
    low: Count
    medium: Count
    high: Count
    critical: Count
    unscored: Count


class Options(msgspec.Struct, frozen=True):
    """What the filter can be set to."""

    channels: list[str]
    campaigns: list[str]
    segments: list[str]


class JourneyMap(msgspec.Struct, frozen=True):
    """The whole map, read at one moment."""

    version: Annotated[int, Meta(description="Grows with every batch that reaches the store.")]
    now: Annotated[Instant | None, Meta(description="The newest `updated_at` of all customers.")]
    totals: Totals
    stages: Annotated[list[StageNumbers], Meta(description="In the order of the journey model.")]
    flows: list[Flow]
    stalls: Annotated[list[Stall], Meta(description="The most customers first.")]
    drop_offs: Annotated[list[DropOff], Meta(description="The most changes first.")]
    bands: Annotated[list[Bands], Meta(description="In the order of the journey model.")]
    options: Options


class Cohort(msgspec.Struct, frozen=True):
    """The customers whose journey began in one month, and how many of them had a touchpoint in the months from then."""

    month: str
    size: Count
    retained: Annotated[list[Count], Meta(description="The month itself, the next, and so on: at most 12, up to now.")]


class Cohorts(msgspec.Struct, frozen=True):
    """One row per month in which journeys began."""

    version: int
    months: list[str]
    cohorts: list[Cohort]


class Attribution(msgspec.Struct, frozen=True):
    """Credit for entries to a stage; every list of `models` is aligned with `keys` and is in conversions."""

    version: int
    goal: str
    by: str
    look_back_days: float
    conversions: Annotated[Count, Meta(description="Standing entries to the goal, in the filter.")]
    unattributed: Annotated[Count, Meta(description="Of these, the ones without a touchpoint in the look-back.")]
    keys: Annotated[list[str | None], Meta(description="Sorted; null for touchpoints without a campaign.")]
    models: dict[str, list[float]]


class CustomerRow(msgspec.Struct, frozen=True):
    """One customer in a list."""

    profile_id: str
    stage: str | None
    entered_at: Instant | None
    band: str | None
    probability: float | None
    segment: str | None
    last_touchpoint_at: Instant | None


class Customers(msgspec.Struct, frozen=True):
    """The customers that fit, those with the latest touchpoint first."""

    customers: list[CustomerRow]
