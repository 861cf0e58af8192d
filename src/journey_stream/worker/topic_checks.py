"""What is wrong with a topic that exists: pure, from what it should be and what the broker says it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from journey_stream.journey.durations import format_duration
from journey_stream.worker.config import DAY_MS, Settings
from journey_stream.worker.topic_specs import (
    COMPACTED_SEGMENT_BYTES,
    ENVELOPE_BYTES,
    FOREVER,
    LONG_MAX,
    Role,
    TopicSpec,
)

HOUR_MS = DAY_MS // 24
SOURCE_RETENTION_MS_MIN = DAY_MS


@dataclass(frozen=True, slots=True)
class Problem:
    """`error`: a promise is broken, or nothing works. `warning`: it works until something else goes wrong."""

    topic: str
    severity: Literal["error", "warning"]
    wrong: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.topic} {self.wrong}. {self.remedy}"


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the broker describes it. `replicas` is the smallest number that a partition has."""

    name: str
    partitions: int
    replicas: int
    configs: dict[str, str] = field(default_factory=dict)

    def number(self, config: str) -> int:
        return int(self.configs[config])


def missing(spec: TopicSpec) -> Problem:
    return Problem(spec.name, "error", "does not exist", "Create it: journey-stream topics create.")


def problems_of(
    spec: TopicSpec, state: TopicState, settings: Settings, replicas: int, *, history: bool
) -> Iterator[Problem]:
    """Everything wrong with one topic, worst first."""
    alter = _Alter(settings.bootstrap_servers[0], spec.name)
    yield from _partitions(spec, state)
    yield from _cleanup(spec, state, alter)
    yield from _timestamps(spec, state, alter, history=history)
    if spec.role.compacted:
        yield from _compaction(state, alter)
    else:
        yield from _retention(spec, state, settings, alter, history=history)
    yield from _sizes(spec, state, alter)
    yield from _replication(spec, state, replicas, alter)


class _Alter:
    """The command that mends a property."""

    def __init__(self, server: str, topic: str) -> None:
        self._start = f"kafka-configs.sh --bootstrap-server {server} --alter --entity-type topics --entity-name {topic}"

    def __call__(self, name: str, value: str) -> str:
        return f"Mend it: {self._start} --add-config {name}={value}"


def _partitions(spec: TopicSpec, state: TopicState) -> Iterator[Problem]:
    # Producers may partition a source as they like, dead letters have no order to keep, and of the topic of what was
    # replayed only one partition is used.
    if spec.role in {Role.SOURCE, Role.DEAD_LETTERS, Role.REPLAYED} or state.partitions == spec.partitions:
        return
    if spec.role is Role.ERASURES:
        wrong = f"has {state.partitions} partitions and needs one: in any other, erasures are not looked for"
        yield Problem(spec.name, "error", wrong, "Make it anew before anybody is erased: journey-stream topics create.")
        return
    yield Problem(
        spec.name,
        "error",
        f"has {state.partitions} partitions, and the settings say {spec.partitions}",
        f"The number is fixed for the life of an application: set partitions: {state.partitions}, or start a new one "
        "with its own application_id and topic_prefix.",
    )


def _cleanup(spec: TopicSpec, state: TopicState, alter: _Alter) -> Iterator[Problem]:
    expected, found = spec.configs["cleanup.policy"], state.configs["cleanup.policy"]
    if {*found.split(",")} == {expected}:
        return
    lost = (
        "erased people come back with a replay"
        if spec.role is Role.ERASURES
        else "dead letters that were replayed before that are replayed again"
        if spec.role is Role.REPLAYED
        else "customers who have been quiet for longer than its retention are forgotten"
        if spec.role.compacted
        else "all but the last record of a key are lost"
    )
    remedy = alter("cleanup.policy", expected)
    yield Problem(spec.name, "error", f"has cleanup.policy={found} and needs {expected}: {lost}", remedy)


def _timestamps(spec: TopicSpec, state: TopicState, alter: _Alter, *, history: bool) -> Iterator[Problem]:
    kind = state.configs["message.timestamp.type"]
    if kind != "CreateTime" and (spec.role is Role.LOG or (spec.role is Role.SOURCE and history)):
        wrong = f"has message.timestamp.type={kind}: the time of a touchpoint's arrival is replaced by the broker's"
        yield Problem(spec.name, "error", wrong, alter("message.timestamp.type", "CreateTime"))
    oldest = state.configs.get("message.timestamp.before.max.ms", LONG_MAX)
    if history and oldest != LONG_MAX and not spec.role.compacted:
        wrong = f"refuses records older than {_spoken(int(oldest))}"
        yield Problem(spec.name, "error", wrong, alter("message.timestamp.before.max.ms", LONG_MAX))


