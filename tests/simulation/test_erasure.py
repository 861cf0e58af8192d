"""An erased person is as if they had never been, in whatever order things come and wherever tasks die.

Routers, the batch processor and the outbox are the real ones; what is simulated is the broker between them. Inputs are
of five customers, each with an e-mail address and a telephone of their own; some share a tablet.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

import pytest

from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition
from journey_stream.events.erasures import UNKEYED, Erasures, decode_erasure, is_whole
from journey_stream.events.log import encode_as_of
from journey_stream.events.times import DAY_MS, HOUR_MS
from journey_stream.journey.model import Identity
from journey_stream.worker.batch import Processor
from journey_stream.worker.config import Settings
from journey_stream.worker.outbox import Outbox
from journey_stream.worker.routing import Routed, Routing
from tests.support.cluster import Logged
from tests.support.journeys import START, tricky_model
from tests.support.risks import nervous_scorer

PARTITIONS = 3
LIMITS = Limits(lateness_ms=6 * DAY_MS, allowance_ms=DAY_MS)
SETTINGS = Settings(partitions=PARTITIONS, lateness_ms=LIMITS.lateness_ms, allowance_ms=LIMITS.allowance_ms)
TOPICS = SETTINGS.topics
MODEL = replace(tricky_model(), identity=Identity(look_back_ms=2 * DAY_MS))
SCORER = nervous_scorer()
DAYS, AS_OF = 25, START + 60 * DAY_MS
WITH_TABLET = ("c0", "c1", "c2")
OTHERS = ("c3", "c4")


class Input(NamedTuple):
    arrived_at: int
    value: bytes
    offset: int
    headers: tuple[tuple[str, bytes | None], ...] = ()
    key: bytes | None = None

    @property
    def timestamp(self) -> int:
        return self.arrived_at


class Town:
    """One application; `erasures` is what its topic of erasures holds, which may be there from the start."""

    def __init__(self, rng: Random, erasures: Erasures | None = None) -> None:
        self.rng = rng
        self.erasures = Erasures(UNKEYED) if erasures is None else erasures
        self.logs: list[list[Logged]] = [[] for _ in range(PARTITIONS)]
        self.topics: dict[str, list[tuple[bytes, bytes | None]]] = defaultdict(list)
        self.store: list[dict[bytes, bytes]] = [{} for _ in range(PARTITIONS)]
        self.position = [0] * PARTITIONS
        self.running: dict[int, Processor] = {}
        self.outboxes = [Outbox(SETTINGS, number) for number in range(PARTITIONS)]
        self.routing = Routing(SETTINGS, 1, MODEL.policy(), self.erasures)
        self.left_out = 0

    def run(self, inputs: list[Input], as_of: int = AS_OF) -> None:
        rng = self.rng
        for one in inputs:
            while self._somebody_waits(one.arrived_at - LIMITS.allowance_ms // 2):
                self._work(rng.randrange(PARTITIONS))
            self._route(one)
            if rng.random() < 0.5:
                self._work(rng.randrange(PARTITIONS))
        self._work_to_the_end()
        for number in range(PARTITIONS):
            self._append(number, None, encode_as_of(as_of), as_of)
        self._work_to_the_end()

    def state(self) -> dict[str, bytes]:
        return {
            profile: packed for number in range(PARTITIONS) for profile, packed in self._restored(number).canonical()
        }

    def views(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in self.topics[TOPICS.profiles]:
            view = None if value is None else json.loads(value)
            if view is not None:
                # When it was written, after which touchpoint, and how often it was corrected is a matter of the order
                # of arrival.
                del view["updated_at"], view["revision"], view["last_touchpoint_at"]
                if view["risk"] is not None:
                    del view["risk"]["revision"]
            found[key.decode()] = view
        return {profile: view for profile, view in found.items() if view is not None}

    def history(self, topic: str, name: str) -> dict[str, list[str]]:
        """The ids that stand, per profile, for a subscriber who begins anew after a null value."""
        found: dict[str, list[str]] = defaultdict(list)
        revisions: dict[str, int] = {}
        for key, value in self.topics[topic]:
            profile = key.decode()
            if value is None:
                found.pop(profile, None)
                revisions.pop(profile, None)
                continue
            message = json.loads(value)
            assert message["revision"] == revisions.get(profile, 0) + 1
            revisions[profile] = message["revision"]
            if message["kind"] == "entered":
                found[profile].append(message[name])
            else:
                found[profile].remove(message[name])
        return {profile: sorted(ids) for profile, ids in found.items() if ids}

    def outcome(self) -> tuple[Any, ...]:
        """All that must not depend on the order of things."""
        return (
            self.state(),
            self.views(),
            self.history(TOPICS.stage_changes, "change_id"),
            self.history(TOPICS.churn_risk, "risk_id"),
        )

    def _route(self, one: Input) -> None:
        routed = Routed.none()
        for _ in range(2 if self.rng.random() < 0.03 else 1):  # a router that died before its commit
            self.routing.route("touchpoints.web", 0, [one], AS_OF, routed)
        assert not routed.dead_letters, routed.dead_letters
        self.left_out += sum(routed.erased.values())
        for number, rows in routed.log.items():
            for key, value, _, timestamp in rows:
                assert value is not None
                assert timestamp is not None
                self._append(number, key, value, timestamp)

    def _append(self, number: int, key: bytes | None, value: bytes, timestamp: int) -> None:
        self.logs[number].append(Logged(key, value, timestamp, len(self.logs[number])))

    def _somebody_waits(self, since: int) -> bool:
        """Whether a record has waited in a log since then (ms): to lag further would be another fault."""
        at_hand = zip(self.logs, self.position, strict=True)
        return any(one.timestamp <= since for log, position in at_hand for one in log[position:])

    def _work_to_the_end(self) -> None:
        while waiting := [n for n in range(PARTITIONS) if self.position[n] < len(self.logs[n])]:
            self._work(self.rng.choice(waiting))

    def _work(self, number: int) -> None:
        rng = self.rng
        if number not in self.running:
            self.running[number] = Processor(self._restored(number), TOPICS.log, number, self.position[number])
        processor, at = self.running[number], self.position[number]
        batch = processor.process(self.logs[number][at : at + rng.randrange(1, 60)])
        if rng.random() < 0.05:
            del self.running[number]  # after computing, before committing: nothing of the batch remains
            return
        rows = self.outboxes[number].messages(batch)
        self.position[number] = batch.next_offset
        for (topic, to), messages in rows.items():
            for key, value, _, timestamp in messages:
                assert key is not None
                if topic == TOPICS.log:
                    assert value is not None
                    assert timestamp is not None
                    self._append(to, key, value, timestamp)
                elif topic == TOPICS.state:
                    self.store[number].pop(key, None)
                    if value is not None and not key.startswith(b"_"):
                        self.store[number][key] = value
                elif topic == TOPICS.erasures:
                    assert value is not None
                    self.erasures.add(bytes.fromhex(key.decode()), decode_erasure(value)[1])
                else:
                    self.topics[topic].append((key, value))

    def _restored(self, number: int) -> Partition:
        engine = Partition(MODEL, LIMITS, SCORER)
        for key, value in self.store[number].items():
            engine.restore(key, value)
        engine.restored()
        return engine


def said(rng: Random) -> tuple[str, ...]:
    """Whose identifiers a touchpoint carries: a customer's, and which of them."""
    who = rng.choice(("c0", "c0", "c1", "c2", *OTHERS))
    carried = [who] if rng.random() < 0.4 else []
    carried += [f"email:{who}@x.org"] if rng.random() < 0.4 else []
    carried += rng.choice([[f"device_id:{who}"], ["device_id:tablet"] if who in WITH_TABLET else []])
    return tuple(carried or [who])


