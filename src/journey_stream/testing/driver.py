"""A journey without a broker: touchpoints in, changes of stage and of churn risk out, time moved by hand.

A touchpoint goes the way it goes in production: admission, the wire format of the log and back, the engine, the wire
format of the outputs and back. Only Kafka is missing.

    driver = JourneyDriver(model="six-stages")
    driver.touchpoint({"channel": "web", "type": "product_view", "customer_id": "c42"})
    driver.touchpoint({"channel": "store", "type": "purchase", "customer_id": "c42"})
    assert driver.profile("c42").stage == "purchase"
    driver.advance(days=100)
    assert driver.stage_changes[-1].because.rule == "customer-gone-quiet"
    assert driver.risk_changes[-1].band == "critical"
    assert driver.profile("c42").segment == "at-risk"
"""

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from journey_stream.churn.load import NONE, SHIPPED, find_scorer
from journey_stream.churn.parameters import Parameters
from journey_stream.churn.score import Scorer
from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition
from journey_stream.events.admission import Refused, read_touchpoint
from journey_stream.events.log import Source, encode_message, encode_tick, encode_touchpoint, links_of
from journey_stream.events.operations import Operation
from journey_stream.events.outputs import ChurnRiskChange, IdentityChange, ProfileView, StageChange
from journey_stream.events.times import from_ms
from journey_stream.events.wire import encode_identity_change, encode_profile, encode_risk_change, encode_stage_change
from journey_stream.journey.load import PRESETS, load_model, preset
from journey_stream.journey.model import Model
from journey_stream.subscribe.history import RiskHistory, StageHistory
from journey_stream.testing.instants import Instant, instant_ms
from journey_stream.worker.batch import Batch, Processor
from journey_stream.worker.dead_letters import DeadLetter, Header

LOG = "journey.log"
START = "2026-01-01T00:00:00Z"


