"""From changes of band to messages: entered, retracted, and the current band in the view of a profile."""

from hashlib import blake2b
from typing import Literal

from journey_stream.churn.bands import BANDS
from journey_stream.churn.reasons import assess, say_percent, say_span
from journey_stream.churn.rfm import scores
from journey_stream.churn.score import Scorer
from journey_stream.engine.publication import Publisher
from journey_stream.engine.risk import NO_BAND, RiskChange, RiskState
from journey_stream.events.decisions import CurrentRisk, RfmScores, RiskChanged

_RISK_ID_BYTES = 16


class RiskPublisher:
    """Writes decisions about churn risk in the words of one set of parameters.

    What takes a change back is what the `stages` publisher says is being applied.
    """

    def __init__(self, scorer: Scorer, stages: Publisher) -> None:
        self.scorer = scorer
        self._stages = stages
        self._parameters = parameters = scorer.parameters
        key = blake2b(f"{parameters.name} {parameters.version}".encode()).digest()
        self._keyed = blake2b(digest_size=_RISK_ID_BYTES, key=key)
        self._lasting = say_span(parameters.window_ms)

    def message(
        self,
        kind: Literal["entered", "retracted"],
        profile_id: str,
        revision: int,
        change: RiskChange,
        *,
        current: bool,
    ) -> RiskChanged:
        """One message; `revision` is its own."""
        parameters, summary = self._parameters, change.summary
        before = None if change.before == NO_BAND else change.before
        risk = assess(self.scorer, summary, change.at, before, change.first_id, change.last_id, change.signal_ids)
        band, previous = BANDS[change.after], None if before is None else BANDS[before]
        by_touchpoint = change.cause == "touchpoint"
        return RiskChanged(
            self._risk_id(profile_id, previous, band, change),
            kind,
            profile_id,
            revision,
            band,
            previous,
            risk.probability,
            risk.typical,
            parameters.window_ms,
            change.at,
            current,
            change.cause if kind == "entered" else self._stages.cause,
            f"{self._what_happened(change)}: {say_percent(risk.probability)} likely to stay away for {self._lasting}",
            (change.trigger if by_touchpoint else change.last_id,),
            summary.last if change.cause == "timer" else None,
            risk.contributions,
            parameters.name,
            parameters.version,
        )

    def current(self, state: RiskState, revision: int) -> CurrentRisk | None:
        """For the view of a profile; `revision` is that of its last risk message."""
        if state.band == NO_BAND:
            return None
        parameters = self._parameters
        return CurrentRisk(
            revision, BANDS[state.band], state.probability, state.since, parameters.name, parameters.version
        )

    def rfm(self, state: RiskState, clock: int) -> RfmScores | None:
        """For the view of a profile, as of `clock` (ms)."""
        rfm, summary = self._parameters.rfm, state.summary
        return None if rfm is None or summary is None else scores(rfm, summary, clock)

    def _what_happened(self, change: RiskChange) -> str:
        parameters, summary = self._parameters, change.summary
        if change.cause == "timer":
            return f"no {parameters.event} for {say_span(change.at - summary.last)}"
        if change.cause == "model":
            return f"scored anew with {parameters.name} version {parameters.version}"
        if change.trigger == change.last_id:
            return parameters.event
        signal_ids = change.signal_ids or {}
        said = [one.text for one in parameters.signals if signal_ids.get(one.id) == change.trigger]
        return " and ".join(said)

    def _risk_id(self, profile_id: str, previous: str | None, band: str, change: RiskChange) -> str:
        # At one instant the same move can come twice, so the touchpoint that brought it is part of the name. A profile
        # id may hold anything, so its length is told.
        text = f"{len(profile_id)}:{profile_id} {previous} {band} {change.at} {change.cause} {change.trigger}"
        digest = self._keyed.copy()
        digest.update(text.encode())
        return digest.hexdigest()
