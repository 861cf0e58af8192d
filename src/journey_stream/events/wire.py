"""Decisions as Kafka messages: JSON values, and CloudEvents headers in binary mode."""

from typing import Any

import msgspec
from msgspec import UNSET

from journey_stream.events.bodies import (
    BecauseOfRiskBody,
    CurrentRiskBody,
    ModelBody,
    ProfileBody,
    RiskChangeBody,
)
from journey_stream.events.decisions import CurrentRisk, IdentityChanged, ProfileChanged, RiskChanged, StageChanged
from journey_stream.events.times import DAY_MS, rfc3339

Headers = list[tuple[str, bytes]]

STAGE_CHANGE_TYPE = b"journey.stage-change.v1"
RISK_CHANGE_TYPE = b"journey.churn-risk.v1"
IDENTITY_CHANGE_TYPE = b"journey.identity-change.v1"
_encode = msgspec.json.Encoder().encode


def encode_stage_change(change: StageChanged) -> bytes:
    """The value of a message on journey.stage-changes (contract: `outputs.StageChange`)."""
    because: dict[str, Any] = {"rule": change.rule, "text": change.text, "evidence": change.evidence}
    if change.silent_since is not None:
        because["silent_since"] = rfc3339(change.silent_since)
        because["window_seconds"] = change.window_seconds
    previous = change.previous_entered_at
    return _encode(
        {
            "change_id": change.change_id,
            "kind": change.kind,
            "profile_id": change.profile_id,
            "revision": change.revision,
            "from_stage": change.from_stage,
            "to_stage": change.to_stage,
            "entered_at": rfc3339(change.entered_at),
            "seconds_in_previous": None if previous is None else (change.entered_at - previous) / 1000,
            "current": change.current,
            "cause": change.cause,
            "because": because,
            "model": {"name": change.model, "version": change.model_version},
        },
    )


def stage_change_headers(change: StageChanged, source: bytes) -> Headers:
    """CloudEvents headers; `ce_id` names the message, so it is unique within `source`."""
    return _headers(STAGE_CHANGE_TYPE, source, f"stage/{change.profile_id}/{change.revision}", change.entered_at)


def encode_risk_change(change: RiskChanged) -> bytes:
    """The value of a message on journey.churn-risk (contract: `outputs.ChurnRiskChange`)."""
    silent_since = UNSET if change.silent_since is None else rfc3339(change.silent_since)
    return _encode(
        RiskChangeBody(
            change.risk_id,
            change.kind,
            change.profile_id,
            change.revision,
            change.band,
            change.previous_band,
            change.probability,
            change.window_ms / DAY_MS,
            rfc3339(change.entered_at),
            change.current,
            change.cause,
            BecauseOfRiskBody(change.text, change.evidence, silent_since),
            change.typical_log_odds,
            change.contributions,
            ModelBody(change.model, change.model_version),
        )
    )


def risk_change_headers(change: RiskChanged, source: bytes) -> Headers:
    """CloudEvents headers; `ce_id` names the message, so it is unique within `source`."""
    return _headers(RISK_CHANGE_TYPE, source, f"risk/{change.profile_id}/{change.revision}", change.entered_at)


def encode_identity_change(change: IdentityChanged) -> bytes:
    """The value of a message on journey.identity-changes (contract: `outputs.IdentityChange`)."""
    return _encode(
        {
            "identity_id": change.identity_id,
            "kind": change.kind,
            "profile_id": change.profile_id,
            "revision": change.revision,
            "parent": change.parent,
            "at": rfc3339(change.at),
            "reason": change.reason,
            "text": change.text,
            "evidence": change.evidence,
            "merged_into": change.merged_into,
        },
    )


def identity_change_headers(change: IdentityChanged, source: bytes) -> Headers:
    """CloudEvents headers; `ce_id` names the message, so it is unique within `source`."""
    return _headers(IDENTITY_CHANGE_TYPE, source, f"identity/{change.profile_id}/{change.revision}", change.at)


def encode_profile(view: ProfileChanged) -> bytes:
    """The value of a message on journey.profiles (contract: `outputs.ProfileView`)."""
    return _encode(
        ProfileBody(
            view.profile_id,
            view.revision,
            view.stage,
            None if view.entered_at is None else rfc3339(view.entered_at),
            view.previous_stage,
            view.rule,
            rfc3339(view.last_touchpoint_at),
            rfc3339(view.updated_at),
            view.overflow,
            ModelBody(view.model, view.model_version),
            None if view.risk is None else _current_risk(view.risk),
            view.segment,
            view.rfm,
            view.identifiers or UNSET,
        )
    )


def _current_risk(risk: CurrentRisk) -> CurrentRiskBody:
    return CurrentRiskBody(
        risk.band, risk.probability, rfc3339(risk.since), risk.revision, ModelBody(risk.model, risk.model_version)
    )


def _headers(type_: bytes, source: bytes, id_: str, at: int) -> Headers:
    return [
        ("ce_specversion", b"1.0"),
        ("ce_type", type_),
        ("ce_source", source),
        ("ce_id", id_.encode()),
        ("ce_time", rfc3339(at).encode()),
        ("content-type", b"application/json"),
    ]
