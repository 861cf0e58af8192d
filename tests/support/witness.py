"""Who watches the engine: a subscriber that believes nothing, and the truth that it must arrive at."""

from collections.abc import Iterable

from journey_stream.churn.score import Scorer
from journey_stream.engine.packing import winner_key
from journey_stream.engine.plan import Plan
from journey_stream.engine.predicates import facts_of
from journey_stream.engine.touches import Touch
from journey_stream.events.decisions import Decision, ProfileChanged, RiskChanged, StageChanged
from journey_stream.events.log import TouchpointRecord
from journey_stream.journey.model import Model
from tests.support.oracle import Entry, true_history
from tests.support.risk_oracle import RiskEntry, true_risks
from tests.support.risks import apply_risk, standing_risks


class Subscriber:
    """Keeps the history of each profile from the messages, and checks each message against it (AssertionError).

    `steady` means that the parameters of churn risk never change.
    """

    def __init__(self, *, steady: bool = True) -> None:
        self._entered: dict[str, dict[str, StageChanged]] = {}
        self._revisions: dict[str, int] = {}
        self._risks: dict[str, dict[str, RiskChanged]] = {}
        self._risk_revisions: dict[str, int] = {}
        self._steady = steady

    def hear(self, decisions: Iterable[Decision], *, scored: bool = True) -> list[ProfileChanged]:
        """Apply the messages of one record; returns the last view of each profile that they speak of.

        While churn risk is not `scored`, views say nothing of it.
        """
        spoken_of: dict[str, StageChanged] = {}
        risks: dict[str, RiskChanged] = {}
        views: dict[str, ProfileChanged] = {}
        for decision in decisions:
            if isinstance(decision, StageChanged):
                self._apply(decision)
                spoken_of[decision.profile_id] = decision
            elif isinstance(decision, RiskChanged):
                self._apply_risk(decision)
                risks[decision.profile_id] = decision
            elif isinstance(decision, ProfileChanged):
                views[decision.profile_id] = decision
        assert spoken_of.keys() | risks.keys() <= views.keys(), "a change without a view"
        for profile, last in spoken_of.items():
            self._check_current(last, self.changes(profile))
        for profile, risk in risks.items():
            known = self._known_risks(profile)
            assert risk.current is (bool(known) and known[-1] == risk), f"current means the newest of all: {risk}"
        for profile, view in views.items():
            self._check_view(view, self.changes(profile))
            self._check_risk(view, self._known_risks(profile) if scored else [])
        return list(views.values())

    def changes(self, profile: str) -> list[StageChanged]:
        """What holds of what was told, oldest first."""
        return sorted(self._entered.get(profile, {}).values(), key=lambda c: (c.entered_at, c.revision))

    def history(self, profile: str) -> list[Entry]:
        """The same, as the oracle writes it."""
        return [Entry(c.entered_at, c.from_stage, c.to_stage, c.rule, c.evidence) for c in self.changes(profile)]

    def risks(self, profile: str) -> list[RiskEntry]:
        """What holds of the changes of band that were told, as the oracle writes it."""
        return standing_risks(self._known_risks(profile))

    def check_chains(self) -> None:
        """Every stage is left for the next one, and no stay in a stage ends before it began; bands likewise."""
        for profile in self._risks:
            band = None
            for risk in self._known_risks(profile):
                assert risk.previous_band == band, f"the bands do not follow each other: {risk}"
                band = risk.band
        for profile in self._entered:
            stage = None
            for change in self.changes(profile):
                assert change.from_stage == stage, f"the stages do not follow each other: {change}"
                assert change.previous_entered_at is None or change.previous_entered_at <= change.entered_at, change
                stage = change.to_stage

    def _apply(self, change: StageChanged) -> None:
        profile = change.profile_id
        assert change.revision == self._revisions.get(profile, 0) + 1, f"a gap before {change}"
        self._revisions[profile] = change.revision
        entered = self._entered.setdefault(profile, {})
        if change.kind == "entered":
            assert change.change_id not in entered, f"entered twice: {change}"
            entered[change.change_id] = change
        else:
            assert not change.current, change
            assert entered.pop(change.change_id, None) is not None, f"retracted but never entered: {change}"

    def _apply_risk(self, change: RiskChanged) -> None:
        profile = change.profile_id
        assert change.revision == self._risk_revisions.get(profile, 0) + 1, f"a gap before {change}"
        self._risk_revisions[profile] = change.revision
        apply_risk(self._risks.setdefault(profile, {}), change)

    def _known_risks(self, profile: str) -> list[RiskChanged]:
        return sorted(self._risks.get(profile, {}).values(), key=lambda c: (c.entered_at, c.revision))

    def _check_risk(self, view: ProfileChanged, known: list[RiskChanged]) -> None:
        risk, last = view.risk, known[-1] if known else None
        told = None if last is None else (last.band, last.entered_at)
        assert (None if risk is None else (risk.band, risk.since)) == told, view
        if risk is not None and last is not None and self._steady:
            assert risk.probability == last.probability, view
        assert risk is None or risk.revision == self._risk_revisions[view.profile_id]

    def _check_current(self, last: StageChanged, changes: list[StageChanged]) -> None:
        newest = bool(changes) and changes[-1] == last
        assert last.current is newest, f"current means the newest of all: {last}"

    def _check_view(self, view: ProfileChanged, changes: list[StageChanged]) -> None:
        assert view.revision == self._revisions.get(view.profile_id, 0)
        seen = (view.stage, view.entered_at, view.previous_stage, view.rule)
        last = changes[-1] if changes else None
        told = (last.to_stage, last.entered_at, last.from_stage, last.rule) if last else (None, None, None, None)
        assert seen == told, f"the view is not what was told: {view}"


