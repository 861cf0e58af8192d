from datetime import timedelta
from typing import Any

from journey_stream.demo.board import Board
from journey_stream.events.outputs import ChurnRiskChange, ProfileView, StageChange
from journey_stream.events.times import DAY_MS, from_ms

STAGES = ("awareness", "consideration", "decision", "purchase", "retention", "advocacy")
NEW_YEAR_MS = 1_483_228_800_000
MODEL = {"name": "six-stages", "version": 1}


def board() -> Board:
    return Board(STAGES, NEW_YEAR_MS, NEW_YEAR_MS + 365 * DAY_MS)


def change(
    profile_id: str,
    from_stage: str | None,
    to_stage: str,
    *,
    day: int = 0,
    kind: str = "entered",
    text: str = "Bought",
) -> StageChange:
    document: dict[str, Any] = {
        "change_id": f"{profile_id}-{to_stage}-{day}",
        "kind": kind,
        "profile_id": profile_id,
        "revision": 1,
        "from_stage": from_stage,
        "to_stage": to_stage,
        "entered_at": from_ms(NEW_YEAR_MS) + timedelta(days=day),
        "seconds_in_previous": None,
        "current": True,
        "cause": "touchpoint",
        "because": {"rule": "r", "text": text, "evidence": ["e1", "e2"]},
        "model": MODEL,
    }
    return StageChange.model_validate(document)


def risk(
    profile_id: str, previous_band: str | None, band: str, *, day: int = 0, kind: str = "entered"
) -> ChurnRiskChange:
    at = from_ms(NEW_YEAR_MS) + timedelta(days=day)
    document: dict[str, Any] = {
        "risk_id": f"{profile_id}-{band}-{day}",
        "kind": kind,
        "profile_id": profile_id,
        "revision": 1,
        "band": band,
        "previous_band": previous_band,
        "probability": 0.61,
        "window_days": 28,
        "entered_at": at,
        "current": True,
        "cause": "timer",
        "because": {"text": "no purchase for 23 days: 61 % likely to stay away for 28 days", "evidence": ["e1"]},
        "typical_log_odds": -2.0,
        "contributions": [
            {"factor": "quiet", "log_odds": 1.5, "text": "silent for 23 days of 90 days", "since": at, "evidence": []}
        ],
        "model": {"name": "completejourney", "version": 1},
    }
    return ChurnRiskChange.model_validate(document)


def view(
    profile_id: str, stage: str | None, *, day: int = 0, band: str | None = None, segment: str | None = None
) -> ProfileView:
    at = from_ms(NEW_YEAR_MS) + timedelta(days=day)
    document: dict[str, Any] = {
        "profile_id": profile_id,
        "revision": 1,
        "stage": stage,
        "entered_at": at,
        "previous_stage": None,
        "rule": "r",
        "last_touchpoint_at": at,
        "updated_at": at,
        "model": MODEL,
        "segment": segment,
        "risk": None
        if band is None
        else {"band": band, "probability": 0.5, "since": at, "revision": 1, "model": {"name": "c", "version": 1}},
    }
    return ProfileView.model_validate(document)
