"""The JSON of views and of messages about churn risk, as structs: quicker to write than dictionaries.

The contract is in `outputs.py`; `wire.py` fills these in. Instants are written already.
"""

import msgspec
from msgspec import UNSET, UnsetType

from journey_stream.events.decisions import RfmScores, RiskContribution


class ModelBody(msgspec.Struct, frozen=True, gc=False):
    """What decided, or scored."""

    name: str
    version: int


class BecauseOfRiskBody(msgspec.Struct, frozen=True, gc=False):
    """See `outputs.BecauseOfRisk`."""

    text: str
    evidence: tuple[str, ...]
    silent_since: str | UnsetType = UNSET


class RiskChangeBody(msgspec.Struct, frozen=True, gc=False):
    """See `outputs.ChurnRiskChange`."""

    risk_id: str
    kind: str
    profile_id: str
    revision: int
    band: str
    previous_band: str | None
    probability: float
    window_days: float
    entered_at: str
    current: bool
    cause: str
    because: BecauseOfRiskBody
    typical_log_odds: float
    contributions: tuple[RiskContribution, ...]
    model: ModelBody


class CurrentRiskBody(msgspec.Struct, frozen=True, gc=False):
    """See `outputs.CurrentRisk`."""

    band: str
    probability: float
    since: str
    revision: int
    model: ModelBody


class ProfileBody(msgspec.Struct, frozen=True, gc=False):
    """See `outputs.ProfileView`."""

    profile_id: str
    revision: int
    stage: str | None
    entered_at: str | None
    previous_stage: str | None
    rule: str | None
    last_touchpoint_at: str
    updated_at: str
    overflow: bool
    model: ModelBody
    risk: CurrentRiskBody | None
    segment: str | None
    rfm: RfmScores | None
    identifiers: tuple[str, ...] | UnsetType
