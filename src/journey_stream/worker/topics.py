"""Creates the topics that a journey needs, and says what is wrong with those that exist.

aiokafka's admin client leaves some things to its caller, and this module sees to them: it never raises what the broker
answers per topic; a description of topics by name lets the broker create them, so all are listed instead; why a
connection failed is only logged; and a topic is not yet everywhere when its creation is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.conn import create_conn
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidReplicationFactorError,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    RequestTimedOutError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    for_code,
)

from journey_stream.worker.broker_errors import BrokerUnreachable, PermissionMissing, TopicsRefused, TopicsUnusable
from journey_stream.worker.config import Settings
from journey_stream.worker.topic_checks import Problem, TopicState, missing, outgrown, problems_of
from journey_stream.worker.topic_specs import REPLICAS_USUAL, Role, TopicSpec, topic_specs

__all__ = ["Problem", "TopicState", "broker_admin", "check_topics", "create_topics", "require_topics", "topic_states"]

REQUEST_SECONDS_MAX = 10.0
CREATE_SECONDS_MAX = 60.0
POLL_SECONDS = 0.1

_FORBIDDEN = (TopicAuthorizationFailedError, ClusterAuthorizationFailedError)


async def create_topics(settings: Settings, *, history: bool = False) -> list[str]:
    """Create those that do not exist, leave the others as they are, and return the names of the new ones.

    `history` is for a replay of the past (see `topic_specs`). Returns when every partition has a leader.
    Raises BrokerUnreachable, PermissionMissing or TopicsRefused.
    """
    deadline = time.monotonic() + CREATE_SECONDS_MAX
    async with broker_admin(settings) as admin:
        existing = await _described(admin)
        replicas = await _replicas(admin, settings)
        wanted = [spec for spec in topic_specs(settings, replicas, history=history) if spec.name not in existing]
        errors = await _create(admin, wanted, replicas) if wanted else {}
        _raise_refusals(errors, settings, replicas)
        created = [spec.name for spec in wanted if not isinstance(errors[spec.name], TopicAlreadyExistsError)]
        while not _ready(await _described(admin), created):
            if time.monotonic() > deadline:
                raise BrokerUnreachable(settings.bootstrap_servers, "new topics have no leader yet")
            await asyncio.sleep(POLL_SECONDS)
        return created


async def check_topics(
    settings: Settings, names: Collection[str] | None = None, *, history: bool = False
) -> list[Problem]:
    """Everything wrong with the topics of these settings; empty if nothing is. Errors come before warnings.

    With `names`, only these are looked at. `history` checks for a replay of the past. Raises BrokerUnreachable or
    PermissionMissing.
    """
    async with broker_admin(settings) as admin:
        replicas = await _replicas(admin, settings)
        specs = [
            spec for spec in topic_specs(settings, replicas, history=history) if names is None or spec.name in names
        ]
        states = await _states(admin, specs, settings)
    found = list(_problems(specs, states, settings, replicas, history=history))
    return sorted(found, key=lambda problem: problem.severity)


async def topic_states(settings: Settings, names: Collection[str] | None = None) -> dict[str, TopicState]:
    """Our topics and the sources, by name, as the broker describes them; those that exist. With `names`, only these.

    Raises BrokerUnreachable or PermissionMissing.
    """
    specs = topic_specs(settings, 1, history=False)
    async with broker_admin(settings) as admin:
        return await _states(admin, [spec for spec in specs if names is None or spec.name in names], settings)


async def require_topics(
    settings: Settings, names: Collection[str] | None = None, *, history: bool = False
) -> list[Problem]:
    """Raise TopicsUnusable if anything is an error; return the warnings. For the start of a worker."""
    problems = await check_topics(settings, names, history=history)
    if errors := [problem for problem in problems if problem.severity == "error"]:
        raise TopicsUnusable(errors)
    return problems


def _problems(
    specs: Iterable[TopicSpec], states: dict[str, TopicState], settings: Settings, replicas: int, *, history: bool
) -> Iterator[Problem]:
    dead_letters = states.get(settings.topics.dead_letters)
    for spec in specs:
        state = states.get(spec.name)
        if state is None:
            yield missing(spec)
            continue
        yield from problems_of(spec, state, settings, replicas, history=history)
        if spec.role is Role.SOURCE and dead_letters is not None:
            yield from outgrown(state, dead_letters, settings)


@contextlib.asynccontextmanager
async def broker_admin(settings: Settings) -> AsyncIterator[Any]:
    """An admin client that is connected. Raises BrokerUnreachable, PermissionMissing."""
    try:
        options = settings.client_options()
    except OSError as error:
        raise BrokerUnreachable(settings.bootstrap_servers, str(error)) from error
    admin = AIOKafkaAdminClient(**options, request_timeout_ms=int(REQUEST_SECONDS_MAX * 1_000))
    try:
        await admin.start()
        yield admin
    except (KafkaConnectionError, NodeNotReadyError, RequestTimedOutError, TimeoutError) as error:
        raise BrokerUnreachable(settings.bootstrap_servers, await _why(options) or _reason(error)) from error
    except _FORBIDDEN as error:
        raise PermissionMissing("Describe", ["the cluster"], settings.principal) from error
    finally:
        await admin.close()


async def _why(options: dict[str, Any]) -> str | None:
    """The reason of the first broker that does not let us in. The client logs it and raises without it."""
    for server in options["bootstrap_servers"]:
        host, _, port = server.rpartition(":")
        chosen = {name: value for name, value in options.items() if name != "bootstrap_servers"}
        try:
            connection = await create_conn(host.strip("[]"), int(port), request_timeout_ms=5_000, **chosen)
        except (OSError, KafkaError, TimeoutError) as error:
            return _reason(error)
        connection.close()
    return None


def _reason(error: BaseException) -> str:
    return (str(error) or type(error).__name__).strip().rstrip(".")


async def _replicas(admin: Any, settings: Settings) -> int:
    """How many replicas a topic should have: as set, else the usual three if there are as many brokers."""
    if settings.replication_factor is not None:
        return settings.replication_factor
    cluster = await admin.describe_cluster()
    return min(REPLICAS_USUAL, len(cluster["brokers"]))


async def _described(admin: Any) -> dict[str, list[dict[str, Any]]]:
    """The partitions of every topic that we may see."""
    return {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}


def _ready(described: dict[str, list[dict[str, Any]]], names: Collection[str]) -> bool:
    return all(name in described and all(partition["leader"] >= 0 for partition in described[name]) for name in names)


async def _create(admin: Any, specs: list[TopicSpec], replicas: int) -> dict[str, KafkaError | None]:
    answer = await admin.create_topics(
        [NewTopic(spec.name, spec.partitions, replicas, topic_configs=spec.configs) for spec in specs],
        timeout_ms=int(REQUEST_SECONDS_MAX * 1_000),
    )
    return {name: for_code(code)(message) if code else None for name, code, message in answer.topic_errors}


def _raise_refusals(errors: dict[str, KafkaError | None], settings: Settings, replicas: int) -> None:
    """Raise what stands in the way. Not so: another process was first, or the broker is still at it."""
    passing = (TopicAlreadyExistsError, RequestTimedOutError)
    refused = {name: error for name, error in errors.items() if error and not isinstance(error, passing)}
    if forbidden := [name for name, error in refused.items() if isinstance(error, _FORBIDDEN)]:
        raise PermissionMissing("Create", forbidden, settings.principal)
    if any(isinstance(error, InvalidReplicationFactorError) for error in refused.values()):
        reason = f"there are fewer than {replicas} brokers; set replication_factor to at most their number"
        raise TopicsRefused(dict.fromkeys(refused, reason))
    if refused:
        raise TopicsRefused({name: _reason(error) for name, error in refused.items()})


async def _states(admin: Any, specs: Iterable[TopicSpec], settings: Settings) -> dict[str, TopicState]:
    described = await _described(admin)
    resources = [ConfigResource(ConfigResourceType.TOPIC, spec.name) for spec in specs]
    states: dict[str, TopicState] = {}
    forbidden: list[str] = []
    for answer in await admin.describe_configs(resources):
        for code, message, _, name, entries in answer.resources:
            error = for_code(code)(message) if code else None
            if isinstance(error, _FORBIDDEN):
                forbidden.append(name)
            elif error is None and name in described:
                partitions = described[name]
                fewest = min(len(partition["replicas"]) for partition in partitions)
                configs = {entry[0]: entry[1] for entry in entries}
                states[name] = TopicState(name, len(partitions), fewest, configs)
            elif error is not None and not isinstance(error, UnknownTopicOrPartitionError):
                raise error
    if forbidden:
        raise PermissionMissing("DescribeConfigs", forbidden, settings.principal)
    return states