class Truth:
    """All that happened so far, and of several contents under one event_id the one that wins."""

    def __init__(self, model: Model, scorer: Scorer | None = None) -> None:
        self._model = model
        self._scorer = scorer
        self._plan = Plan(model, scorer)
        self._settle_ms = {stage.id: stage.settle_ms for stage in model.stages}
        self._winners: dict[tuple[str, str], TouchpointRecord] = {}

    def note(self, record: TouchpointRecord) -> None:
        name = record.profile_id, record.event_id
        held = self._winners.get(name)
        if held is None or self._rank(record) < self._rank(held):
            self._winners[name] = record

    def touchpoints(self) -> list[TouchpointRecord]:
        """In the order in which they happened."""
        return sorted(self._winners.values(), key=lambda record: (record.occurred_at, record.event_id))

    def last_at(self, profile: str) -> int:
        return max(record.occurred_at for record in self._winners.values() if record.profile_id == profile)

    def histories(self, as_of: int) -> dict[str, list[Entry]]:
        """What subscribers must have been told of each profile by that instant (ms)."""
        return {
            profile: self._settled(true_history(self._model, records, as_of), as_of)
            for profile, records in self._by_profile().items()
        }

    def risks(self, as_of: int) -> dict[str, list[RiskEntry]]:
        """The changes of band that subscribers must have been told of each profile by that instant (ms)."""
        if self._scorer is None:
            return {profile: [] for profile in self._by_profile()}
        return {profile: true_risks(self._scorer, records, as_of) for profile, records in self._by_profile().items()}

    def _by_profile(self) -> dict[str, list[TouchpointRecord]]:
        touchpoints: dict[str, list[TouchpointRecord]] = {}
        for record in self._winners.values():
            touchpoints.setdefault(record.profile_id, []).append(record)
        return touchpoints

    def _rank(self, record: TouchpointRecord) -> tuple[int, bytes]:
        facts = facts_of(record, self._plan.reaction(record.channel, record.type).fields)
        return winner_key(Touch(record.occurred_at, record.event_id, record.channel, record.type, facts))

    def _settled(self, history: list[Entry], as_of: int) -> list[Entry]:
        if not any(self._settle_ms.values()):
            return history  # also what a producer's fast clock puts into the future
        standing = [entry.at + self._settle_ms[entry.after] <= as_of for entry in history]
        return history[: [*standing, False].index(False)]
