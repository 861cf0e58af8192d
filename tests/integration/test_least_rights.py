"""Every part works with exactly the rights that are listed for it, and names the one that it lacks."""

from __future__ import annotations

import asyncio
import json
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from typer.testing import CliRunner

from journey_stream.cli.main import app
from journey_stream.events.erasures import ErasureKey, Erasures
from journey_stream.serve.projection.gathering import Gathering
from journey_stream.serve.projection.reader import Reader, followed_partitions
from journey_stream.worker.broker_errors import PermissionMissing, RightsMissing
from journey_stream.worker.config import Settings
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.rights import COMPONENTS, SUBSCRIBER_GROUP, Operation, Resource, checked_topics, rights_of
from journey_stream.worker.rights_check import missing_rights, require_rights
from journey_stream.worker.topics import create_topics, require_topics
from tests.integration.guarded import USERS_MAX, Guarded
from tests.integration.journeys import WITH_IDENTITY
from tests.integration.reading import read_all
from tests.integration.running import read, running, send
from tests.integration.test_cli import Cli
from tests.integration.test_worker import raw, touchpoint
from tests.support.granting import grant

FRESH = count()
SECONDS_MAX = 10.0


def settings_of(strict: Guarded, prefix: str, **values: Any) -> Settings:
    given = {
        "bootstrap_servers": strict.open,
        "application_id": f"{prefix}app",
        "topic_prefix": prefix,
        "sources": [f"{prefix}web"],
        "partitions": 2,
        "metrics_port": 0,
    }
    return Settings(**(given | values))


async def allowed(strict: Guarded, settings: Settings, component: str, without: int | None = None) -> Settings:
    """The settings of a new user with the rights of a component, but one."""
    number = next(FRESH)
    assert number < USERS_MAX
    rights = rights_of(component, settings)
    left = [right for place, right in enumerate(rights) if place != without]
    await grant(strict.open, f"u{number}", left)
    user = strict.as_user(settings, f"u{number}")
    await until_known(user, [right for right in left if right.operation is not Operation.CREATE])
    return user


async def until_known(user: Settings, rights: list[Any]) -> None:
    """What was granted reaches the broker a moment later."""
    deadline = time.monotonic() + SECONDS_MAX
    while missing := await missing_rights(user, rights):
        assert time.monotonic() < deadline, missing
        await asyncio.sleep(0.02)


class Commands:
    """`journey-stream COMMAND …`, each as a user who may do what it needs and nothing else."""

    def __init__(self, strict: Guarded, settings: Settings, directory: Path) -> None:
        self._guarded, self._settings, self._directory = strict, settings, directory
        (directory / "model.yaml").write_text(WITH_IDENTITY)

    async def __call__(self, component: str, *arguments: str) -> str:
        path = await self.config_of(component)
        ran = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--config", str(path)])
        assert ran.exit_code == 0, (component, ran.output, ran.exception)
        return ran.output

    async def refused(self, component: str, *arguments: str) -> None:
        """The same as a process, and without the first of its rights that a broker can be asked about."""
        rights = rights_of(component, self._settings)
        number, right = next(one for one in enumerate(rights) if one[1].operation is not Operation.CREATE)

        ran = await asyncio.to_thread(Cli(await self.config_of(component, number)), *arguments)

        said = ran.stdout + ran.stderr
        assert 1 == ran.returncode, (component, said)
        assert str(right) in said, (component, said)
        assert component == "subscriber" or f"{component} needs {right}." in said, (component, said)

    async def config_of(self, component: str, without: int | None = None) -> Path:
        """A file with the settings of a new user, as for `allowed`."""
        user = await allowed(self._guarded, self._settings, component, without)
        assert user.sasl_password is not None
        config = user.model_dump(mode="json", exclude_defaults=True)
        config |= {"sasl_password": user.sasl_password.get_secret_value(), "model": "model.yaml"}
        path = self._directory / f"{component}.yaml"
        path.write_text(json.dumps(config))
        return path


async def test_every_part_works_with_exactly_its_rights(strict: Guarded, prefix: str, tmp_path: Path) -> None:
    settings = settings_of(strict, prefix)
    command = Commands(strict, settings, tmp_path)
    topics, history = settings.topics, tmp_path / "history.jsonl"
    [bought] = [touchpoint(settings, "e1", "add_to_cart")]
    assert bought.value is not None
    history.write_bytes(bought.value + b"\n")

    assert f"created {topics.log}" in await command("topics-create", "topics", "create")
    assert "fit to work with" in await command("topics-check", "topics", "check")
    assert "wrote 1 touchpoints" in await command("replay", "replay", str(history))
    worker = await allowed(strict, settings, "worker")
    await require_rights(worker, "worker")
    await require_topics(worker, checked_topics("worker", worker))
    async with running(worker):
        await read(settings, topics.stage_changes, 1)
        await send(settings, [raw(settings, b"not JSON")])
        await read(settings, topics.dead_letters, 1)
        as_of = ["--as-of", "2020-01-01"]
        assert "wrote 1 touchpoints" in await command("replay-as-of", "replay", str(history), *as_of)
        assert "wrote block" in await command("identity", "identity", "block", "c9", "--why", "a test")

    router, tasks = await allowed(strict, settings, "router"), await allowed(strict, settings, "tasks")
    for role, user in (("router", router), ("tasks", tasks)):
        await require_rights(user, role)
        await require_topics(user, checked_topics(role, user))
    async with running(router, "router"), running(tasks, "tasks"):
        c2 = {"customer_id": "c2", "channel": "web"}
        await send(settings, [touchpoint(settings, "e2", "add_to_cart", **c2)])
        assert "c1" in await command("explain", "explain", "c1")
        assert '"stage_changes"' in await command("export", "export", "c1")
        assert "done: erased" in await command("erase", "erase", "c1", "--why", "a test")

    assert "invalid_json" in await command("dead-letters", "dead-letters", "list")
    replayed = await command("dead-letters-replay", "dead-letters", "replay", "--reason", "invalid_json")
    assert "sent 1 dead letters" in replayed
    serve = await allowed(strict, settings, "serve")
    gathering = Gathering(serve.topics, Erasures(ErasureKey(serve.application_id.encode())))
    reader = Reader(serve, await followed_partitions(serve), gathering)
    await reader.open({})
    async with asyncio.timeout(SECONDS_MAX):
        while not gathering.records:
            await reader.read(200)
    await reader.close()
    subscriber = await allowed(strict, settings, "subscriber")
    options = subscriber.client_options() | {"auto_offset_reset": "earliest", "group_id": SUBSCRIBER_GROUP}
    async with AIOKafkaConsumer(topics.stage_changes, **options) as consumer:
        async with asyncio.timeout(SECONDS_MAX):
            assert await consumer.getone()
        await consumer.commit()


