"""`serve` as a process, where it needs no brokers."""

from __future__ import annotations

import contextlib
from pathlib import Path

import httpx
import pytest

from journey_stream.events.erasures import UNKEYED, Erasures
from journey_stream.serve.queries.connection import DIALECTS
from journey_stream.serve.queries.facts import Facts
from journey_stream.serve.run import open_store
from journey_stream.serve.store.batch import Batch
from journey_stream.serve.store.errors import StoreError
from journey_stream.serve.store.writer import Writer
from journey_stream.worker.config import Settings
from tests.integration.serving import Service
from tests.integration.workers import read_config, write_config
from tests.support.postgres import Postgres
from tests.support.waiting import until
from tests.unit.serve.rows import at


def test_a_reader_needs_no_brokers_and_shows_the_map(postgres: Postgres, tmp_path: Path) -> None:
    config = write_config(tmp_path, "127.0.0.1:1", "", serve_database=postgres.database(), serve_port=0)
    view = ("c1", "awareness", at(0), None, None, at(0), at(0), False, "[]", *(None,) * 7, 1)
    with contextlib.closing(open_store(read_config(config), rebuild=False)) as store:
        Writer(store.session(), Erasures(UNKEYED)).write(Batch(profiles=[view]))
        with contextlib.closing(store.connect()) as connection:
            Facts(DIALECTS["postgresql"]).refresh(connection)

    with Service(config, "serve", "--read-only") as service, httpx.Client() as client:
        service.wait_started()
        until(lambda: client.get(f"{service.url}/readyz").status_code == 200, 30)
        answer = client.get(f"{service.url}/api/map").json()
        assert 0 == service.terminate()

    assert 1 == answer["totals"]["customers"]


@pytest.mark.parametrize(
    ("database", "options", "told"),
    [
        ("map.duckdb", {"rebuild": False, "read_only": True}, r"Only one process.*serve_database.*postgresql://"),
        ("mysql://map", {"rebuild": False}, r"begins with mysql://, which no store has"),
        ("postgresql://db/map", {"rebuild": True, "read_only": True}, r"--rebuild and --read-only contradict"),
        ("postgresql://127.0.0.1:1/map", {"rebuild": False}, r"cannot be opened: .*PGPASSFILE"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_with_what_to_do(
    database: str, options: dict[str, bool], told: str
) -> None:
    with pytest.raises(StoreError, match=rf"(?s){told}"):
        open_store(Settings(serve_database=database), **options)
