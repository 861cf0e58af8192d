"""The JSON of messages about churn risk, as structs: quicker to write than dictionaries.

The contract is in `outputs.py`; `wire.py` fills these in. Instants are written already.
"""

import msgspec
from msgspec import UNSET, UnsetType


class ModelBody(msgspec.Struct, frozen=True, gc=False):
    """What scored."""

    name: str
    version: int


class ContributionBody(msgspec.Struct, frozen=True, gc=False):
    """See `outputs.RiskContribution`."""

    factor: str
    log_odds: float
    text: str
    since: str
    evidence: tuple[str, ...]


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
    contributions: list[ContributionBody]
    model: ModelBody
