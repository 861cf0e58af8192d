"""From changes of a history to messages: entered, retracted, and the current view."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import groupby
from operator import attrgetter
from typing import Literal, Protocol, TypeVar

from journey_stream.engine.head import Head
from journey_stream.engine.plan import Plan
from journey_stream.engine.risk import RiskChange, RiskHead, unpack_state
from journey_stream.engine.risk_publication import RiskPublisher
from journey_stream.engine.standing import Standing
from journey_stream.engine.touches import Change
from journey_stream.events.decisions import CurrentRisk, Decision, ProfileChanged, StageChanged

Kind = Literal["entered", "retracted"]
AnyChange = TypeVar("AnyChange", Change, RiskChange)
_CHANGE_ID_BYTES = 16


class Subject(Protocol):
    """The profile that messages are about."""

    id: str
    head: Head

    def checkpoint(self) -> Standing:
        """The summary of everything that is final."""

    def history(self) -> list[Change]:
        """The changes since the checkpoint."""


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


class Publisher:
    """Writes decisions about profiles in the words of one journey model, and of one set of churn parameters."""

    def __init__(self, plan: Plan) -> None:
        self.counters = Counters()
        self._plan = plan
        self._risk = None if plan.scorer is None else RiskPublisher(plan.scorer)
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

    def news(self, profile_id: str, head: Head, fresh: Sequence[Change], clock: int) -> list[Decision]:
        """Publish changes that come after all that is published."""
        last = fresh[-1]
        decisions: list[Decision] = [self._message("entered", profile_id, head, c, current=c is last) for c in fresh]
        decisions.append(self._view(profile_id, head, last, clock))
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
        decisions.append(self._view(name, head, last or _last_final(profile), clock))
        return decisions

    def risk_news(
        self, profile_id: str, head: Head, retracted: Sequence[RiskChange], entered: Sequence[RiskChange]
    ) -> list[Decision]:
        """Messages about churn risk, without a view: what no longer holds, newest first, and then what is new.

        The last of `entered`, if there is any, is where the customer is now only if `head.risk` says so.
        """
        risk, publisher = head.risk, self._risk
        decisions: list[Decision] = []
        if risk is None or publisher is None:
            return decisions
        state = unpack_state(risk.state)
        for change in reversed(retracted):
            risk.revision += 1
            decisions.append(publisher.message("retracted", profile_id, risk.revision, change, current=False))
        for change in entered:
            risk.revision += 1
            current = change is entered[-1] and (change.at, change.after) == (state.since, state.band)
            decisions.append(publisher.message("entered", profile_id, risk.revision, change, current=current))
        return decisions

    def view(self, profile: Subject, clock: int) -> ProfileChanged:
        """The current view when no change of stage is published with it."""
        head = profile.head
        last = profile.history()[head.published - 1] if head.published else _last_final(profile)
        return self._view(profile.id, head, last, clock)

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
            "timer" if silence and kind == "entered" else "touchpoint",
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

    def _view(self, profile_id: str, head: Head, last: Change | None, clock: int) -> ProfileChanged:
        rules = self._model.rules
        rule = None
        if last is not None and last.rule < len(rules):
            rule = rules[last.rule].id if last.rule >= 0 else self._model.inactivity[-1 - last.rule].id
        return ProfileChanged(
            profile_id=profile_id,
            revision=head.revision,
            stage=None if last is None else self._stages[last.after],
            entered_at=None if last is None else last.at,
            previous_stage=None if last is None or last.before < 0 else self._stages[last.before],
            rule=rule,
            last_touchpoint_at=head.last_at,
            updated_at=clock,
            overflow=head.overflow,
            model=self._model.name,
            model_version=self._model.version,
            risk=None if head.risk is None else self._current_risk(head.risk),
        )

    def _current_risk(self, risk: RiskHead) -> CurrentRisk | None:
        return None if self._risk is None else self._risk.current(unpack_state(risk.state), risk.revision)


def _last_final(profile: Subject) -> Change | None:
    checkpoint = profile.checkpoint()
    if checkpoint.stage < 0:
        return None
    return Change(checkpoint.entered_at, checkpoint.came_from, checkpoint.stage, checkpoint.rule, None, ())


def difference(before: Sequence[AnyChange], after: Sequence[AnyChange]) -> tuple[list[AnyChange], list[AnyChange]]:
    """What has to be retracted and entered to turn one history into the other, each oldest first.

    Changes of one instant stand or fall together: a subscriber orders them by revision, so they are told in one go.
    """
    if list(before) == list(after):
        return [], []
    old = {at: list(group) for at, group in groupby(before, key=attrgetter("at"))}
    new = {at: list(group) for at, group in groupby(after, key=attrgetter("at"))}
    retracted = [change for at, group in old.items() if new.get(at) != group for change in group]
    entered = [change for at, group in new.items() if old.get(at) != group for change in group]
    return retracted, entered