class JourneyDriver:
    """Runs one journey model in memory. Nothing happens but by a call; two runs of one test are the same.

    `model` is a preset's name, the path of a model file, or a Model. `churn` is the name of churn parameters, the path
    of a file with some, Parameters, or None for a journey without churn risk. `start` is what the clock shows at first.
    Raises ModelError for a model or parameters that cannot be used.
    """

    def __init__(
        self,
        model: str | Path | Model = "six-stages",
        *,
        churn: str | Path | Parameters | None = SHIPPED[0],
        start: Instant = START,
        limits: Limits | None = None,
    ) -> None:
        self.model = _model(model)
        self._policy = self.model.policy()
        self._processor = Processor(Partition(self.model, limits, _scorer(churn)), LOG, 0)
        self._now = instant_ms(start)
        self._offsets: dict[str, int] = {}
        self._stage_changes: list[StageChange] = []
        self._risk_changes: list[ChurnRiskChange] = []
        self._identity_changes: list[IdentityChange] = []
        self._profiles: dict[str, ProfileView] = {}
        self._dead_letters: list[DeadLetter] = []
        self._read = 0
        self._made_up = 0

    @property
    def now(self) -> datetime:
        """What the clock shows, in UTC."""
        return from_ms(self._now)

    @property
    def stage_changes(self) -> Sequence[StageChange]:
        """Every message of journey.stage-changes so far, in the order of publication."""
        return tuple(self._stage_changes)

    @property
    def risk_changes(self) -> Sequence[ChurnRiskChange]:
        """Every message of journey.churn-risk so far, in the order of publication."""
        return tuple(self._risk_changes)

    @property
    def identity_changes(self) -> Sequence[IdentityChange]:
        """Every message of journey.identity-changes so far, in the order of publication."""
        return tuple(self._identity_changes)

    @property
    def dead_letters(self) -> Sequence[DeadLetter]:
        """Every message of journey.dead-letters so far."""
        return tuple(self._dead_letters)

    def read_new(self) -> list[StageChange]:
        """The stage changes since the last call of this method, as a subscriber would receive them next."""
        new = self._stage_changes[self._read :]
        self._read = len(self._stage_changes)
        return new

    def profile(self, profile_id: str) -> ProfileView:
        """The current view of a profile. Raises KeyError if none was published, or if the profile is gone."""
        return self._profiles[profile_id]

    def history(self, profile_id: str) -> list[StageChange]:
        """The changes of a profile that stand, retracted ones left out, oldest first."""
        messages = (change for change in self._stage_changes if change.profile_id == profile_id)
        return StageHistory(messages).changes

    def risk_history(self, profile_id: str) -> list[ChurnRiskChange]:
        """The changes of churn risk of a profile that stand, retracted ones left out, oldest first."""
        return RiskHistory(change for change in self._risk_changes if change.profile_id == profile_id).changes

    def touchpoint(self, fields: Mapping[str, Any], *, topic: str | None = None) -> list[StageChange]:
        """Send a touchpoint; returns the stage changes that it caused.

        Unless given, `event_id` is made up, rising so that touchpoints of one instant count in the order in which they
        were sent, and `occurred_at` is now. A touchpoint that occurred before now is late and arrives now; one that
        occurs later arrives then, and the clock moves there. Raises ValueError for a touchpoint that the router would
        refuse: in a test that is a slip. To test what becomes of bad input, use `pipe`.
        """
        self._made_up += 1
        fields = {"event_id": f"t{self._made_up:06}", "occurred_at": self.now, **fields}
        value = msgspec.json.encode(fields)
        match read_touchpoint(value, self._policy):
            case Refused(reason, detail):
                raise ValueError(f"{reason}: {detail}")
            case found:
                source = topic or f"touchpoints.{fields.get('channel')}"
                return self.pipe(source, value, max(self._now, found.occurred_at))

    def pipe(
        self,
        topic: str,
        value: bytes | None,
        timestamp: Instant | None = None,
        *,
        key: bytes | None = None,
        headers: Sequence[Header] = (),
    ) -> list[StageChange]:
        """Send raw bytes as a source topic carries them; returns the stage changes that they caused.

        `timestamp` is the record's Kafka timestamp and so when it arrived, by default now. The clock never goes back.
        """
        offset = self._offsets[topic] = self._offsets.get(topic, -1) + 1
        source = Source(topic, 0, offset)
        arrived_at = self._now if timestamp is None else instant_ms(timestamp)
        self._now = max(self._now, arrived_at)
        found = read_touchpoint(value, self._policy)
        if isinstance(found, Refused):
            letter = DeadLetter(found.reason, found.detail, "router", source, arrived_at, key, value, tuple(headers))
            self._dead_letters.append(letter)
            return []
        owner, passed_on = found.profile_id.encode(), tuple(headers)
        if isinstance(found, Operation):
            return self._apply(owner, encode_message(found.message), arrived_at, passed_on)
        new = self._apply(owner, encode_touchpoint(found, source, key), arrived_at, passed_on)
        for link in links_of(found):
            new += self._apply(link.profile_id.encode(), encode_message(link), arrived_at, passed_on)
        return new

    def advance(self, **lengths: float) -> list[StageChange]:
        """Let time pass in silence: `advance(days=31)`, `advance(hours=1, minutes=30)`; see `timedelta`."""
        return self.advance_to(self._now + timedelta(**lengths) // timedelta(milliseconds=1))

    def advance_to(self, instant: Instant) -> list[StageChange]:
        """Let time pass in silence until `instant`; returns the stage changes that became due, in their order.

        Raises ValueError for an instant before now.
        """
        until = instant_ms(instant)
        if until < self._now:
            raise ValueError(f"it is {self.now.isoformat()} already; time does not go back to {instant}")
        new: list[StageChange] = []
        # As a worker does while the log is quiet: a tick whenever something is due.
        while (due := self._processor.engine.next_timer()) is not None and due < until:
            new += self._apply(None, encode_tick(due), due)
        self._now = until
        return new + self._apply(None, encode_tick(until), until)

    def _apply(
        self, key: bytes | None, value: bytes, timestamp: int, headers: tuple[Header, ...] = ()
    ) -> list[StageChange]:
        """Apply a record of the log, and all that identifiers say to one another because of it."""
        waiting, new = deque([(key, value)]), list[StageChange]()
        while waiting:
            key, value = waiting.popleft()
            record = _LogRecord(key, value, timestamp, self._processor.next_offset, headers)
            batch = self._processor.process([record])
            waiting += [(one.message.profile_id.encode(), encode_message(one.message)) for one in batch.forwards]
            new += self._publish(batch)
        return new

    def _publish(self, batch: Batch) -> list[StageChange]:
        new = [StageChange.model_validate_json(encode_stage_change(caused.change)) for caused in batch.changes]
        self._stage_changes += new
        self._risk_changes += [
            ChurnRiskChange.model_validate_json(encode_risk_change(caused.change)) for caused in batch.risks
        ]
        self._identity_changes += [
            IdentityChange.model_validate_json(encode_identity_change(caused.change)) for caused in batch.identities
        ]
        for profile_id, view in batch.views.items():
            if view is None:
                self._profiles.pop(profile_id, None)
            else:
                self._profiles[profile_id] = ProfileView.model_validate_json(encode_profile(view))
        self._dead_letters += batch.dead_letters
        return new


class _LogRecord(NamedTuple):
    key: bytes | None
    value: bytes
    timestamp: int
    offset: int
    headers: tuple[Header, ...]


def _model(model: str | Path | Model) -> Model:
    if isinstance(model, Model):
        return model
    return preset(model) if isinstance(model, str) and model in PRESETS else load_model(model)


def _scorer(churn: str | Path | Parameters | None) -> Scorer | None:
    return Scorer(churn) if isinstance(churn, Parameters) else find_scorer(NONE if churn is None else str(churn))
