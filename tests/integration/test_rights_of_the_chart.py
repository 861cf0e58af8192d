"""The rights that the Helm chart asks Strimzi for are enough for each part; the broker gives no others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

from journey_stream.worker.topics import create_topics
from tests.integration.journeys import MODEL
from tests.integration.running import read, send
from tests.integration.serving import Service
from tests.integration.test_worker import touchpoint
from tests.integration.workers import Worker, change_config, read_config, write_config
from tests.support import helm
from tests.support.kafka import KafkaBroker, free_port

PARTS = ("router", "tasks", "serve")
# Kafka's own numbers, by the words of Strimzi.
TYPES = {"topic": 2, "group": 3, "transactionalId": 5}
PATTERNS = {"literal": 3, "prefix": 4}
OPERATIONS = {"Read": 3, "Write": 4, "Describe": 8, "DescribeConfigs": 10}
ALLOW = 3


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[KafkaBroker, str]]:
    """A broker, and the address of its listener for users. On the plain listener anybody may do anything."""
    broker = KafkaBroker(tmp_path / "guarded")
    port = free_port()
    users = " ".join(f'user_{part}="secret"' for part in PARTS)
    broker.properties |= {
        "listeners": f"{broker.properties['listeners']},GUARDED://127.0.0.1:{port}",
        "advertised.listeners": f"{broker.properties['advertised.listeners']},GUARDED://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.guarded.plain.sasl.jaas.config": (
            f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    with broker:
        yield broker, f"127.0.0.1:{port}"


def rights(config: dict[str, Any]) -> list[tuple[int, str, int, str, int]]:
    """What the chart asks for with these settings: type, name, pattern, user, operation."""
    values = helm.with_values(
        helm.example("small"),
        config={name: config[name] for name in ("application_id", "topic_prefix", "sources")},
        createTopics=False,
        serve={"enabled": True, "open": True},
        strimzi={"cluster": "kafka", "user": {"enabled": True}},
    )
    return [
        (
            TYPES[rule["resource"]["type"]],
            rule["resource"]["name"],
            PATTERNS[rule["resource"]["patternType"]],
            user["metadata"]["labels"]["app.kubernetes.io/component"],
            OPERATIONS[operation],
        )
        for user in helm.of_kind(helm.render(values), "KafkaUser")
        for rule in user["spec"]["authorization"]["acls"]
        for operation in rule["operations"]
    ]


async def test_routers_tasks_and_the_map_do_their_work_with_the_rights_of_the_chart(
    guarded: tuple[KafkaBroker, str], prefix: str, tmp_path: Path
) -> None:
    broker, address = guarded
    (tmp_path / "model.yaml").write_text(MODEL)
    config = write_config(
        tmp_path, broker.bootstrap, prefix, partitions=1, model=str(tmp_path / "model.yaml"), serve_port=free_port()
    )
    open_settings = read_config(config)
    await create_topics(open_settings)
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    for kind, name, pattern, user, operation in rights(json.loads(config.read_text())):
        request = CreateAclsRequest(kind, name, pattern, f"User:{user}", "*", operation, ALLOW)
        answer = await admin._send_request(request)
        assert [0] == [code for code, _ in answer.creation_responses]
    await admin.close()
    login = {"security_protocol": "SASL_PLAINTEXT", "sasl_password": "secret"}
    change_config(config, bootstrap_servers=address, serve_database=str(tmp_path / "map.duckdb"), **login)
    router, tasks, journey_map = (as_user(config, part) for part in PARTS)

    with (
        Worker(router, "router", "router") as first,
        Worker(tasks, "tasks", "tasks") as second,
        Service(journey_map, "map") as third,
    ):
        await send(open_settings, [touchpoint(open_settings, "e1", "add_to_cart")])
        (change,) = await read(open_settings, open_settings.topics.stage_changes, 1)

        assert "decision" == json.loads(change.value)["to_stage"]
        for one in (third, second, first):
            assert 0 == one.terminate(), one.tail()
            assert "uthoriz" not in one.tail(1_000)


def as_user(config: Path, part: str) -> Path:
    """The same settings of a part's own user."""
    path = config.with_name(f"{part}.yaml")
    path.write_text(json.dumps(json.loads(config.read_text()) | {"sasl_username": part}))
    return path
