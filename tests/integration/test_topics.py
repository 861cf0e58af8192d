from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pydantic import SecretStr

from journey_stream.worker.broker_errors import BrokerUnreachable, PermissionMissing, TopicsRefused, TopicsUnusable
from journey_stream.worker.config import Settings
from journey_stream.worker.topics import check_topics, create_topics, require_topics, topic_states
from tests.support.kafka import Broker, KafkaBroker, free_port


@pytest.fixture
def settings(broker: Broker, prefix: str) -> Settings:
    return Settings(
        bootstrap_servers=(broker.bootstrap,),
        sources=(f"{prefix}web", f"{prefix}store"),
        topic_prefix=prefix,
        partitions=3,
        replication_factor=1,
    )


async def make(settings: Settings, name: str, partitions: int = 3, **configs: str) -> None:
    admin = AIOKafkaAdminClient(**settings.client_options())
    await admin.start()
    try:
        changed = {key.replace("_", "."): value for key, value in configs.items()}
        answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=changed)])
        assert [0] == [code for _, code, _ in answer.topic_errors]
    finally:
        await admin.close()


@pytest.mark.parametrize("history", [False, True])
async def test_created_topics_have_no_problems(settings: Settings, history: bool) -> None:
    created = await create_topics(settings, history=history)

    assert [*settings.sources, *settings.topics] == created
    assert [] == await check_topics(settings, history=history)


async def test_creating_again_leaves_everything_as_it_is(settings: Settings) -> None:
    await make(settings, settings.topics.log, partitions=2)

    first = await create_topics(settings)
    second = await create_topics(settings)

    assert settings.topics.log not in first
    assert [] == second
    assert (settings.topics.log, "has 2 partitions, and the settings say 3") in {
        (problem.topic, problem.wrong) for problem in await check_topics(settings)
    }


async def test_topics_that_do_not_exist_are_named_and_not_created_by_looking(settings: Settings) -> None:
    expected = {(name, "does not exist") for name in (*settings.sources, *settings.topics)}

    for _ in range(2):
        assert expected == {(problem.topic, problem.wrong) for problem in await check_topics(settings)}

    with pytest.raises(TopicsUnusable, match="Create it: journey-stream topics create"):
        await require_topics(settings)


async def test_topics_made_with_the_brokers_defaults_show_each_defect(settings: Settings) -> None:
    for name in (*settings.sources, *settings.topics):
        await make(settings, name, partitions=1)
    async with asyncio.timeout(30):
        while {*settings.sources, *settings.topics} != (await topic_states(settings)).keys():
            continue  # a new topic is not known everywhere at once

    problems = await check_topics(settings)

    names = settings.topics
    unordered = {names.dead_letters, names.operations}
    errors = {(problem.topic, problem.wrong) for problem in problems if problem.severity == "error"}
    unlike = "has 1 partitions, and the settings say 3"
    forgets = (
        "has cleanup.policy=delete and needs compact: "
        "customers who have been quiet for longer than its retention are forgotten"
    )
    again = (
        "has cleanup.policy=delete and needs compact: dead letters that were replayed before that are replayed again"
    )
    small = "takes records of 1048588 bytes, and the settings promise"
    fits_not = "takes 1048588 bytes, fewer than a record of"
    assert {
        *((name, unlike) for name in names if name not in {*unordered, names.erasures, names.replayed}),
        (names.erasures, "has cleanup.policy=delete and needs compact: erased people come back with a replay"),
        (names.replayed, again),
        (names.state, forgets),
        (names.profiles, forgets),
        *((name, f"{small} 1114112") for name in names if name not in unordered),
        (names.dead_letters, f"{small} 16842752"),
        *((names.dead_letters, f"{fits_not} {source} may have") for source in settings.inputs),
    } == errors
    assert {f"{names.log}", f"{names.stage_changes}", f"{names.dead_letters}"} <= {
        problem.topic for problem in problems if "keeps records for 7d, less than 45d" in problem.wrong
    }


async def test_live_topics_are_refused_for_a_replay_of_the_past(settings: Settings) -> None:
    await create_topics(settings)

    problems = await check_topics(settings, history=True)

    errors = {problem.topic for problem in problems if problem.severity == "error"}
    assert {*settings.inputs, settings.topics.log} == errors
    assert all("those of the past are deleted at once" in problem.wrong for problem in problems)


async def test_more_replicas_than_brokers_say_what_to_set(settings: Settings) -> None:
    too_many = settings.model_copy(update={"replication_factor": 99})

    with pytest.raises(TopicsRefused, match="set replication_factor to at most their number"):
        await create_topics(too_many)


async def test_an_unreachable_broker_is_named(prefix: str) -> None:
    nowhere = Settings(bootstrap_servers=(f"127.0.0.1:{free_port()}",), topic_prefix=prefix)

    with pytest.raises(BrokerUnreachable, match=rf"answers at {nowhere.bootstrap_servers[0]}: .*Connect call failed"):
        await check_topics(nowhere)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a listener with SASL users: `admin` may everything, `guest` nothing."""
    broker = KafkaBroker(tmp_path_factory.mktemp("guarded"))
    port = free_port()
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    users = " ".join(f'user_{name}="{name}-secret"' for name in ("guest", "admin"))
    broker.properties |= {
        "listeners": f"{broker.properties['listeners']},GUARDED://127.0.0.1:{port}",
        "advertised.listeners": f"{broker.properties['advertised.listeners']},GUARDED://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.guarded.plain.sasl.jaas.config": f"{login} {users};",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:admin",
    }
    with broker:
        yield f"127.0.0.1:{port}"


def as_user(guarded: str, user: str, password: str, prefix: str) -> Settings:
    return Settings(
        bootstrap_servers=(guarded,),
        security_protocol="SASL_PLAINTEXT",
        sasl_username=user,
        sasl_password=SecretStr(password),
        sources=(f"{prefix}web",),
        topic_prefix=prefix,
        replication_factor=1,
    )


async def test_a_user_with_the_right_to_do_so_creates_topics_over_sasl(guarded: str, prefix: str) -> None:
    settings = as_user(guarded, "admin", "admin-secret", prefix)

    await create_topics(settings)

    assert [] == await check_topics(settings)


async def test_a_missing_permission_is_named_with_the_command_that_grants_it(guarded: str, prefix: str) -> None:
    settings = as_user(guarded, "guest", "guest-secret", prefix)

    with pytest.raises(PermissionMissing, match=rf"--allow-principal User:guest --operation Create --topic {prefix}"):
        await create_topics(settings)
    with pytest.raises(PermissionMissing, match=r"User:guest lacks the permission DescribeConfigs on "):
        await check_topics(settings)


async def test_a_wrong_password_is_the_reason_that_is_told(guarded: str, prefix: str) -> None:
    settings = as_user(guarded, "guest", "wrong", prefix)

    with pytest.raises(BrokerUnreachable, match=r"(?i)authentication failed"):
        await check_topics(settings)
