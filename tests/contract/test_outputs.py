"""What the wire carries is what the published schemas and the models say, for every decision that there can be."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from journey_stream.events import wire
from journey_stream.events.decisions import (
    CurrentRisk,
    IdentityChanged,
    ProfileChanged,
    RfmScores,
    RiskChanged,
    RiskContribution,
    StageChanged,
)
from journey_stream.events.outputs import ChurnRiskChange, IdentityChange, ProfileView, StageChange
from journey_stream.events.schemas import CONTRACTS, schema_of
from journey_stream.events.times import MS_MAX, MS_MIN, rfc3339, to_ms

_validators = {
    contract.name: Draft202012Validator(schema_of(contract), format_checker=FormatChecker()) for contract in CONTRACTS
}
_words = st.text(min_size=1, max_size=12)
_instants = st.integers(MS_MIN, MS_MAX)
_maybe = st.none() | _words

stage_changes = st.builds(
    StageChanged,
    change_id=_words,
    kind=st.sampled_from(["entered", "retracted"]),
    profile_id=_words,
    revision=st.integers(1, 2**53),
    from_stage=_maybe,
    to_stage=_words,
    entered_at=_instants,
    previous_entered_at=st.none() | _instants,
    current=st.booleans(),
    cause=st.sampled_from(["touchpoint", "timer", "identity", "model", "erasure"]),
    rule=_words,
    text=st.text(),
    evidence=st.lists(_words, max_size=4).map(tuple),
    silent_since=st.none() | _instants,
    window_seconds=st.none() | st.integers(1, 10**9),
    model=_words,
    model_version=st.integers(1, 10**6),
)
_bands = st.sampled_from(["low", "medium", "high", "critical"])
_probabilities = st.floats(0.0, 1.0)
_log_odds = st.floats(allow_nan=False, allow_infinity=False)
risk_changes = st.builds(
    RiskChanged,
    risk_id=_words,
    kind=st.sampled_from(["entered", "retracted"]),
    profile_id=_words,
    revision=st.integers(1, 2**53),
    band=_bands,
    previous_band=st.none() | _bands,
    probability=_probabilities,
    typical_log_odds=_log_odds,
    window_ms=st.integers(1, 10**12),
    entered_at=_instants,
    current=st.booleans(),
    cause=st.sampled_from(["touchpoint", "timer", "identity", "model", "erasure"]),
    text=st.text(),
    evidence=st.lists(_words, max_size=2).map(tuple),
    silent_since=st.none() | _instants,
    contributions=st.lists(
        st.builds(
            RiskContribution,
            _words,
            _log_odds,
            st.text(),
            _instants.map(rfc3339),
            st.lists(_words, max_size=2).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    model=_words,
    model_version=st.integers(1, 10**6),
)
identity_changes = st.builds(
    IdentityChanged,
    identity_id=_words,
    kind=st.sampled_from(["linked", "unlinked", "shared", "blocked"]),
    profile_id=_words,
    revision=st.integers(1, 2**53),
    parent=_maybe,
    at=_instants,
    reason=st.sampled_from(["observed", "manual", "too_many_customers", "too_many_parents"]),
    text=st.text(),
    evidence=st.lists(_words, max_size=3).map(tuple),
    merged_into=_maybe,
)
_scores = st.integers(1, 5)
profile_changes = st.builds(
    ProfileChanged,
    segment=_maybe,
    rfm=st.none() | st.builds(RfmScores, _scores, _scores, st.none() | _scores),
    risk=st.none()
    | st.builds(CurrentRisk, st.integers(1, 2**53), _bands, _probabilities, _instants, _words, st.integers(1, 10**6)),
    profile_id=_words,
    revision=st.integers(0, 2**53),
    stage=_maybe,
    entered_at=st.none() | _instants,
    previous_stage=_maybe,
    rule=_maybe,
    last_touchpoint_at=_instants,
    updated_at=_instants,
    overflow=st.booleans(),
    model=_words,
    model_version=st.integers(1, 10**6),
    identifiers=st.lists(_words, max_size=3).map(tuple),
)


@given(stage_changes)
def test_a_stage_change_on_the_wire_fits_its_schema_and_its_model(change: StageChanged) -> None:
    value = wire.encode_stage_change(change)

    _validators["stage-change"].validate(json.loads(value))
    read = StageChange.model_validate_json(value)
    assert read.revision == change.revision
    assert to_ms(read.entered_at) == change.entered_at
    assert read.because.evidence == list(change.evidence)
    assert (
        None if change.previous_entered_at is None else (change.entered_at - change.previous_entered_at) / 1000
    ) == (read.seconds_in_previous)


@given(stage_changes.filter(lambda change: change.silent_since is None))
def test_a_change_that_no_silence_caused_says_nothing_of_one(change: StageChanged) -> None:
    because = json.loads(wire.encode_stage_change(change))["because"]

    assert {"rule", "text", "evidence"} == because.keys()


@given(profile_changes)
def test_a_profile_on_the_wire_fits_its_schema_and_its_model(view: ProfileChanged) -> None:
    value = wire.encode_profile(view)

    _validators["profile"].validate(json.loads(value))
    read = ProfileView.model_validate_json(value)
    assert read.stage == view.stage
    assert to_ms(read.last_touchpoint_at) == view.last_touchpoint_at
    assert read.identifiers == list(view.identifiers)
    assert read.segment == view.segment
    assert (None if read.rfm is None else RfmScores(**read.rfm.model_dump())) == view.rfm


@given(risk_changes)
def test_a_change_of_risk_on_the_wire_fits_its_schema_and_its_model(change: RiskChanged) -> None:
    value = wire.encode_risk_change(change)

    _validators["churn-risk"].validate(json.loads(value))
    read = ChurnRiskChange.model_validate_json(value)
    assert (read.revision, read.band, read.probability) == (change.revision, change.band, change.probability)
    assert to_ms(read.entered_at) == change.entered_at
    assert [one.log_odds for one in read.contributions] == [one.log_odds for one in change.contributions]
    assert (read.because.silent_since is None) == (change.silent_since is None)


@given(risk_changes)
def test_the_headers_of_a_change_of_risk_are_a_cloud_event_too(change: RiskChanged) -> None:
    headers = dict(wire.risk_change_headers(change, b"journey-stream/shop"))

    assert b"journey.churn-risk.v1" == headers["ce_type"]
    assert f"risk/{change.profile_id}/{change.revision}".encode() == headers["ce_id"]
    assert rfc3339(change.entered_at).encode() == headers["ce_time"]


@given(identity_changes)
def test_a_change_of_identity_on_the_wire_fits_its_schema_and_its_model(change: IdentityChanged) -> None:
    value = wire.encode_identity_change(change)

    _validators["identity-change"].validate(json.loads(value))
    read = IdentityChange.model_validate_json(value)
    assert to_ms(read.at) == change.at
    assert read.evidence == list(change.evidence)
    told = change._asdict()
    for field in ("identity_id", "kind", "profile_id", "revision", "parent", "reason", "text", "merged_into"):
        assert getattr(read, field) == told[field]


@given(identity_changes)
def test_the_headers_of_a_change_of_identity_are_a_cloud_event_too(change: IdentityChanged) -> None:
    headers = dict(wire.identity_change_headers(change, b"journey-stream/shop"))

    assert b"journey.identity-change.v1" == headers["ce_type"]
    assert f"identity/{change.profile_id}/{change.revision}".encode() == headers["ce_id"]
    assert rfc3339(change.at).encode() == headers["ce_time"]


@given(stage_changes)
def test_the_headers_are_a_cloud_event_in_binary_mode(change: StageChanged) -> None:
    headers = dict(wire.stage_change_headers(change, b"journey-stream/shop"))

    assert headers == {
        "ce_specversion": b"1.0",
        "ce_type": b"journey.stage-change.v1",
        "ce_source": b"journey-stream/shop",
        "ce_id": f"stage/{change.profile_id}/{change.revision}".encode(),
        "ce_time": rfc3339(change.entered_at).encode(),
        "content-type": b"application/json",
    }


@pytest.mark.parametrize("model", [StageChange, ProfileView])
def test_a_subscriber_reads_messages_of_a_later_release(model: Any) -> None:
    change = StageChanged(
        *("x1", "entered", "c1", 1, None, "awareness", 0, None, True, "touchpoint", "first", "First visit", ("e1",)),
        *(None, None, "six-stages", 1),
    )
    view = ProfileChanged("c1", 1, "awareness", 0, None, "first", 0, 0, False, "six-stages", 1)
    value = wire.encode_stage_change(change) if model is StageChange else wire.encode_profile(view)

    later = json.loads(value) | {"a_new_field": {"of": ["any", "shape"]}}

    assert model.model_validate(later) == model.model_validate_json(value)
