"""What the engine decides: frozen values that the runtime writes to the output topics.

Those of which the most are made are structs: one is made in a third of the time that a named tuple takes.
"""

from typing import Literal, NamedTuple

import msgspec

from journey_stream.events.erasures import Spans
from journey_stream.events.reasons import Reason
from journey_stream.events.records import Message

Cause = Literal["touchpoint", "timer", "identity", "model", "erasure"]


class StageChanged(NamedTuple):
    """One message of journey.stage-changes; instants in ms since the epoch."""

    change_id: str
    kind: Literal["entered", "retracted"]
    profile_id: str
    revision: int
    from_stage: str | None
    to_stage: str
    entered_at: int
    previous_entered_at: int | None
    current: bool
    cause: Cause
    rule: str
    text: str
    evidence: tuple[str, ...]
    silent_since: int | None
    window_seconds: int | None
    model: str
    model_version: int


class RiskContribution(msgspec.Struct, frozen=True, gc=False):
    """One reason of a score: positive `log_odds` raise the risk above that of a typical customer.

    `since`, when its evidence happened, is RFC 3339 already: several share an instant, and it goes nowhere but out.
    """

    factor: str
    log_odds: float
    text: str
    since: str
    evidence: tuple[str, ...]


class RiskChanged(msgspec.Struct, frozen=True, gc=False):
    """One message of journey.churn-risk; instants in ms since the epoch."""

    risk_id: str
    kind: Literal["entered", "retracted"]
    profile_id: str
    revision: int
    band: str
    previous_band: str | None
    probability: float
    typical_log_odds: float
    window_ms: int
    entered_at: int
    current: bool
    cause: Cause
    text: str
    evidence: tuple[str, ...]
    silent_since: int | None
    contributions: tuple[RiskContribution, ...]
    model: str
    model_version: int


class CurrentRisk(msgspec.Struct, frozen=True, gc=False):
    """The band that a profile is in, as a part of its view; `since` in ms since the epoch."""

    revision: int
    band: str
    probability: float
    since: int
    model: str
    model_version: int


class RfmScores(msgspec.Struct, frozen=True, gc=False):
    """Recency, frequency and monetary value, each from 1 to 5, as a part of a view; None for money nobody knows of."""

    recency: int
    frequency: int
    monetary: int | None


class ProfileChanged(msgspec.Struct, frozen=True, gc=False):
    """The current view of a profile, for the compacted journey.profiles; instants in ms since the epoch."""

    profile_id: str
    revision: int
    stage: str | None
    entered_at: int | None
    previous_stage: str | None
    rule: str | None
    last_touchpoint_at: int
    updated_at: int
    overflow: bool
    model: str
    model_version: int
    risk: CurrentRisk | None = None
    identifiers: tuple[str, ...] = ()
    segment: str | None = None
    rfm: RfmScores | None = None


class ProfileGone(NamedTuple):
    """A profile that has nothing of its own left: its view on journey.profiles is deleted."""

    profile_id: str
    revision: int


class IdentityChanged(NamedTuple):
    """One message of journey.identity-changes, about the identifier `profile_id`; instants in ms since the epoch.

    `parent` is the higher identifier in question (none for `shared` and `blocked`), `at` the instant from which it
    holds. `merged_into` is the parent if nothing of the profile's own is left.
    """

    identity_id: str
    kind: Literal["linked", "unlinked", "shared", "blocked"]
    profile_id: str
    revision: int
    parent: str | None
    at: int
    reason: Literal["observed", "manual", "too_many_customers", "too_many_parents"]
    text: str
    evidence: tuple[str, ...]
    merged_into: str | None


class Erased(NamedTuple):
    """What an identifier did in `spans` is forgotten. `name` is how journey.erasures calls it, by the key with the
    fingerprint `key`.

    If it is erased itself, `is_whole`, null values are to follow on all that was published of it.
    """

    profile_id: str
    name: bytes
    key: str
    spans: Spans
    is_whole: bool


class Rejected(NamedTuple):
    """The touchpoint just applied cannot be used; or, if `displaced` is given, one that was used before no longer is.

    `displaced` is JSON: the displaced touchpoint as far as it was kept.
    """

    reason: Reason
    detail: str
    displaced: bytes | None = None


class Forward(NamedTuple):
    """To be appended to the log, for the task that has the identifier `message.profile_id`, in the same transaction."""

    message: Message


Decision = StageChanged | RiskChanged | ProfileChanged | ProfileGone | IdentityChanged | Erased | Forward | Rejected
