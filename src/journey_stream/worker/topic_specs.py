"""How every topic has to be, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from journey_stream.worker.config import DAY_MS, Settings

FOREVER = "-1"
LONG_MAX = str(2**63 - 1)
REPLICAS_USUAL = 3

# Room for what is around a record: its key, headers, batch header, and for a dead letter the reason and position.
ENVELOPE_BYTES = 65_536

# Only closed segments are compacted. With the usual gigabyte a restore would read through as much per partition, most
# of it long overwritten; below a few ten megabytes the number of open files grows instead.
COMPACTED_SEGMENT_BYTES = 64 * 1024 * 1024


class Role(StrEnum):
    """What a topic is for. Everything but `SOURCE` is written by journey-stream alone."""

    SOURCE = "source"
    LOG = "log"
    STATE = "state"
    EVENTS = "events"
    VIEW = "view"
    REPLAYED = "replayed"
    ERASURES = "erasures"
    DEAD_LETTERS = "dead letters"

    @property
    def compacted(self) -> bool:
        return self in {Role.STATE, Role.VIEW, Role.REPLAYED, Role.ERASURES}


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic as it has to be. `configs` are Kafka topic properties."""

    name: str
    role: Role
    partitions: int
    configs: dict[str, str] = field(default_factory=dict)


def topic_specs(settings: Settings, replicas: int, *, history: bool) -> list[TopicSpec]:
    """Sources first, then ours in the order in which a record passes them.

    `history` is for topics that a replay of the past will write. Kafka counts retention from a record's own timestamp,
    and a replay carries the timestamps of then, because they are the log's clock: under any time retention the broker
    deletes a record of last year within minutes of its arrival, often before it was read. So these topics keep
    everything, and whoever made them deletes them. Live topics get a finite retention: nobody restores from the log
    (state has its own changelog), and what is personal should not be kept without end.
    """
    names = settings.topics
    sources = [(name, Role.SOURCE) for name in settings.inputs]
    ours = [
        (names.log, Role.LOG),
        (names.state, Role.STATE),
        (names.stage_changes, Role.EVENTS),
        (names.churn_risk, Role.EVENTS),
        (names.identity_changes, Role.EVENTS),
        (names.profiles, Role.VIEW),
        (names.replayed, Role.REPLAYED),
        (names.erasures, Role.ERASURES),
        (names.dead_letters, Role.DEAD_LETTERS),
    ]
    return [
        TopicSpec(
            name,
            role,
            1 if role in {Role.REPLAYED, Role.ERASURES} else settings.partitions,
            _configs(role, settings, replicas, history=history),
        )
        for name, role in [*sources, *ours]
    ]


def _configs(role: Role, settings: Settings, replicas: int, *, history: bool) -> dict[str, str]:
    record_bytes = settings.dead_letter_bytes_max if role is Role.DEAD_LETTERS else settings.record_bytes_max
    shared = {
        # The log's timestamps are the clock of the engine: the broker must not replace them by its own time.
        "message.timestamp.type": "CreateTime",
        "max.message.bytes": str(record_bytes if role is Role.SOURCE else record_bytes + ENVELOPE_BYTES),
        # An acknowledged write outlives the loss of a broker only if a second one has it.
        "min.insync.replicas": "2" if replicas >= REPLICAS_USUAL else "1",
        "unclean.leader.election.enable": "false",
        "compression.type": "producer",
    }
    if history:
        shared["message.timestamp.before.max.ms"] = LONG_MAX
    return shared | (_compacted(history=history) if role.compacted else _kept(settings, history=history))


def _compacted(*, history: bool) -> dict[str, str]:
    """The latest record per key, for ever: retention by time would forget every customer who has been quiet for long.

    Tombstones stay for a day so that a slow restore still meets them; so do the markers of transactions. Half of a
    partition may be outdated before Kafka compacts by default; a quarter makes a restore shorter for little work. A
    week bounds how long something erased may physically lie in a closed segment. That bound is measured by record
    timestamps, so on those of the past it would have the cleaner rewrite everything, all the time: left out there.
    """
    configs = {
        "cleanup.policy": "compact",
        "segment.bytes": str(COMPACTED_SEGMENT_BYTES),
        "min.cleanable.dirty.ratio": "0.25",
        "delete.retention.ms": str(DAY_MS),
    }
    return configs if history else configs | {"max.compaction.lag.ms": str(7 * DAY_MS)}


def _kept(settings: Settings, *, history: bool) -> dict[str, str]:
    return {
        "cleanup.policy": "delete",
        "retention.ms": FOREVER if history else str(settings.retention_ms),
        "retention.bytes": FOREVER,
    }
