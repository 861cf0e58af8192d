"""The least rights, as they are printed, and as a refusal names them."""

from pathlib import Path

import pytest
import yaml
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from typer.testing import CliRunner

from journey_stream.cli.main import app
from journey_stream.serve.projection.gathering import FOLLOWED
from journey_stream.subscribe.app import create_app
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import not_permitted
from journey_stream.worker.rights import (
    COMPONENTS,
    SUBSCRIBER_GROUP,
    Operation,
    Resource,
    Right,
    kafka_acls,
    rights_of,
    rights_overview,
)
from journey_stream.worker.topic_specs import topic_specs

SETTINGS = Settings()


@pytest.mark.parametrize("component", COMPONENTS)
def test_no_right_is_listed_that_another_one_brings(component: str) -> None:
    rights = rights_of(component, SETTINGS)
    used = {(right.resource, right.name) for right in rights if right.operation in {Operation.READ, Operation.WRITE}}

    described = {(right.resource, right.name) for right in rights if right.operation is Operation.DESCRIBE}

    assert set() == used & described
    assert len(rights) == len(set(rights))


def test_a_worker_needs_what_its_roles_need() -> None:
    roles = {*rights_of("router", SETTINGS), *rights_of("tasks", SETTINGS)}

    assert roles == set(rights_of("worker", SETTINGS))


def test_the_topics_are_those_that_there_are() -> None:
    topics = {spec.name for spec in topic_specs(SETTINGS, 1, history=False)}
    read = {right.name for right in rights_of("serve", SETTINGS) if right.operation is Operation.READ}

    assert topics == {right.name for right in rights_of("topics-check", SETTINGS)}
    assert {getattr(SETTINGS.topics, name) for name in FOLLOWED} == read


def test_rights_become_commands() -> None:
    rights = [
        Right(Operation.READ, Resource.TOPIC, "a"),
        Right(Operation.WRITE, Resource.TOPIC, "a"),
        Right(Operation.WRITE, Resource.TRANSACTIONAL_ID, "app-", is_prefix=True),
    ]

    start = "kafka-acls.sh --bootstrap-server HOST:PORT --add --allow-principal 'User:CN=a b'"
    assert [
        f"{start} --operation Read --operation Write --topic a",
        f"{start} --operation Write --transactional-id app- --resource-pattern-type prefixed",
    ] == kafka_acls(rights, "User:CN=a b")


def test_rights_become_a_kafka_user_of_strimzi() -> None:
    ran = CliRunner().invoke(app, ["acls", "show", "dead-letters-replay", "--format", "strimzi"])

    authorization = yaml.safe_load(ran.output)["authorization"]
    assert "simple" == authorization["type"]
    assert {
        "resource": {
            "type": "transactionalId",
            "name": "journey-stream-dead-letters",
            "patternType": "literal",
        },
        "operations": ["Write"],
    } in authorization["acls"]


def test_an_unknown_component_is_told_with_those_that_there_are() -> None:
    ran = CliRunner().invoke(app, ["acls", "show", "wroker"])

    assert "'wroker' is no component; expected one of worker, router" in str(ran.exception)


@pytest.mark.parametrize(
    ("error", "meant"),
    [
        (TopicAuthorizationFailedError({"journey.profiles"}), "needs Write on Topic journey.profiles"),
        (TopicAuthorizationFailedError("journey.log"), "needs Read on Topic journey.log, Write on Topic journey.log"),
        (GroupAuthorizationFailedError("journey-stream-tasks"), "needs Read on Group journey-stream-tasks"),
        (TransactionalIdAuthorizationFailed(), "needs Write on TransactionalId journey-stream-*"),
    ],
)
def test_a_refusal_in_the_midst_of_work_names_the_right(error: KafkaError, meant: str) -> None:
    assert f"The broker refuses User:ANONYMOUS: it {meant}" in str(not_permitted(error, SETTINGS))


def test_the_group_of_the_subscriber_is_that_of_the_app() -> None:
    assert SUBSCRIBER_GROUP == create_app(SETTINGS, store="memory://").conf.id


def test_the_page_on_security_has_the_rights_as_they_are() -> None:
    page = (Path(__file__).parents[3] / "docs" / "security.md").read_text(encoding="utf-8")

    assert "\n".join(["", *rights_overview(SETTINGS), ""]) in page
