"""What every part of the system may do on the brokers: the least with which it works.

The one place that says so: parts check it before they start, `journey-stream acls` prints it, docs/security.md has
it. Kafka counts Read and Write on a resource as Describe, too, so that stands here only where it is all that is needed.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from journey_stream.worker.config import Settings

SUBSCRIBER_GROUP: Final = "journey-subscriber"
LETTERS_PART: Final = "dead-letters"
"""What the transactional id of a replay of dead letters ends with."""


class Resource(StrEnum):
    """Kafka's kinds of resource, as far as rights on them are needed."""

    TOPIC = "Topic"
    GROUP = "Group"
    TRANSACTIONAL_ID = "TransactionalId"


class Operation(StrEnum):
    """Kafka's operations, as far as they are needed."""

    READ = "Read"
    WRITE = "Write"
    CREATE = "Create"
    DESCRIBE = "Describe"
    DESCRIBE_CONFIGS = "DescribeConfigs"


class Right(NamedTuple):
    """One operation on one resource, or with `is_prefix` on all whose names begin so."""

    operation: Operation
    resource: Resource
    name: str
    is_prefix: bool = False

    def __str__(self) -> str:
        return f"{self.operation} on {self.resource} {self.name}{'*' if self.is_prefix else ''}"


class Needs(NamedTuple):
    """What a part needs. Topics are named as in the settings: `sources`, `inputs` (sources and operations), `log` …

    `configs`: topics whose settings are looked at. `joins`: groups, as `router_group`; `asks`: groups of which only the
    offsets are read. `transactions`: what follows on the application id in the transactional ids, with `*` for any.
    """

    why: str
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    describe: tuple[str, ...] = ()
    configs: tuple[str, ...] = ()
    create: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    transactions: str = ""


_CHANGES = ("stage_changes", "churn_risk", "identity_changes")
_OUTPUTS = (*_CHANGES, "profiles")
_ALL = ("inputs", "log", "state", *_OUTPUTS, "replayed", "erasures", "dead_letters")
_ROUTER = Needs(
    "the sources into the log",
    read=("inputs", "erasures"),
    write=("log", "dead_letters"),
    configs=("inputs", "erasures", "log", "dead_letters"),
    joins=("router_group",),
)
_TASKS = Needs(
    "the log into state and outputs",
    read=("log", "state"),
    write=("log", "state", *_OUTPUTS, "erasures", "dead_letters"),
    configs=("log", "state", *_OUTPUTS, "erasures", "dead_letters"),
    joins=("tasks_group",),
    transactions="*",
)
_FOLLOWED = ("log", *_OUTPUTS, "dead_letters", "erasures")
_HELD = ("log", "state", *_OUTPUTS)
_LETTERS = Needs(
    "`dead-letters list` and `show`",
    read=("dead_letters", "replayed"),
    describe=("inputs",),
    configs=("inputs", "dead_letters", "replayed"),
)

COMPONENTS: Final[dict[str, Needs]] = {
    "worker": Needs(
        "`worker`, router and tasks in one process",
        read=(*_ROUTER.read, *_TASKS.read),
        write=(*_ROUTER.write, *_TASKS.write),
        configs=(*_ROUTER.configs, *_TASKS.configs),
        joins=(*_ROUTER.joins, *_TASKS.joins),
        transactions="*",
    ),
    "router": _ROUTER._replace(why="`worker --role router`: the sources into the log"),
    "tasks": _TASKS._replace(why="`worker --role tasks`: the log into state and outputs"),
    "serve": Needs("`serve`: the topics into the map's database", read=_FOLLOWED, configs=_FOLLOWED),
    "topics-create": Needs("`topics create`", create=_ALL, describe=_ALL),
    "topics-check": Needs("`topics check`", describe=_ALL, configs=_ALL),
    "replay": Needs("`replay`: history into the sources", write=("sources",), describe=("operations", "log")),
    "replay-as-of": Needs(
        "`replay --as-of`",
        write=("sources", "log"),
        describe=("operations",),
        asks=("router_group", "tasks_group"),
    ),
    "dead-letters": _LETTERS,
    "dead-letters-replay": _LETTERS._replace(
        why="`dead-letters replay`", describe=(), write=("inputs", "replayed"), transactions=LETTERS_PART
    ),
    "identity": Needs("`identity`", write=("operations",), describe=("sources", "log")),
    "explain": Needs("`explain`", read=_OUTPUTS),
    "export": Needs("`export`", read=_HELD, configs=_HELD),
    "erase": Needs(
        "`erase`",
        read=(*_HELD, "dead_letters", "operations", "erasures"),
        write=("operations",),
        describe=("sources",),
        configs=(*_HELD, "dead_letters", "operations"),
    ),
    "subscriber": Needs(
        f"a subscriber in the group {SUBSCRIBER_GROUP}, such as the Faust app", read=_OUTPUTS, joins=(SUBSCRIBER_GROUP,)
    ),
}


