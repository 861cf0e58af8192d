"""The way of a touchpoint through router, task and projection within one process, where Kafka is not the question."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from journey_stream.churn.load import find_scorer
from journey_stream.engine.partition import Partition
from journey_stream.events.admission import Refused, read_touchpoint
from journey_stream.events.decisions import (
    Decision,
    Erased,
    Forward,
    IdentityChanged,
    ProfileChanged,
    ProfileGone,
    Rejected,
    RiskChanged,
    StageChanged,
)
from journey_stream.events.erasures import ErasureKey, Erasures
from journey_stream.events.log import Source, decode, encode_as_of, encode_message, encode_touchpoint, links_of
from journey_stream.events.operations import Operation
from journey_stream.events.reasons import Reason
from journey_stream.events.wire import encode_identity_change, encode_profile, encode_risk_change, encode_stage_change
from journey_stream.journey.load import preset
from journey_stream.journey.model import Model
from journey_stream.serve.projection.gathering import Gathering
from journey_stream.serve.store.store import Store
from journey_stream.serve.store.writer import Writer
from journey_stream.worker.config import Settings
from journey_stream.worker.dead_letters import DeadLetter, dead_letter_headers
from tests.support.map_shop import Arrival

Header = tuple[str, bytes | None]


class _Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    timestamp: int
    offset: int
    headers: Sequence[Header] = ()


class Feed:
    """Takes touchpoints in the order of their arrival and writes what they bring about into a store, batch by batch."""

    def __init__(
        self,
        store: Store,
        committed: Callable[[int, set[str] | None], None] = lambda *_: None,
        model: str = "six-stages",
    ) -> None:
        self.model: Model = preset(model)
        self.now = 0
        self.committed = committed
        self._partition = Partition(self.model, None, find_scorer("completejourney"))
        self._policy = self.model.policy()
        self._topics = Settings().topics
        erasures = Erasures(ErasureKey(b"shop"))
        self._gathering = Gathering(self._topics, erasures)
        self._writer = Writer(store.session(), erasures)
        self._offsets = defaultdict(int, {topic: offset for (topic, _), offset in self._writer.offsets.items()})

    @property
    def version(self) -> int:
        """Of the store; 0 before the first batch."""
        return self._writer.version

    def write(self, arrivals: Iterable[Arrival], *, until: int | None = None) -> int:
        """One batch, as of `until` (ms) or the last arrival; returns its version."""
        for arrival in arrivals:
            self._take(arrival)
        self.now = max(self.now, until or 0)
        self._apply(None, encode_as_of(self.now), None, b"")
        self._partition.drain_state()
        written = self._writer.write(self._gathering.take())
        self.committed(written.version, written.profiles)
        return written.version

    def _take(self, arrival: Arrival) -> None:
        self.now = max(self.now, arrival.at)
        source = Source("touchpoints", 0, self._offsets[self._topics.log])
        found = read_touchpoint(arrival.value, self._policy)
        if isinstance(found, Refused):
            self._refuse("router", source, arrival.value, found.reason, found.detail)
            return
        assert not isinstance(found, Operation)
        self._apply(found.profile_id.encode(), encode_touchpoint(found, source, None), source, arrival.value)
        for link in links_of(found):
            self._apply(link.profile_id.encode(), encode_message(link), source, arrival.value)

    def _apply(self, key: bytes | None, value: bytes, source: Source | None, original: bytes) -> None:
        waiting = deque([(key, value)])
        while waiting:
            key, value = waiting.popleft()
            self._add(self._topics.log, key, value)
            for decision in self._partition.apply(decode(key, self.now, value)):
                if isinstance(decision, Forward):
                    waiting.append((decision.message.profile_id.encode(), encode_message(decision.message)))
                else:
                    self._publish(decision, source, original)

    def _publish(self, decision: Decision, source: Source | None, original: bytes) -> None:
        topics = self._topics
        match decision:
            case StageChanged():
                self._add(topics.stage_changes, decision.profile_id.encode(), encode_stage_change(decision))
            case RiskChanged():
                self._add(topics.churn_risk, decision.profile_id.encode(), encode_risk_change(decision))
            case IdentityChanged():
                self._add(topics.identity_changes, decision.profile_id.encode(), encode_identity_change(decision))
            case ProfileChanged():
                self._add(topics.profiles, decision.profile_id.encode(), encode_profile(decision))
            case ProfileGone() | Erased(is_whole=True):
                self._add(topics.profiles, decision.profile_id.encode(), None)
            case Rejected() if source is not None:
                dead = original if decision.displaced is None else decision.displaced
                self._refuse("task", source, dead, decision.reason, decision.detail)

    def _refuse(self, stage: str, source: Source, value: bytes, reason: Reason, detail: str) -> None:
        letter = DeadLetter(reason, detail, stage, source, self.now, None, value)
        self._add(self._topics.dead_letters, None, value, dead_letter_headers(letter))

    def _add(self, topic: str, key: bytes | None, value: bytes | None, headers: Sequence[Header] = ()) -> None:
        offset = self._offsets[topic]
        self._offsets[topic] = offset + 1
        self._gathering.add(topic, 0, [_Record(key, value, self.now, offset, headers)])
        self._gathering.passed(topic, 0, offset + 1)
