"""A whole cluster in memory: source partitions, routers, journey.log, tasks, their changelog, and faults from a seed.

What is simulated is everything around the engine that may differ from run to run: which source and partition carries a
touchpoint, how sources interleave, where batches end, which worker has which task, what a dead router writes again, and
where a dead task starts over. Admission, the wire of the log and the batch processor are the real ones.

What tasks say to one another is appended to the logs when the batch that says it commits. A record waits at the most
for the allowance times the rank of the identifier that it speaks to: so long a message may have been under way.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from heapq import heappop, heappush
from random import Random
from typing import Any, NamedTuple

import msgspec

from journey_stream.churn.score import Scorer
from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition
from journey_stream.events.admission import Admitted, Found, read_touchpoint
from journey_stream.events.decisions import IdentityChanged, ProfileChanged, RiskChanged, StageChanged
from journey_stream.events.log import (
    Message,
    Source,
    TouchpointRecord,
    encode_as_of,
    encode_message,
    encode_touchpoint,
    links_of,
)
from journey_stream.events.operations import Operation
from journey_stream.events.times import DAY_MS, rfc3339
from journey_stream.journey.model import Model
from journey_stream.worker.batch import Batch, Processor
from journey_stream.worker.links import WrittenLinks
from journey_stream.worker.murmur import partition_for
from tests.support.identity_oracle import Said

SOURCES = {"touchpoints.web": 3, "touchpoints.email": 1, "touchpoints.store": 2, "touchpoints.crm": 4}

WORK_SHARE = 0.01
"""How often, per touchpoint, the tasks get to work, unless something else is said."""


class Logged(NamedTuple):
    """A record of journey.log, as a consumer hands it over."""

    key: bytes | None
    value: bytes
    timestamp: int
    offset: int
    headers: tuple[tuple[str, bytes], ...] = ()


class Sourced(NamedTuple):
    """A record of a source topic."""

    timestamp: int
    value: bytes


@dataclass
class Task:
    """What survives a task: its changelog, as compaction leaves it, its position and what it published."""

    store: dict[bytes, bytes] = field(default_factory=dict)
    next_offset: int = 0
    published: list[StageChanged] = field(default_factory=list)
    risks: list[RiskChanged] = field(default_factory=list)
    identities: list[IdentityChanged] = field(default_factory=list)
    views: dict[str, ProfileChanged | None] = field(default_factory=dict)
    dead_letters: Counter[str] = field(default_factory=Counter)
    shared: int = 0


class Cluster:
    """Runs touchpoints through `partitions` tasks on `workers` workers, with faults drawn from `rng`."""

    def __init__(
        self,
        model: Model,
        scorer: Scorer | None,
        limits: Limits,
        rng: Random,
        *,
        partitions: int,
        workers: int,
        work_share: float = WORK_SHARE,
    ) -> None:
        self.model, self.scorer, self.limits, self.rng, self.work_share = model, scorer, limits, rng, work_share
        self.logs: list[list[Logged]] = [[] for _ in range(partitions)]
        self.tasks = [Task() for _ in range(partitions)]
        self.owner = [rng.randrange(workers) for _ in range(partitions)]
        self.workers = workers
        self.running: dict[int, Processor] = {}
        self.restarts = 0
        self._policy = model.policy()
        self._links = WrittenLinks(limits)
        self._patience: list[tuple[int, int, int]] = []  # (latest clock, partition, offset) of what waits, a heap

    def run(self, touchpoints: Iterable[tuple[int, bytes]], as_of: int, *, fault_rate: float) -> None:
        """Feed (arrival in ms, value) pairs, in any order, and decide everything due until `as_of`."""
        for topic, partition, offset, record in self._interleaved(list(touchpoints)):
            while self._somebody_waits(record.timestamp):
                self._work(fault_rate)
            self._route(topic, partition, offset, record)
            if self.rng.random() < self.work_share:
                self._work(fault_rate)
        self._work_to_the_end(fault_rate)
        for number in range(len(self.logs)):
            self._append(number, None, as_of, encode_as_of(as_of))
        self._work_to_the_end(fault_rate)

    def published(self) -> list[StageChanged]:
        """All messages on journey.stage-changes, in order per partition."""
        return [change for task in self.tasks for change in task.published]

    def published_risks(self) -> list[RiskChanged]:
        """All messages on journey.churn-risk, in order per partition."""
        return [change for task in self.tasks for change in task.risks]

    def views(self) -> dict[str, ProfileChanged]:
        """What compaction leaves of journey.profiles."""
        return {profile: view for task in self.tasks for profile, view in task.views.items() if view is not None}

    def state_hash(self) -> str:
        """The canonical hash of all profiles, however they are spread over partitions."""
        states = [state for number in range(len(self.tasks)) for state in self._restored(number).engine.canonical()]
        return hash_of(sorted(states))

    def _interleaved(self, touchpoints: list[tuple[int, bytes]]) -> Iterator[tuple[str, int, int, Sourced]]:
        """Any interleaving of the source partitions in which none runs far ahead of another: half a day at the most."""
        rng, skew = self.rng, min(DAY_MS // 2, self.limits.allowance_ms)
        queues: dict[tuple[str, int], list[Sourced]] = {(t, p): [] for t, n in SOURCES.items() for p in range(n)}
        places = list(queues)
        for arrival, value in sorted(touchpoints):
            queues[rng.choice(places)].append(Sourced(arrival, value))
        heads = dict.fromkeys(queues, 0)
        open_ = {place for place, queue in queues.items() if queue}
        while open_:
            oldest = min(queues[place][heads[place]].timestamp for place in open_)
            may = sorted(p for p in open_ if queues[p][heads[p]].timestamp <= oldest + DAY_MS // 2)
            place = rng.choice(may)
            for _ in range(rng.randrange(1, 40)):
                head = heads[place]
                if queues[place][head].timestamp > oldest + skew:
                    break
                yield *place, head, queues[place][head]
                heads[place] += 1
                if heads[place] == len(queues[place]):
                    open_.discard(place)
                    break

    def _route(self, topic: str, partition: int, offset: int, record: Sourced) -> None:
        admitted = read_touchpoint(record.value, self._policy)
        if self.rng.random() < 0.01:
            # A router that dies after writing and before committing its position writes again, and has forgotten all.
            self._write(admitted, Source(topic, partition, offset), record.timestamp)
            self._links = WrittenLinks(self.limits)
        self._write(admitted, Source(topic, partition, offset), record.timestamp)

    def _write(self, admitted: Found, source: Source, timestamp: int) -> None:
        if isinstance(admitted, Operation):
            self._tell(admitted.message, timestamp)
            return
        assert isinstance(admitted, Admitted), admitted
        key = admitted.profile_id.encode()
        value = encode_touchpoint(admitted, source, None)
        self._append(partition_for(key, len(self.logs)), key, timestamp, value)
        for link in links_of(admitted):
            if self._links.is_new(link.profile_id, link.parent, link.at, timestamp):
                self._tell(link, timestamp)

    def _tell(self, message: Message, timestamp: int) -> None:
        key = message.profile_id.encode()
        self._append(partition_for(key, len(self.logs)), key, timestamp, encode_message(message))

    def _append(self, number: int, key: bytes | None, timestamp: int, value: bytes) -> None:
        log = self.logs[number]
        if key is not None and self.model.identity is not None:
            ranks = self.model.identity.ranks
            kind = key.decode().partition(":")[0]
            steps = len(ranks) - (ranks.index(kind) if kind in ranks else 0)
            heappush(self._patience, (timestamp + steps * self.limits.allowance_ms, number, len(log)))
        log.append(Logged(key, value, timestamp, len(log)))

    def _somebody_waits(self, clock: int) -> bool:
        """Whether the clock may not come to `clock` before something else is done."""
        waiting = self._patience
        while waiting and self.tasks[waiting[0][1]].next_offset > waiting[0][2]:
            heappop(waiting)
        return bool(waiting) and waiting[0][0] < clock

    def _work_to_the_end(self, fault_rate: float) -> None:
        while any(task.next_offset < len(log) for task, log in zip(self.tasks, self.logs, strict=True)):
            self._work(fault_rate)

    def _work(self, fault_rate: float) -> None:
        rng = self.rng
        for number, (task, log) in enumerate(zip(self.tasks, self.logs, strict=True)):
            if task.next_offset == len(log) or (self.model.identity is not None and rng.random() < 0.5):
                continue
            processor = self.running.get(number) or self._start(number)
            batch = processor.process(log[task.next_offset : task.next_offset + rng.randrange(1, 800)])
            if rng.random() < fault_rate:
                self._kill(self.owner[number])  # after computing, before committing: nothing of the batch remains
            else:
                self._commit(task, batch)

    def _commit(self, task: Task, batch: Batch) -> None:
        for key, value in batch.changelog:
            if value is None:
                task.store.pop(key, None)
            else:
                task.store[key] = value
        task.published += [caused.change for caused in batch.changes]
        task.risks += [caused.change for caused in batch.risks]
        task.identities += [caused.change for caused in batch.identities]
        task.views.update(batch.views)
        task.dead_letters.update(letter.reason.value for letter in batch.dead_letters)
        task.shared += batch.shared
        task.next_offset = batch.next_offset
        for message, cause in batch.forwards:
            self._tell(message, cause.timestamp)

    def _start(self, number: int) -> Processor:
        self.running[number] = self._restored(number)
        return self.running[number]

    def _restored(self, number: int) -> Processor:
        engine = Partition(self.model, self.limits, self.scorer)
        for key, value in self.tasks[number].store.items():
            engine.restore(key, value)
        engine.restored()
        return Processor(engine, "journey.log", number, self.tasks[number].next_offset)

    def _kill(self, worker: int) -> None:
        """The worker's tasks lose their memory; the others, and it itself when it is back, take them over."""
        self.restarts += 1
        for number, owner in enumerate(self.owner):
            if owner == worker:
                self.running.pop(number, None)
                self.owner[number] = self.rng.randrange(self.workers)


def hash_of(states: Sequence[tuple[str, bytes]]) -> str:
    """SHA-256 over canonical states of profiles."""
    digest = sha256()
    for profile_id, state in states:
        digest.update(msgspec.msgpack.encode([profile_id, state]))
    return digest.hexdigest()


def as_json(record: TouchpointRecord) -> bytes:
    """The touchpoint as a producer would send it."""
    body = {
        "event_id": record.event_id,
        "occurred_at": rfc3339(record.occurred_at),
        "channel": record.channel,
        "type": record.type,
        "customer_id": record.profile_id,
        "value": record.value,
    }
    return json.dumps(body).encode()


def said_as_json(said: Said) -> bytes:
    """What was said as a producer would send it."""
    body: dict[str, Any] = {
        "event_id": said.event_id,
        "occurred_at": rfc3339(said.at),
        "channel": said.channel,
        "type": said.type,
        "identifiers": dict(said.identifiers),
        "value": said.value,
    }
    if said.since is not None:
        body["properties"] = {"at" if said.type == "link" else "since": said.since}
    return json.dumps(body).encode()