def inputs_of(rng: Random, count: int, erased_at: int) -> list[Input]:
    """Touchpoints, some of them late and some of them twice, and the erasure of c0, in the order of arrival."""
    found: list[tuple[int, dict[str, Any]]] = []
    for number in range(count):
        at = START + rng.randrange(DAYS * DAY_MS)
        arrived_at = at + rng.choice([0, 0, rng.randrange(LIMITS.lateness_ms)])
        identifiers = dict([one.split(":") if ":" in one else ("customer_id", one) for one in said(rng)])
        type_ = rng.choice(["view", "view", "cart", "buy", "note"])
        fields = {"event_id": f"e{number:04}", "occurred_at": at, "channel": "web", "type": type_}
        document = {**fields, "identifiers": identifiers, "value": 60.0}
        found += [(arrived_at + again * HOUR_MS, document) for again in range(rng.choice([1, 1, 1, 2]))]
    operation = {"event_id": "erase", "occurred_at": erased_at, "channel": "identity", "type": "erase"}
    found.append((erased_at, {**operation, "identifiers": {"customer_id": "c0"}, "properties": {"why": "asked to"}}))
    found.sort(key=lambda one: one[0])
    return [Input(at, json.dumps(document).encode(), offset) for offset, (at, document) in enumerate(found)]