@pytest.mark.parametrize("component", COMPONENTS)
async def test_with_one_right_less_a_part_refuses_to_start_and_names_it(
    strict: Guarded, prefix: str, component: str
) -> None:
    settings = settings_of(strict, prefix)
    if component != "topics-create":
        await create_topics(settings)
    rights = rights_of(component, settings)
    for number, right in enumerate(rights):
        if right.operation is Operation.CREATE:
            continue
        user = await allowed(strict, settings, component, without=number)

        with pytest.raises(RightsMissing) as raised:
            await require_rights(user, component)

        assert (right,) == raised.value.missing
        assert f"{component} needs {right}." in str(raised.value)
        assert f"--operation {right.operation}" in str(raised.value)


ENTRIES = {
    "worker": ("worker",),
    "router": ("worker", "--role", "router"),
    "tasks": ("worker", "--role", "tasks"),
    "serve": ("serve", "--port", "0"),
    "topics-create": ("topics", "create"),
    "topics-check": ("topics", "check"),
    "replay": ("replay", "history.jsonl"),
    "replay-as-of": ("replay", "history.jsonl", "--as-of", "2020-01-01"),
    "dead-letters": ("dead-letters", "list"),
    "dead-letters-replay": ("dead-letters", "replay"),
    "identity": ("identity", "block", "c9", "--why", "a test"),
    "explain": ("explain", "c1"),
    "export": ("export", "c1"),
    "erase": ("erase", "c1", "--why", "a test"),
    # The Faust app is a pattern for a program of the subscriber's own and does not ask; this does for it.
    "subscriber": ("acls", "check", "subscriber"),
}
"""How each part is started."""


async def test_what_people_start_ends_with_the_name_of_the_right_that_it_lacks(
    strict: Guarded, prefix: str, tmp_path: Path
) -> None:
    settings = settings_of(strict, prefix, serve_database=str(tmp_path / "map.duckdb"))
    commands = Commands(strict, settings, tmp_path)
    await create_topics(settings)
    [bought] = [touchpoint(settings, "e1", "add_to_cart")]
    history = tmp_path / "history.jsonl"
    history.write_bytes((bought.value or b"") + b"\n")

    assert ENTRIES.keys() == COMPONENTS.keys()
    for component, entry in ENTRIES.items():
        arguments = [str(history) if one == history.name else one for one in entry]
        await commands.refused(component, *arguments)

    written = [settings.topics.operations, *settings.sources, settings.topics.log]
    assert [[], [], []] == [await read_all(strict.open, topic) for topic in written]


async def test_without_the_right_to_make_a_topic_its_creation_names_it(strict: Guarded, prefix: str) -> None:
    settings = settings_of(strict, prefix)
    rights = rights_of("topics-create", settings)
    [number] = [
        place
        for place, right in enumerate(rights)
        if (right.operation, right.name) == (Operation.CREATE, settings.topics.state)
    ]
    user = await allowed(strict, settings, "topics-create", without=number)

    with pytest.raises(PermissionMissing, match=f"lacks the permission Create on {settings.topics.state}"):
        await create_topics(user)


@pytest.mark.parametrize(
    ("role", "operation", "kind", "topic"),
    [
        ("router", Operation.WRITE, Resource.TOPIC, "log"),
        ("router", Operation.READ, Resource.GROUP, ""),
        ("tasks", Operation.READ, Resource.TOPIC, "state"),
        ("tasks", Operation.WRITE, Resource.TOPIC, "profiles"),
        ("tasks", Operation.WRITE, Resource.TRANSACTIONAL_ID, ""),
    ],
)
async def test_a_right_that_goes_while_a_part_runs_ends_it_and_is_named(
    strict: Guarded, prefix: str, role: str, operation: Operation, kind: Resource, topic: str
) -> None:
    settings = settings_of(strict, prefix)
    await create_topics(settings)
    rights = rights_of(role, settings)
    [number] = [
        place
        for place, right in enumerate(rights)
        if (right.operation, right.resource) == (operation, kind)
        and (not topic or right.name == getattr(settings.topics, topic))
    ]
    user = await allowed(strict, settings, role, without=number)
    await send(settings, [touchpoint(settings, "e1", "add_to_cart")])

    with pytest.raises(WorkerError) as raised:
        async with running(settings, *({"router", "tasks"} - {role})), running(user, role, to_failure=True):
            pass

    assert f"The broker refuses {user.principal}" in str(raised.value)
    assert str(rights[number]) in str(raised.value)
