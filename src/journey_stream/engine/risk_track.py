"""Churn risk of one profile, unpacked for work: the second track beside its stages.

It lies in a state record of its own. Most touchpoints do not concern it, and then it is neither unpacked nor written.
"""

from collections.abc import Iterable, Sequence

from journey_stream.churn.rfm import lasting
from journey_stream.churn.summary import Summary
from journey_stream.engine.concern import Concern
from journey_stream.engine.difference import difference
from journey_stream.engine.packing import encode, pack
from journey_stream.engine.plan import Plan
from journey_stream.engine.risk import Risk, RiskChange, RiskState, unpack_risk, unpack_risk_changes
from journey_stream.engine.risk_fold import count_risk, fall_quiet, look_ahead, react_to_risk, step_risk
from journey_stream.engine.risk_publication import RiskPublisher
from journey_stream.engine.touches import LONG_AGO, Facts, Touch
from journey_stream.events.decisions import CurrentRisk, Decision, RfmScores


class RiskTrack:
    """What is kept for churn risk, and whether it has `changed`. Its decisions come without a view of the profile.

    `restated` says that a view is due although no change of band tells anything: new parameters gave the band that the
    customer is in another probability, or a purchase another RFM score.
    """

    __slots__ = ("_kept", "_plan", "_profile_id", "_publisher", "_scorer", "changed", "restated")

    def __init__(self, profile_id: str, packed: bytes | None, plan: Plan, publisher: RiskPublisher) -> None:
        self._profile_id = profile_id
        self._plan = plan
        self._publisher = publisher
        self._scorer = publisher.scorer
        self._kept = Risk() if packed is None else unpack_risk(packed)
        self.changed = False
        self.restated = False

    @property
    def quiet_until(self) -> int:
        """Silence changes nothing before this instant (ms)."""
        return self._kept.state.quiet_until

    @property
    def band(self) -> int:
        """The band by its index; -1 for none."""
        return self._kept.state.band

    @property
    def summary(self) -> Summary | None:
        """What a score depends on; None before the first purchase."""
        return self._kept.state.summary

    @property
    def history_bytes(self) -> int:
        """The length of the history as it is packed."""
        return len(self._kept.history)

    def pack(self) -> bytes:
        """The state record."""
        return encode(self._kept)

    def current(self) -> CurrentRisk | None:
        """The band that the customer is in, for a view."""
        return self._publisher.current(self._kept.state, self._kept.revision)

    def rfm(self, clock: int) -> RfmScores | None:
        """The RFM scores at an instant (ms), for a view."""
        return self._publisher.rfm(self._kept.state, clock)

    def step(self, concern: Concern, at: int, event_id: str, facts: Facts | None) -> list[Decision] | None:
        """Fold a touchpoint that comes last; None, and nothing done, if silence that was decided comes after it."""
        kept = self._kept
        state = kept.state
        if at <= state.silent_at:
            return None
        self.changed = True
        changes: list[RiskChange] = []
        resume_at, summary = state.resume_at, state.summary
        react_to_risk(self._scorer, concern, state, at, event_id, facts, changes, is_head=True)
        if changes:
            return self._tell(changes)
        return self._restate(state.resume_at != resume_at or self._scores_otherwise(summary))

    def pass_time(self, clock: int) -> list[Decision]:
        """Decide what silence has brought by `clock`."""
        self.changed = True
        changes: list[RiskChange] = []
        state = self._kept.state
        resume_at = state.resume_at
        fall_quiet(self._scorer, state, clock, changes)
        return self._tell(changes) if changes else self._restate(state.resume_at != resume_at)

    def refold(self, touches: Iterable[Touch], clock: int) -> list[Decision]:
        """Fold all that are held again, and tell the difference."""
        kept, self.changed = self._kept, True
        before, former = self._history(), kept.state
        state, after = self.checkpoint(), list[RiskChange]()
        for touch in touches:
            step_risk(self._plan, state, touch, after)
        look_ahead(self._scorer, state)
        fall_quiet(self._scorer, state, clock, after)
        kept.state, kept.history, kept.changes = state, pack(after), len(after)
        retracted, entered = difference(before, after)
        if not retracted and not entered:
            scored_anew = (state.probability, state.resume_at) != (former.probability, former.resume_at)
            return self._restate(scored_anew or self._scores_otherwise(former.summary))
        return self._news(retracted, entered)

    def fold(self, touches: Sequence[Touch]) -> None:
        """Take touchpoints into the checkpoint."""
        kept, self.changed = self._kept, True
        state, history = self.checkpoint(), self._history()
        # What was published says whether they moved the customer at all.
        stays = state.resume_at == LONG_AGO and (not history or history[0].at > touches[-1].at)
        final: list[RiskChange] = []
        for touch in touches:
            if stays:
                count_risk(self._plan, state, touch)
            else:
                step_risk(self._plan, state, touch, final)
        kept.set_checkpoint(state)
        if final:
            rest = history[len(final) :]
            kept.history, kept.changes = pack(rest), len(rest)

    def rescore(self, touches: Iterable[Touch], at: int, clock: int, *, gap: bool) -> list[Decision]:
        """Go on with other parameters from `at` on; what was published up to there is final.

        After a `gap`, in which churn risk was switched off and touchpoints may have been folded that nobody counted,
        it goes on with what the timeline holds and nothing else: numbers of which some are missing would mislead.
        """
        kept, former = self._kept, self._kept.state
        checkpoint = RiskState() if gap else self.checkpoint()
        checkpoint.band, checkpoint.since, checkpoint.probability = former.band, former.since, former.probability
        # A producer's fast clock may have put the last change a little ahead of `at`.
        checkpoint.resume_at = checkpoint.quiet_until = max(at, former.since)
        checkpoint.silent_at = LONG_AGO
        kept.set_checkpoint(checkpoint)
        kept.history, kept.changes = b"", 0
        decisions = self.refold(touches, clock)
        return decisions or self._restate(kept.state.resume_at == LONG_AGO)

    def checkpoint(self) -> RiskState:
        """The state at the checkpoint; a fresh copy."""
        return self._kept.unpack_checkpoint()

    def canonical(self, folding: Iterable[Touch]) -> list[object]:
        """What depends on nothing but touchpoints and clock, with `folding` in the checkpoint."""
        checkpoint, final = self.checkpoint(), list[RiskChange]()
        for touch in folding:
            step_risk(self._plan, checkpoint, touch, final)
        return [checkpoint.canonical(), self._kept.state.canonical(), self._history()[len(final) :]]

    def _history(self) -> list[RiskChange]:
        return unpack_risk_changes(self._kept.changes, self._kept.history)

    def _restate(self, scored_anew: bool) -> list[Decision]:
        """No messages, but perhaps a view."""
        if scored_anew and self._kept.state.summary is not None:
            self.restated = True
        return []

    def _scores_otherwise(self, former: Summary | None) -> bool:
        """Whether an RFM score that silence leaves alone is another one than with the former summary."""
        rfm, summary = self._scorer.parameters.rfm, self._kept.state.summary
        if rfm is None or summary is None or summary is former:
            return False
        if former is None:
            return True
        if former.repeats == summary.repeats and former.spent == summary.spent:
            return False  # a signal
        return lasting(rfm, former) != lasting(rfm, summary)

    def _tell(self, changes: list[RiskChange]) -> list[Decision]:
        kept = self._kept
        kept.history += pack(changes)
        kept.changes += len(changes)
        return self._news((), changes)

    def _news(self, retracted: Sequence[RiskChange], entered: Sequence[RiskChange]) -> list[Decision]:
        """Messages: what no longer holds, newest first, and then what is new."""
        kept, message = self._kept, self._publisher.message
        decisions: list[Decision] = []
        for change in reversed(retracted):
            kept.revision += 1
            decisions.append(message("retracted", self._profile_id, kept.revision, change, current=False))
        for change in entered:
            kept.revision += 1
            last = change is entered[-1] and (change.at, change.after) == (kept.state.since, kept.state.band)
            decisions.append(message("entered", self._profile_id, kept.revision, change, current=last))
        return decisions