def without(inputs: list[Input], erasures: Erasures) -> list[Input]:
    """The inputs that are not erased, and without the erasure itself."""
    policy, kept = MODEL.policy(), []
    for one in inputs:
        document = json.loads(one.value)
        ids = policy.profile_ids_of(document["identifiers"])
        if document["type"] != "erase" and not erasures.drops(document["occurred_at"], ids[0], ids[1:]):
            kept.append(one)
    return kept


@pytest.mark.parametrize("seed", range(20))
def test_an_erased_person_is_as_if_they_had_never_been(seed: int) -> None:
    rng = Random(seed)
    # Of a shared device, links are known as far back as the holding time (18 days), and to the hour.
    erased_at = (START // HOUR_MS + rng.randrange(5 * 24, 18 * 24)) * HOUR_MS - 1
    inputs = inputs_of(rng, 250, erased_at)
    live = Town(Random(seed + 1))
    live.run(inputs)
    assert is_whole(live.erasures.of("c0"))

    never = Town(Random(seed + 2))
    never.run(without(inputs, live.erasures))
    assert live.outcome() == never.outcome()

    # The same application reads all inputs again, and so does another that is given the erasures.
    before = live.outcome()
    live.run(inputs)
    assert live.outcome() == before
    assert live.left_out > 0
    anew = Town(Random(seed + 3), live.erasures)
    anew.run(inputs)
    assert anew.outcome() == before


@pytest.mark.parametrize("seed", range(10))
def test_those_who_share_nothing_with_an_erased_person_do_not_notice(seed: int) -> None:
    rng = Random(seed)
    inputs = inputs_of(rng, 250, START + 15 * DAY_MS)
    with_it, without_it = Town(Random(seed + 1)), Town(Random(seed + 2))

    with_it.run(inputs)
    without_it.run([one for one in inputs if b'"erase"' not in one.value])

    ids = {one for who in OTHERS for one in (who, f"email:{who}@x.org", f"device_id:{who}")}
    for found, expected in zip(with_it.outcome(), without_it.outcome(), strict=True):
        assert {one: found.get(one) for one in ids} == {one: expected.get(one) for one in ids}
    assert with_it.state().keys() & {"c3", "c4"}


@pytest.mark.parametrize("seed", range(10))
def test_nothing_names_a_person_who_was_erased_after_all_was_said(seed: int) -> None:
    inputs = inputs_of(Random(seed), 250, START + (DAYS + 8) * DAY_MS)
    town = Town(Random(seed + 1))

    town.run(inputs)

    assert {profile.partition(":")[2] or profile for profile in town.state()}.isdisjoint({"c0", "c0@x.org"})
    for store in town.store:
        for key, value in store.items():
            assert b"c0" not in key
            assert b"c0" not in value or key[:1] == b"e", key
