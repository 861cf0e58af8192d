"""From changes of a history to messages: entered, retracted, and the current view."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, Protocol

from journey_stream.engine.head import Head
from journey_stream.engine.plan import Plan
from journey_stream.engine.standing import Standing
from journey_stream.engine.touches import Change
from journey_stream.events.decisions import Cause, CurrentRisk, Decision, ProfileChanged, RfmScores, StageChanged

Kind = Literal["entered", "retracted"]
_CHANGE_ID_BYTES = 16


class Subject(Protocol):
    """The profile that messages are about."""

    id: str
    head: Head

    def checkpoint(self) -> Standing:
        """The summary of everything that is final."""

    def history(self) -> list[Change]:
        """The changes since the checkpoint."""

    def current_risk(self) -> CurrentRisk | None:
        """The band of churn risk that the customer is in."""

    def children(self) -> tuple[str, ...]:
        """The lower identifiers that are linked to this one."""

    def last_at(self) -> int:
        """When the last touchpoint of the profile's own happened (ms)."""

    def current_segment(self, clock: int) -> str | None:
        """The id of the segment that the customer is in at an instant (ms)."""

    def current_rfm(self, clock: int) -> RfmScores | None:
        """The RFM scores at an instant (ms)."""


@dataclass
class Counters:
    """What happened since the partition was made; for metrics."""

    touchpoints: int = 0
    duplicates: int = 0
    entered: int = 0
    retracted: int = 0
    timers: int = 0
    rescored: int = 0
    beyond_allowance: int = 0
    overflows: int = 0
    shared: int = 0
    """Touchpoints that belong to nobody, because their identifier is shared."""
    erased: int = 0
    """Touchpoints that were forgotten, or not even taken in, because their identifier is erased."""


class Publisher:
    """Writes decisions about profiles in the words of one journey model."""

    def __init__(self, plan: Plan) -> None:
        self.counters = Counters()
        self.cause: Cause = "touchpoint"
        """What the record that is being applied is; silence is told from it by the change itself."""
        self._plan = plan
        self._model = plan.model
        self._stages = [stage.id for stage in plan.model.stages]
        self._key = blake2b(f"{plan.model.name} {plan.model.version}".encode()).digest()

    def settled(self, history: Sequence[Change], clock: int) -> int:
        """How many changes, from the oldest on, have stood long enough to be published."""
        if self._plan.settles:
            for index, change in enumerate(history):
                if clock < change.at + self._plan.settle_ms[change.after]:
                    return index
        return len(history)

    def news(self, profile: Subject, fresh: Sequence[Change], clock: int) -> list[Decision]:
        """Publish changes that come after all that is published."""
        last, name, head = fresh[-1], profile.id, profile.head
        decisions: list[Decision] = [self._message("entered", name, head, c, current=c is last) for c in fresh]
        decisions.append(self._view(profile, last, clock))
        return decisions

    def corrections(
        self,
        profile: Subject,
        published: Sequence[Change],
        retracted: Sequence[Change],
        entered: Sequence[Change],
        clock: int,
    ) -> list[Decision]:
        """Take back what no longer holds, newest first, then publish what holds instead, oldest first."""
        head, name = profile.head, profile.id
        last = published[-1] if published else None
        decisions: list[Decision] = [
            self._message("retracted", name, head, change, current=False) for change in reversed(retracted)
        ]
        decisions += [self._message("entered", name, head, change, current=change is last) for change in entered]
        decisions.append(self._view(profile, last or _last_of(profile.checkpoint()), clock))
        return decisions

    def view(self, profile: Subject, clock: int) -> ProfileChanged:
        """The current view when no change of stage is published with it."""
        head = profile.head
        if head.published == head.changes:
            # The standing knows its last move, so that the history need not be unpacked.
            last = _last_of(head.standing)
        else:
            last = profile.history()[head.published - 1] if head.published else _last_of(profile.checkpoint())
        return self._view(profile, last, clock)

    def _message(self, kind: Kind, profile_id: str, head: Head, change: Change, *, current: bool) -> StageChanged:
        head.revision += 1
        if kind == "entered":
            self.counters.entered += 1
        else:
            self.counters.retracted += 1
        silence = change.rule < 0
        from_stage = None if change.before < 0 else self._stages[change.before]
        to_stage = self._stages[change.after]
        window_seconds = None
        if silence:
            inactivity = self._model.inactivity[-1 - change.rule]
            rule, text, window_seconds = inactivity.id, inactivity.text, inactivity.nothing_for_ms // 1000
        else:
            rule, text = self._model.rules[change.rule].id, self._model.rules[change.rule].text
        return StageChanged(
            self._change_id(profile_id, from_stage, to_stage, change, rule),
            kind,
            profile_id,
            head.revision,
            from_stage,
            to_stage,
            change.at,
            change.since,
            current,
            "timer" if silence and kind == "entered" else self.cause,
            rule,
            text,
            change.evidence,
            change.silent_since,
            window_seconds,
            self._model.name,
            self._model.version,
        )

    def _change_id(self, profile_id: str, from_stage: str | None, to_stage: str, change: Change, rule: str) -> str:
        # At one instant a customer may make the same move twice, so the touchpoint that fired the rule is part of it.
        fired_by = "" if change.rule < 0 else change.evidence[-1]
        # The ids of stages and rules are plain words; a profile id may hold anything, so its length is told.
        text = f"{len(profile_id)}:{profile_id} {from_stage} {to_stage} {change.at} {rule} {fired_by}"
        return blake2b(text.encode(), digest_size=_CHANGE_ID_BYTES, key=self._key).hexdigest()

    def _view(self, profile: Subject, last: Change | None, clock: int) -> ProfileChanged:
        head, rules = profile.head, self._model.rules
        rule = None
        if last is not None and last.rule < len(rules):
            rule = rules[last.rule].id if last.rule >= 0 else self._model.inactivity[-1 - last.rule].id
        return ProfileChanged(
            profile_id=profile.id,
            revision=head.revision,
            stage=None if last is None else self._stages[last.after],
            entered_at=None if last is None else last.at,
            previous_stage=None if last is None or last.before < 0 else self._stages[last.before],
            rule=rule,
            last_touchpoint_at=profile.last_at(),
            updated_at=clock,
            overflow=head.overflow,
            model=self._model.name,
            model_version=self._model.version,
            risk=profile.current_risk(),
            identifiers=profile.children(),
            segment=profile.current_segment(clock),
            rfm=profile.current_rfm(clock),
        )


def _last_of(standing: Standing) -> Change | None:
    """The last move, as far as a view shows it."""
    if standing.stage < 0:
        return None
    return Change(standing.entered_at, standing.came_from, standing.stage, standing.rule, None, ())
