"""Everything that is kept of one customer, for whoever asks why."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from journey_stream.serve.queries.answers import Instant, Seconds
from journey_stream.serve.queries.connection import Connection
from journey_stream.serve.queries.customers import instant

TOUCHPOINTS_MAX = 5_000


class View(msgspec.Struct, frozen=True):
    """Where the customer is now, as journey.profiles says."""

    stage: str | None
    entered_at: Instant | None
    previous_stage: str | None
    rule: str | None
    last_touchpoint_at: Instant | None
    updated_at: Instant
    overflow: bool
    identifiers: list[str]
    band: str | None
    probability: float | None
    risk_since: Instant | None
    segment: str | None
    rfm_recency: int | None
    rfm_frequency: int | None
    rfm_monetary: int | None
    revision: int


class Change(msgspec.Struct, frozen=True):
    """A message of journey.stage-changes; `standing` tells whether it still holds."""

    revision: int
    change_id: str
    kind: str
    from_stage: str | None
    to_stage: str
    entered_at: Instant
    seconds_in_previous: Seconds | None
    current: bool
    cause: str
    rule: str
    text: str
    evidence: list[str]
    silent_since: Instant | None
    window_seconds: Seconds | None
    model_name: str
    model_version: int
    standing: bool


class Risk(msgspec.Struct, frozen=True):
    """A message of journey.churn-risk; `standing` tells whether it still holds."""

    revision: int
    risk_id: str
    kind: str
    band: str
    previous_band: str | None
    probability: float
    window_days: float
    entered_at: Instant
    current: bool
    cause: str
    text: str
    evidence: list[str]
    silent_since: Instant | None
    typical_log_odds: float
    contributions: Annotated[list[dict[str, Any]], Meta(description="As in journey.churn-risk, the weightiest first.")]
    model_name: str
    model_version: int
    standing: bool


class Identity(msgspec.Struct, frozen=True):
    """A message of journey.identity-changes about this identifier, or about a lower one and this as its parent."""

    profile_id: str
    revision: int
    identity_id: str
    kind: str
    parent: str | None
    at: Instant
    reason: str
    text: str
    evidence: list[str]
    merged_into: str | None


class Touchpoint(msgspec.Struct, frozen=True):
    """A counted touchpoint that belongs to this customer; `owner_id` is the identifier that it came with."""

    event_id: str
    occurred_at: Instant
    channel: str
    type: str
    campaign: str | None
    value: float | None
    currency: str | None
    owner_id: str


class Person(msgspec.Struct, frozen=True):
    """One customer: the newest first in every list, and at most 5,000 touchpoints."""

    profile_id: str
    merged_into: Annotated[
        str | None, Meta(description="Where to look now, if nothing of this identifier's own is left.")
    ]
    view: View | None
    changes: list[Change]
    risks: list[Risk]
    identities: list[Identity]
    touchpoints: list[Touchpoint]


def person(connection: Connection, profile_id: str) -> Person | None:
    """None if nothing at all is known of this profile id."""

    def find(kind: type[msgspec.Struct], rest: str, *parameters: object) -> list[Any]:
        fields = msgspec.structs.fields(kind)
        columns = ", ".join(f'"{field.name}"' for field in fields)
        rows = connection.execute(f"SELECT {columns} FROM {rest}", parameters).fetchall()
        return [kind(*map(_read, fields, row)) for row in rows]

    mine = "WHERE profile_id = ?"
    views: list[View] = find(View, f"profiles {mine}", profile_id)
    changes: list[Change] = find(Change, f"stage_messages {mine} ORDER BY revision DESC", profile_id)
    risks: list[Risk] = find(Risk, f"risk_messages {mine} ORDER BY revision DESC", profile_id)
    identities: list[Identity] = find(
        Identity,
        'identity_messages WHERE profile_id = ? OR parent = ? ORDER BY "at" DESC, profile_id, revision DESC',
        profile_id,
        profile_id,
    )
    touchpoints: list[Touchpoint] = find(
        Touchpoint,
        f"touchpoints {mine} AND NOT refused ORDER BY occurred_at DESC, event_id DESC LIMIT {TOUCHPOINTS_MAX}",
        profile_id,
    )
    if not (views or changes or risks or identities or touchpoints):
        return None
    return Person(
        profile_id=profile_id,
        merged_into=None if views else _merged_into(profile_id, identities),
        view=views[0] if views else None,
        changes=changes,
        risks=risks,
        identities=identities,
        touchpoints=touchpoints,
    )


def _merged_into(profile_id: str, identities: list[Identity]) -> str | None:
    """What the last message about this identifier says."""
    own = [one for one in identities if one.profile_id == profile_id]
    return max(own, key=lambda one: one.revision).merged_into if own else None


def _read(field: msgspec.structs.FieldInfo, value: Any) -> Any:
    """A column as the field has it: instants from ms, lists from JSON text."""
    if field.type in {Instant, Instant | None}:
        return instant(value)
    if field.name in {"evidence", "identifiers", "contributions"}:
        return msgspec.json.decode(value) if value else []
    return value
