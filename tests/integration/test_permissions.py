"""A worker that is refused something says what it needs and ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

from journey_stream.worker.topics import create_topics
from tests.integration.journeys import MODEL
from tests.integration.running import read, send
from tests.integration.test_worker import touchpoint
from tests.integration.workers import Worker, change_config, read_config, write_config
from tests.support.kafka import KafkaBroker, free_port

# Kafka's own numbers: kinds of resource, kinds of name, operations, permissions.
TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID = 2, 3, 4, 5
LITERAL = 3
ALL, READ, WRITE = 2, 3, 4
DENY, ALLOW = 2, 3

REFUSALS = {
    "sources": (TOPIC, "{prefix}touchpoints.web", READ),
    "log": (TOPIC, "{prefix}log", WRITE),
    "stage changes": (TOPIC, "{prefix}stage-changes", WRITE),
    "churn risk": (TOPIC, "{prefix}churn-risk", WRITE),
    "state": (TOPIC, "{prefix}state", READ),
    "router group": (GROUP, "{prefix}app-router", READ),
    "tasks group": (GROUP, "{prefix}app-tasks", READ),
    "transactions": (TRANSACTIONAL_ID, "{prefix}app-0", WRITE),
}
USERS = ["admin", "worker", *(f"not-{number}" for number in range(len(REFUSALS)))]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KafkaBroker, str]]:
    """A broker, and the address of its listener for users. On the plain listener anybody may do anything."""
    broker = KafkaBroker(tmp_path_factory.mktemp("guarded"))
    port = free_port()
    users = " ".join(f'user_{name}="{name}-secret"' for name in USERS)
    broker.properties |= {
        "listeners": f"{broker.properties['listeners']},GUARDED://127.0.0.1:{port}",
        "advertised.listeners": f"{broker.properties['advertised.listeners']},GUARDED://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,GUARDED:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.guarded.plain.sasl.jaas.config": (
            f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:admin",
    }
    with broker:
        yield broker, f"127.0.0.1:{port}"


async def grant(broker: KafkaBroker, user: str, resource: int, name: str, operation: int, permission: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    request = CreateAclsRequest(resource, name, LITERAL, f"User:{user}", "*", operation, permission)
    answer = await admin._send_request(request)
    await admin.close()
    assert [0] == [code for code, _ in answer.creation_responses]


async def prepared(guarded: tuple[KafkaBroker, str], prefix: str, directory: Path, user: str) -> Path:
    """The topics, and a configuration for a user who may do everything as far as nothing else is said."""
    broker, address = guarded
    (directory / "model.yaml").write_text(MODEL)
    model = str(directory / "model.yaml")
    path = write_config(directory, broker.bootstrap, prefix, partitions=1, model=model, session_timeout="6s")
    await create_topics(read_config(path))
    for resource, name in ((TOPIC, "*"), (GROUP, "*"), (TRANSACTIONAL_ID, "*"), (CLUSTER, "kafka-cluster")):
        await grant(broker, user, resource, name, ALL, ALLOW)
    login = {"security_protocol": "SASL_PLAINTEXT", "sasl_username": user, "sasl_password": f"{user}-secret"}
    change_config(path, bootstrap_servers=address, **login)
    return path


async def test_a_worker_with_all_it_needs_works_over_sasl(
    guarded: tuple[KafkaBroker, str], prefix: str, tmp_path: Path
) -> None:
    config = await prepared(guarded, prefix, tmp_path, "worker")
    open_settings = read_config(config).model_copy(update={"bootstrap_servers": (guarded[0].bootstrap,)})
    await send(open_settings, [touchpoint(open_settings, "e1", "add_to_cart")])

    with Worker(config, "worker") as worker:
        changes = await read(open_settings, open_settings.topics.stage_changes, 1)

        assert worker.terminate() == 0, worker.tail()
    assert ["decision"] == [json.loads(record.value)["to_stage"] for record in changes]


@pytest.mark.parametrize("refused", REFUSALS)
async def test_a_worker_that_is_refused_something_ends_and_says_what_it_needs(
    guarded: tuple[KafkaBroker, str], prefix: str, tmp_path: Path, refused: str
) -> None:
    user = f"not-{list(REFUSALS).index(refused)}"
    config = await prepared(guarded, prefix, tmp_path, user)
    resource, name, operation = REFUSALS[refused]
    await grant(guarded[0], user, resource, name.format(prefix=prefix), operation, DENY)
    open_settings = read_config(config).model_copy(update={"bootstrap_servers": (guarded[0].bootstrap,)})
    bought = touchpoint(open_settings, "e2", "purchase", channel="store", value=20)
    await send(open_settings, [touchpoint(open_settings, "e1", "add_to_cart"), bought])

    with Worker(config, "worker") as worker:
        exit_code = worker.wait()

    assert exit_code == 1, worker.tail()
    assert f"The broker refuses User:{user}" in worker.tail()
    assert "Traceback" not in worker.tail(1_000)
