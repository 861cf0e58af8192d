"""What the demo shows, as a fold over the messages of the output topics. No Kafka, no terminal, no clock."""

from collections import Counter, deque
from dataclasses import dataclass, field

from journey_stream.events.outputs import ChurnRiskChange, ProfileView, StageChange
from journey_stream.events.times import to_ms

LATEST_MAX = 50
EXAMPLE_CHANGES_MAX = 7
BANDS = ("low", "medium", "high", "critical")
TREND_SAMPLES = 52
"""The stretch of time on show is cut into so many parts; each keeps one sample per stage."""

Flow = tuple[str | None, str]
"""From one stage (None: a new customer) to another."""


@dataclass
class Board:
    """Instants in ms since the epoch. `stages` in the order of the journey model."""

    stages: tuple[str, ...]
    starts_at: int
    ends_at: int
    clock: int = 0
    customers: Counter[str] = field(default_factory=Counter)
    flows: Counter[Flow] = field(default_factory=Counter)
    latest: deque[StageChange] = field(default_factory=lambda: deque(maxlen=LATEST_MAX))
    entered: int = 0
    retracted: int = 0
    dead_letters: Counter[str] = field(default_factory=Counter)
    trend: dict[str, list[int]] = field(default_factory=dict)
    journeys: dict[str, list[StageChange]] = field(default_factory=dict)
    """Per profile its current history, oldest change first."""
    bands: Counter[str] = field(default_factory=Counter)
    """How many customers are in each band of churn risk."""
    segments: Counter[str] = field(default_factory=Counter)
    """How many customers are in each segment of the model."""
    latest_risks: deque[ChurnRiskChange] = field(default_factory=lambda: deque(maxlen=LATEST_MAX))
    rises: int = 0
    falls: int = 0
    risks: dict[str, list[ChurnRiskChange]] = field(default_factory=dict)
    """Per profile the current history of its churn risk, oldest change first."""
    _band_of: dict[str, str] = field(default_factory=dict)
    _stage_of: dict[str, str | None] = field(default_factory=dict)
    _segment_of: dict[str, str | None] = field(default_factory=dict)

    def stage_changed(self, change: StageChange) -> None:
        """Apply one message of journey.stage-changes."""
        flow = change.from_stage, change.to_stage
        journey = self.journeys.setdefault(change.profile_id, [])
        if change.kind == "entered":
            self.entered += 1
            self.flows[flow] += 1
            self.latest.append(change)
            journey.append(change)
        else:
            self.retracted += 1
            self.flows[flow] -= 1
            # A correction retracts newest first, so what is retracted is at the end.
            if journey and journey[-1].change_id == change.change_id:
                journey.pop()

    def risk_changed(self, change: ChurnRiskChange) -> None:
        """Apply one message of journey.churn-risk."""
        history = self.risks.setdefault(change.profile_id, [])
        if change.kind == "retracted":
            if history and history[-1].risk_id == change.risk_id:
                history.pop()
            return
        history.append(change)
        if change.previous_band is not None:
            rising = BANDS.index(change.band) > BANDS.index(change.previous_band)
            self.rises += rising
            self.falls += not rising
            self.latest_risks.append(change)

    def profile_changed(self, view: ProfileView) -> None:
        """Apply one message of journey.profiles."""
        if view.risk is not None:
            self.bands[self._band_of.get(view.profile_id, view.risk.band)] -= view.profile_id in self._band_of
            self.bands[view.risk.band] += 1
            self._band_of[view.profile_id] = view.risk.band
        segment = self._segment_of.get(view.profile_id)
        if segment is not None:
            self.segments[segment] -= 1
        if view.segment is not None:
            self.segments[view.segment] += 1
        self._segment_of[view.profile_id] = view.segment
        before = self._stage_of.get(view.profile_id)
        if before != view.stage:
            self._stage_of[view.profile_id] = view.stage
            if before is not None:
                self.customers[before] -= 1
            if view.stage is not None:
                self.customers[view.stage] += 1
        self._move_clock(to_ms(view.updated_at))

    def dead_letter(self, reason: str) -> None:
        """Count one message of journey.dead-letters."""
        self.dead_letters[reason] += 1

    @property
    def fraction(self) -> float:
        """How much of the stretch of time on show is over, from 0 to 1."""
        whole = max(1, self.ends_at - self.starts_at)
        return min(1.0, max(0.0, (self.clock - self.starts_at) / whole))

    def example(self) -> list[StageChange]:
        """The journey that says most in few lines: many different stages, then few changes, then the name."""
        short = [journey for journey in self.journeys.values() if 1 <= len(journey) <= EXAMPLE_CHANGES_MAX]
        return min(
            short,
            key=lambda journey: (-len({c.to_stage for c in journey}), len(journey), journey[0].profile_id),
            default=[],
        )

    def risk_example(self) -> list[ChurnRiskChange]:
        """The churn risk of somebody for whom it rose high, for good reasons, and fell again, in few lines."""
        short = [history for history in self.risks.values() if 3 <= len(history) <= EXAMPLE_CHANGES_MAX]
        return min(
            short,
            key=lambda history: (-len({c.band for c in history}), history[-1].band != "low", history[0].profile_id),
            default=[],
        )

    @property
    def profiles(self) -> int:
        """Customers seen so far, in a stage or in none."""
        return len(self._stage_of)

    def _move_clock(self, at: int) -> None:
        if at <= self.clock:
            return
        self.clock = at
        part = int(self.fraction * (TREND_SAMPLES - 1))
        for stage in self.stages:
            samples = self.trend.setdefault(stage, [])
            # Parts without a message keep the last known number.
            samples.extend([samples[-1] if samples else 0] * (part + 1 - len(samples)))
            samples[part] = self.customers[stage]
