"""What the projection reads of the messages of the output topics, each as a row of its table.

The contracts are in `events/outputs.py`; a test holds the two together. Instants stay text here: they are read by the
column, which is many times faster.
"""

from typing import Any, Final, Protocol

import msgspec
from msgspec import Raw

_NO_LIST: Final = Raw(b"[]")
Row = tuple[Any, ...]


class _Model(msgspec.Struct, gc=False):
    name: str
    version: int


class _Because(msgspec.Struct, gc=False):
    rule: str
    text: str
    evidence: Raw
    silent_since: str | None = None
    window_seconds: int | None = None


class StageMessage(msgspec.Struct, gc=False):
    """journey.stage-changes."""

    change_id: str
    kind: str
    profile_id: str
    revision: int
    from_stage: str | None
    to_stage: str
    entered_at: str
    seconds_in_previous: float | None
    current: bool
    cause: str
    because: _Because
    model: _Model

    def row(self) -> Row:
        """As in STAGE_MESSAGES, but for `standing`."""
        because, model = self.because, self.model
        return (
            *(self.profile_id, self.revision, self.change_id, self.kind, self.from_stage, self.to_stage),
            *(self.entered_at, self.seconds_in_previous, self.current, self.cause, because.rule, because.text),
            *(_text(because.evidence), because.silent_since, because.window_seconds, model.name, model.version),
        )


class _BecauseOfRisk(msgspec.Struct, gc=False):
    text: str
    evidence: Raw
    silent_since: str | None = None


class RiskMessage(msgspec.Struct, gc=False):
    """journey.churn-risk."""

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
    because: _BecauseOfRisk
    typical_log_odds: float
    contributions: Raw
    model: _Model

    def row(self) -> Row:
        """As in RISK_MESSAGES, but for `standing`."""
        because, model = self.because, self.model
        return (
            *(self.profile_id, self.revision, self.risk_id, self.kind, self.band, self.previous_band),
            *(self.probability, self.window_days, self.entered_at, self.current, self.cause, because.text),
            *(_text(because.evidence), because.silent_since, self.typical_log_odds, _text(self.contributions)),
            *(model.name, model.version),
        )


class IdentityMessage(msgspec.Struct, gc=False):
    """journey.identity-changes."""

    identity_id: str
    kind: str
    profile_id: str
    revision: int
    parent: str | None
    at: str
    reason: str
    text: str
    evidence: Raw
    merged_into: str | None

    def row(self) -> Row:
        """As in IDENTITY_MESSAGES."""
        return (
            *(self.profile_id, self.revision, self.identity_id, self.kind, self.parent, self.at, self.reason),
            *(self.text, _text(self.evidence), self.merged_into),
        )


class _Risk(msgspec.Struct, gc=False):
    band: str
    probability: float
    since: str


class _Rfm(msgspec.Struct, gc=False):
    recency: int
    frequency: int
    monetary: int | None = None


class View(msgspec.Struct, gc=False):
    """journey.profiles."""

    profile_id: str
    revision: int
    stage: str | None
    entered_at: str | None
    previous_stage: str | None
    rule: str | None
    last_touchpoint_at: str
    updated_at: str
    overflow: bool = False
    identifiers: Raw = _NO_LIST
    risk: _Risk | None = None
    segment: str | None = None
    rfm: _Rfm | None = None

    def row(self) -> Row:
        """As in PROFILES."""
        risk, rfm = self.risk, self.rfm
        return (
            *(self.profile_id, self.stage, self.entered_at, self.previous_stage, self.rule, self.last_touchpoint_at),
            *(self.updated_at, self.overflow, _text(self.identifiers)),
            *((None, None, None) if risk is None else (risk.band, risk.probability, risk.since)),
            self.segment,
            *((None, None, None) if rfm is None else (rfm.recency, rfm.frequency, rfm.monetary)),
            self.revision,
        )


class Message(Protocol):
    """What all of them can do."""

    def row(self) -> Row: ...


def _text(raw: Raw) -> str:
    return bytes(raw).decode()


decode_stage: Final = msgspec.json.Decoder(StageMessage).decode
decode_risk: Final = msgspec.json.Decoder(RiskMessage).decode
decode_identity: Final = msgspec.json.Decoder(IdentityMessage).decode
decode_view: Final = msgspec.json.Decoder(View).decode