def _compaction(state: TopicState, alter: _Alter) -> Iterator[Problem]:
    tombstones_ms = state.number("delete.retention.ms")
    if tombstones_ms < HOUR_MS:
        wrong = f"drops tombstones after {_spoken(tombstones_ms)}: a slower restore brings back what was deleted"
        yield Problem(state.name, "warning", wrong, alter("delete.retention.ms", str(DAY_MS)))
    segment_bytes = state.number("segment.bytes")
    if segment_bytes > 4 * COMPACTED_SEGMENT_BYTES:
        wrong = f"has segments of {segment_bytes >> 20} MiB, which are not compacted until full: restores are slow"
        yield Problem(state.name, "warning", wrong, alter("segment.bytes", str(COMPACTED_SEGMENT_BYTES)))


def _retention(
    spec: TopicSpec, state: TopicState, settings: Settings, alter: _Alter, *, history: bool
) -> Iterator[Problem]:
    found = state.number("retention.ms")
    needed = SOURCE_RETENTION_MS_MIN if spec.role is Role.SOURCE else settings.retention_ms
    if history and found >= 0:
        yield Problem(
            spec.name,
            "error" if spec.role in {Role.SOURCE, Role.LOG} else "warning",
            f"keeps records for {_spoken(found)} from their own timestamps: those of the past are deleted at once",
            alter("retention.ms", FOREVER),
        )
    elif 0 <= found < needed:
        late = {
            Role.SOURCE: "a router that is down for longer misses touchpoints",
            Role.LOG: "a task that is down for longer misses touchpoints",
        }.get(spec.role, "a subscriber that is away for longer misses records")
        wrong = f"keeps records for {_spoken(found)}, less than {_spoken(needed)}: {late}"
        yield Problem(spec.name, "warning", wrong, alter("retention.ms", str(needed)))
    if state.number("retention.bytes") >= 0:
        wrong = f"drops records beyond {state.number('retention.bytes')} bytes per partition, read or not"
        yield Problem(spec.name, "warning", wrong, alter("retention.bytes", FOREVER))


def _sizes(spec: TopicSpec, state: TopicState, alter: _Alter) -> Iterator[Problem]:
    found, needed = state.number("max.message.bytes"), int(spec.configs["max.message.bytes"])
    if spec.role is not Role.SOURCE and found < needed:
        wrong = f"takes records of {found} bytes, and the settings promise {needed}"
        yield Problem(spec.name, "error", wrong, alter("max.message.bytes", str(needed)))


def outgrown(source: TopicState, dead_letters: TopicState, settings: Settings) -> Iterator[Problem]:
    """A record that a source accepts must fit the dead letters with its envelope, or it could go nowhere."""
    needed = source.number("max.message.bytes") + ENVELOPE_BYTES
    if dead_letters.number("max.message.bytes") < needed:
        alter = _Alter(settings.bootstrap_servers[0], dead_letters.name)
        wrong = (
            f"takes {dead_letters.configs['max.message.bytes']} bytes, fewer than a record of {source.name} may have"
        )
        remedy = f"{alter('max.message.bytes', str(needed))}, and set dead_letter_bytes_max: {needed}"
        yield Problem(dead_letters.name, "error", wrong, remedy)


def _replication(spec: TopicSpec, state: TopicState, replicas: int, alter: _Alter) -> Iterator[Problem]:
    if spec.role is Role.SOURCE:
        return
    in_sync = state.number("min.insync.replicas")
    if in_sync > state.replicas:
        wrong = f"has {state.replicas} replica(s) and min.insync.replicas={in_sync}: nothing can be written"
        yield Problem(spec.name, "error", wrong, alter("min.insync.replicas", "1"))
    elif state.replicas < replicas:
        yield Problem(
            spec.name,
            "warning",
            f"has {state.replicas} replica(s) of each record and should have {replicas}: a lost broker loses data",
            "Move it with kafka-reassign-partitions.sh, or set replication_factor if that is meant.",
        )
    elif in_sync < int(spec.configs["min.insync.replicas"]):
        wrong = f"has min.insync.replicas={in_sync}: an acknowledged record can be lost with one broker"
        yield Problem(spec.name, "warning", wrong, alter("min.insync.replicas", spec.configs["min.insync.replicas"]))
    if state.configs.get("unclean.leader.election.enable") == "true":
        wrong = "has unclean.leader.election.enable=true: a broker that missed records may take over and lose them"
        yield Problem(spec.name, "warning", wrong, alter("unclean.leader.election.enable", "false"))


def _spoken(length_ms: int) -> str:
    return format_duration(length_ms)