def rights_of(component: str, settings: Settings) -> list[Right]:
    """The rights that a component needs, by resource; each once. Raises KeyError for an unknown component."""
    needs = COMPONENTS[component]
    found: dict[Right, None] = {}
    for operation, names in (
        (Operation.CREATE, needs.create),
        (Operation.DESCRIBE, needs.describe),
        (Operation.READ, needs.read),
        (Operation.WRITE, needs.write),
        (Operation.DESCRIBE_CONFIGS, needs.configs),
    ):
        found |= {Right(operation, Resource.TOPIC, name): None for name in topics_named(names, settings)}
    for operation, groups in ((Operation.READ, needs.joins), (Operation.DESCRIBE, needs.asks)):
        found |= {Right(operation, Resource.GROUP, getattr(settings, name, name)): None for name in groups}
    if needs.transactions:
        ids, is_prefix = settings.transactional_id(needs.transactions.removesuffix("*")), "*" in needs.transactions
        found[Right(Operation.WRITE, Resource.TRANSACTIONAL_ID, ids, is_prefix)] = None
    order = [*Resource]
    return sorted(found, key=lambda right: (order.index(right.resource), right.name))


def checked_topics(component: str, settings: Settings) -> list[str]:
    """The topics whose settings a component looks at."""
    return topics_named(COMPONENTS[component].configs, settings)


def topics_named(names: Iterable[str], settings: Settings) -> list[str]:
    """The topics that names of `Needs` mean; each once."""
    found: dict[str, None] = {}
    for name in names:
        named = getattr(settings, name) if name in {"inputs", "sources"} else (getattr(settings.topics, name),)
        found |= dict.fromkeys(named)
    return list(found)


def kafka_acls(rights: Sequence[Right], principal: str) -> list[str]:
    """The commands that grant the rights, one for each resource."""
    options = {
        Resource.TOPIC: "--topic",
        Resource.GROUP: "--group",
        Resource.TRANSACTIONAL_ID: "--transactional-id",
    }
    return [
        f"kafka-acls.sh --bootstrap-server HOST:PORT --add --allow-principal {shlex.quote(principal)} "
        + " ".join(f"--operation {right.operation}" for right in same)
        + f" {options[same[0].resource]} {shlex.quote(same[0].name)}"
        + (" --resource-pattern-type prefixed" if same[0].is_prefix else "")
        for same in _by_resource(rights)
    ]


def strimzi_acls(rights: Sequence[Right]) -> dict[str, Any]:
    """What stands under `spec` of a Strimzi KafkaUser, as plain values."""
    kinds = {Resource.TOPIC: "topic", Resource.GROUP: "group", Resource.TRANSACTIONAL_ID: "transactionalId"}
    acls = [
        {
            "resource": {
                "type": kinds[same[0].resource],
                "name": same[0].name,
                "patternType": "prefix" if same[0].is_prefix else "literal",
            },
            "operations": [right.operation.value for right in same],
        }
        for same in _by_resource(rights)
    ]
    return {"authorization": {"type": "simple", "acls": acls}}


def rights_table(rights: Sequence[Right]) -> list[str]:
    """The rows of a table in Markdown, one for each resource."""
    rows = [
        f"| {same[0].resource} | `{same[0].name}{'*' if same[0].is_prefix else ''}` | "
        + ", ".join(right.operation for right in same)
        + " |"
        for same in _by_resource(rights)
    ]
    return ["| resource | name | operations |", "|---|---|---|", *rows]


def rights_overview(settings: Settings) -> list[str]:
    """The rows of a table in Markdown with all components, one row for each operation on a kind of resource."""
    rows = ["| part | operation | on |", "|---|---|---|"]
    for component in COMPONENTS:
        rights = sorted(rights_of(component, settings), key=lambda right: (right.resource, right.operation))
        for (resource, operation), same in groupby(rights, key=lambda right: (right.resource, right.operation)):
            names = ", ".join(f"`{right.name}{'*' if right.is_prefix else ''}`" for right in same)
            rows.append(f"| {component} | {operation} | {resource} {names} |")
    return rows


def _by_resource(rights: Sequence[Right]) -> list[list[Right]]:
    return [list(same) for _, same in groupby(rights, key=lambda right: right[1:])]
