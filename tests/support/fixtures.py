"""Fixtures for every test that needs a broker; `tests/conftest.py` makes them known."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator

import pytest

from tests.support.kafka import Broker, KafkaBroker, session_broker
from tests.support.postgres import Postgres, cluster, why_not
from tests.support.programs import not_here

_BROKER = pytest.StashKey[Broker]()


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The broker that all tests of this session share. For one to kill, make a `KafkaBroker` of your own."""
    shared = session_broker(tmp_path_factory.mktemp("kafka"))
    request.config.stash[_BROKER] = shared
    yield shared
    if isinstance(shared, KafkaBroker):
        shared.__exit__(None, None, None)


@pytest.fixture
def prefix() -> str:
    """A prefix for topics, groups and transactional ids that no other test, and no other session, uses."""
    return f"t{uuid.uuid4().hex[:10]}."


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    shared = item.config.stash.get(_BROKER, None)
    if report.failed and shared is not None and "broker" in getattr(item, "fixturenames", ()):
        report.sections.append(("Kafka broker log", shared.tail()))
    return report


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A cluster of PostgreSQL, started when the first test asks for it."""
    if (reason := why_not()) is not None:
        not_here(reason)
    with cluster() as started:
        yield started
