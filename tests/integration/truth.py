"""What must come of touchpoints: one engine that sees all of them, in the order in which they happened."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition
from journey_stream.events.admission import Admitted, read_touchpoint
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
from journey_stream.events.identifiers import Policy
from journey_stream.events.log import (
    Attach,
    Deliver,
    Message,
    Record,
    Retract,
    Source,
    Tick,
    decode,
    encode_message,
    encode_touchpoint,
    links_of,
)
from journey_stream.events.operations import Operation
from journey_stream.events.wire import encode_identity_change, encode_profile
from journey_stream.journey.model import Model
from journey_stream.worker.murmur import partition_for
from tests.integration.journeys import Sent, net_ids, net_of, scorer
from tests.integration.people import decided_on

DRAINED_EVERY = 5_000

Told = tuple[str, str | None, str]
"""Kind, parent and instant of a message about identity."""


@dataclass
class Truth:
    """What must come out: per profile, but for `state_hashes`, which are per partition of the log.

    `views` are as journey.profiles carries them, `identities` as `known` gives them, `passed` as `PassedOn` counts.
    """

    net: dict[str, list[tuple[str, str | None, str]]]
    risks: dict[str, list[str]]
    views: dict[str, dict[str, Any]]
    identities: dict[str, set[Told]]
    passed: Counter[tuple[str, ...]]
    state_hashes: list[str]


class PassedOn:
    """What identifiers have said to one another: what was passed on and not taken back."""

    def __init__(self) -> None:
        self._count: Counter[tuple[str, ...]] = Counter()

    def add(self, message: Message) -> str | None:
        """Count a message that an engine has sent, and name its sender; None for one of a router."""
        if isinstance(message, Attach):
            # The last word counts: one who was unlinked before any link arrived is said to be gone without having come.
            self._count["attach", message.child, message.profile_id] = 0 if message.gone else 1
            return message.child
        if isinstance(message, (Deliver, Retract)):
            for one in message.touchpoints:
                self._count[message.via, message.profile_id, one.event_id] += 1 if isinstance(message, Deliver) else -1
            return message.via
        return None

    @property
    def net(self) -> Counter[tuple[str, ...]]:
        """(sender, receiver, event_id) to how often it was said and not taken back; ("attach", child, parent) to 1."""
        return Counter({said: times for said, times in self._count.items() if times})


def known(messages: Iterable[dict[str, Any]], but: set[str]) -> dict[str, set[Told]]:
    """What is known of identifiers in the end, from messages in the order of revision, but for some identifiers.

    That is as far as it does not depend on the order in which things became known: what was told before an identifier
    proved to be shared need not be told after that. (Neither need what was told before people said otherwise.)
    """
    last: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for message in messages:
        last[message["profile_id"]][message["identity_id"]] = message
    found = {}
    for profile, by_id in last.items():
        told = {(one["kind"], one["parent"], one["at"]) for one in by_id.values()}
        found[profile] = {one for one in told if one[0] == "shared"} or told
    return {profile: told for profile, told in found.items() if profile not in but}


def truth(sent: list[Sent], journey: Model, clocks: Sequence[int], limits: Limits) -> Truth:
    """The engine over touchpoints in the order of happening, ended at the clocks (ms) of the partitions of the log."""
    lone = _Lone(journey, limits)
    policy = journey.policy()
    logged = sorted([_logged(one, policy) for one in sent], key=lambda found: found[0])
    for _, arrived_at, written in logged:
        for profile_id, value in written:
            record = decode(profile_id.encode(), arrived_at, value)
            assert isinstance(record, Record), record
            lone.apply(record)
    return lone.finish(clocks, decided_on(sent))


def _logged(one: Sent, policy: Policy) -> tuple[int, int, list[tuple[str, bytes]]]:
    """When it happened and arrived, and what a router writes of it."""
    found = read_touchpoint(one.value, policy)
    if isinstance(found, Operation):
        return found.occurred_at, one.timestamp, [(found.profile_id, encode_message(found.message))]
    assert isinstance(found, Admitted), found
    touchpoint = encode_touchpoint(found, Source(one.topic, one.partition, 0), one.key)
    links = [(link.profile_id, encode_message(link)) for link in links_of(found)]
    return found.occurred_at, one.timestamp, [(found.profile_id, touchpoint), *links]


class _Lone:
    """An engine that has all identifiers, and what it has decided."""

    def __init__(self, journey: Model, limits: Limits) -> None:
        self._journey, self._limits = journey, limits
        self._engine = Partition(journey, limits, scorer())
        self._applied = 0
        self._changes: dict[str, list[dict[str, object]]] = defaultdict(list)
        self._risks: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._views: dict[str, dict[str, Any]] = {}
        self._identities: list[dict[str, Any]] = []
        self._passed = PassedOn()

    def apply(self, record: Record) -> None:
        """Apply a record, and all that identifiers say to one another because of it."""
        waiting = deque([record])
        while waiting:
            record = waiting.popleft()
            for decision in self._engine.apply(record):
                if isinstance(decision, Forward):
                    self._passed.add(decision.message)
                    assert not isinstance(record, Tick)
                    waiting.append(msgspec.structs.replace(decision.message, arrived_at=record.arrived_at))
                else:
                    self._note(decision)
        self._applied += 1
        if self._applied % DRAINED_EVERY == 0:
            self._engine.drain_state()

    def finish(self, clocks: Sequence[int], excepted: set[str]) -> Truth:
        """Let time go on in each partition of the log as far as it has come; `excepted` as for `known`."""
        self._engine.drain_state()
        assert self._engine.clock <= min(clocks), "a partition is behind what has arrived in another"
        engines = [Partition(self._journey, self._limits, scorer()) for _ in clocks]
        for key, value in self._engine.snapshot():
            if key[:1] == b"m":
                for engine in engines:
                    engine.restore(key, value)
            else:
                profile_id = key[1:] if key[:1] == b"h" else key[5:]
                engines[partition_for(profile_id, len(clocks))].restore(key, value)
        for engine, clock in zip(engines, clocks, strict=True):
            engine.restored()
            for decision in engine.apply(Tick(clock)):
                self._note(decision)
            engine.drain_state()
        net = {profile: net_of(found) for profile, found in self._changes.items()}
        risks = {profile: net_ids(found) for profile, found in self._risks.items()}
        return Truth(
            {profile: history for profile, history in net.items() if history},
            {profile: ids for profile, ids in risks.items() if ids},
            self._views,
            known(self._identities, excepted),
            self._passed.net,
            [engine.state_hash() for engine in engines],
        )

    def _note(self, decision: Decision) -> None:
        match decision:
            case StageChanged():
                self._changes[decision.profile_id].append(
                    {
                        "kind": decision.kind,
                        "change_id": decision.change_id,
                        "from_stage": decision.from_stage,
                        "to_stage": decision.to_stage,
                    }
                )
            case RiskChanged():
                self._risks[decision.profile_id].append((decision.kind, decision.risk_id))
            case ProfileChanged():
                self._views[decision.profile_id] = msgspec.json.decode(encode_profile(decision))
            case ProfileGone():
                self._views.pop(decision.profile_id, None)
            case IdentityChanged():
                self._identities.append(msgspec.json.decode(encode_identity_change(decision)))
            case Rejected() | Forward() | Erased():
                raise AssertionError(decision)
