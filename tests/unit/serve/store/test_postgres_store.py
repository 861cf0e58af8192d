"""The database of PostgreSQL: one projects, others read, and whoever cannot is told what to do."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import psycopg
import pytest
from starlette.testclient import TestClient

from journey_stream.events.erasures import UNKEYED, Erasures
from journey_stream.serve.api.app import create_app
from journey_stream.serve.queries.connection import DIALECTS
from journey_stream.serve.queries.facts import Facts
from journey_stream.serve.store import postgres_store
from journey_stream.serve.store.batch import Batch
from journey_stream.serve.store.errors import StoreError
from journey_stream.serve.store.meta import Origin
from journey_stream.serve.store.postgres_store import PostgresConnection, PostgresStore
from journey_stream.serve.store.writer import Writer
from tests.support.postgres import Postgres
from tests.support.waiting import until
from tests.unit.serve.rows import MODEL, at

OURS = Origin("app", "journey.")
WRITE = """
import sys
from journey_stream.events.erasures import UNKEYED, Erasures
from journey_stream.serve.store.batch import Batch
from journey_stream.serve.store.meta import Origin
from journey_stream.serve.store.postgres_store import PostgresStore
from journey_stream.serve.store.writer import Writer

writer = Writer(PostgresStore(sys.argv[1], Origin("app", "journey.")).session(), Erasures(UNKEYED))
at = writer.offsets.get(("journey.log", 0), 0)
while True:
    places = range(at, at := at + 100)
    rows = [(f"e{n}", n, n, "c", "web", "view", None, 1.5, None, "web", 0, n, 0, n) for n in places]
    writer.write(Batch(touchpoints=rows, offsets={("journey.log", 0): at}))
    print(at, flush=True)
"""
PROFILE = ("c1", "awareness", at(0), None, None, at(0), at(0), False, "[]", *(None,) * 7, 1)


@pytest.fixture
def url(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(postgres_store, "LOCK_SECONDS_MAX", 0.3)
    return postgres.database()


def test_only_one_process_projects_until_it_ends(url: str) -> None:
    first = PostgresStore(url, OURS)

    with pytest.raises(StoreError, match=r"Another process projects into .*--read-only"):
        PostgresStore(url, OURS)

    first.close()
    PostgresStore(url, OURS).close()


def test_whoever_lost_the_lock_writes_no_more(url: str) -> None:
    with contextlib.closing(PostgresStore(url, OURS)) as lost:
        writer = Writer(lost.session(), Erasures(UNKEYED))
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        with contextlib.closing(PostgresStore(url, OURS)) as successor:
            with pytest.raises(lost.failures):
                writer.write(Batch(offsets={("t", 0): 1}))

            assert {} == Writer(successor.session(), Erasures(UNKEYED)).offsets


def test_rows_and_offsets_agree_after_kill_9(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_store, "LOCK_SECONDS_MAX", 10.0)
    reached = 0
    for batches in (1, 4, 7):
        with subprocess.Popen([sys.executable, "-c", WRITE, url], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            told = [int(process.stdout.readline()) for _ in range(batches)]
            process.kill()
        with contextlib.closing(PostgresStore(url, OURS)) as store:
            session = store.session()
            ((offset,),) = session.execute("SELECT next_offset FROM offsets").fetchall()
            ((rows, different),) = session.execute(
                "SELECT count(*), count(DISTINCT source_offset) FROM touchpoints"
            ).fetchall()

        assert (offset, offset) == (rows, different)
        assert told[-1] <= offset
        assert reached < told[0]
        reached = offset


def test_a_reader_shows_what_another_process_projects(url: str) -> None:
    with contextlib.closing(PostgresStore(url, OURS)) as projecting:
        writer = Writer(projecting.session(), Erasures(UNKEYED))
        facts, connection = Facts(DIALECTS["postgresql"]), projecting.connect()
        with contextlib.closing(PostgresStore(url, OURS, read_only=True)) as store:
            app = create_app(store, MODEL, interval_seconds=0.01)
            with TestClient(app) as client:
                early = client.get("/api/map").status_code
                for number in (1, 2):
                    writer.write(Batch(profiles=[(f"c{number}", *PROFILE[1:])]))
                    facts.refresh(connection)
                    until(lambda number=number: _customers(client) == number)
        connection.close()

    assert 503 == early


def test_facts_of_an_older_form_are_made_anew_and_those_of_ours_stay(url: str) -> None:
    dialect = DIALECTS["postgresql"]
    with contextlib.closing(PostgresStore(url, OURS)) as store:
        Writer(store.session(), Erasures(UNKEYED)).write(Batch(profiles=[PROFILE]))
        Facts(dialect).refresh(store.session())
    with contextlib.closing(PostgresStore(url, OURS)) as store:
        kept = store.session().execute("SELECT count(*) FROM facts.customers").fetchall()
        store.session().execute("ALTER TABLE facts.touches DROP COLUMN marks")

    with contextlib.closing(PostgresStore(url, OURS)) as store:
        Facts(dialect).refresh(store.session())
        again = store.session().execute("SELECT count(*) FROM facts.customers").fetchall()

    assert [(1,)] == kept == again


def test_a_reader_is_ready_again_when_its_connections_are(url: str) -> None:
    with contextlib.closing(PostgresStore(url, OURS)) as projecting:
        Writer(projecting.session(), Erasures(UNKEYED)).write(Batch(profiles=[PROFILE]))
        with contextlib.closing(projecting.connect()) as connection:
            Facts(DIALECTS["postgresql"]).refresh(connection)
        with contextlib.closing(PostgresStore(url, OURS, read_only=True)) as store:
            app = create_app(store, MODEL, interval_seconds=0.01)
            with TestClient(app) as client, psycopg.connect(url, autocommit=True) as other:
                until(lambda: client.get("/readyz").status_code == 200)
                other.execute("ALTER TABLE facts.progress RENAME TO away")
                until(lambda: client.get("/readyz").status_code == 503)
                other.execute("ALTER TABLE facts.away RENAME TO progress")
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                until(lambda: client.get("/readyz").status_code == 200)


def _customers(client: TestClient) -> int | None:
    answer = client.get("/api/map")
    return answer.json()["totals"]["customers"] if answer.status_code == 200 else None


def test_a_connection_that_was_lost_is_opened_again(url: str) -> None:
    with contextlib.closing(PostgresConnection(url)) as connection:
        ((pid,),) = connection.execute("SELECT pg_backend_pid()").fetchall()
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")

        assert (1,) == connection.execute("SELECT 1").fetchone()


def test_a_reader_of_a_database_without_tables_is_told_to_fill_it_first(url: str) -> None:
    with pytest.raises(StoreError, match=r"no tables of ours yet.*without --read-only first"):
        PostgresStore(url, OURS, read_only=True)


@pytest.mark.parametrize("read_only", [False, True])
def test_the_database_of_another_application_is_refused(url: str, read_only: bool) -> None:
    PostgresStore(url, Origin("other", "journey.")).close()

    with pytest.raises(StoreError, match=r"was made with .*other.*--rebuild"):
        PostgresStore(url, OURS, read_only=read_only)


def test_a_rebuilt_database_is_empty_and_ours(url: str) -> None:
    with contextlib.closing(PostgresStore(url, Origin("other", "journey."))) as store:
        Writer(store.session(), Erasures(UNKEYED)).write(Batch(profiles=[PROFILE]))

    with contextlib.closing(PostgresStore(url, OURS, rebuild=True)) as store:
        assert [] == store.session().execute("SELECT * FROM profiles").fetchall()


def test_an_address_that_cannot_be_read_is_refused_and_not_repeated() -> None:
    with pytest.raises(StoreError, match="is no address of PostgreSQL") as raised:
        PostgresStore("postgresql://map:S3cr%et!@db/x", OURS)

    assert "S3cr" not in str(raised.value)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(StoreError, match="PGPASSFILE") as refused:
        PostgresStore("postgresql://map:opensesame@db/map", OURS)

    assert "opensesame" not in str(refused.value)


def test_what_postgresql_cannot_keep_is_replaced_and_everything_else_stays(url: str) -> None:
    identifiers = r'["a\u0000\u0000", "b\\u0000"]'
    row = ("c\x00,\"'\n", "", *PROFILE[2:8], identifiers, *PROFILE[9:])
    with contextlib.closing(PostgresStore(url, OURS)) as store:
        Writer(store.session(), Erasures(UNKEYED)).write(Batch(profiles=[row]))

        found = store.session().execute("SELECT profile_id, stage, segment, identifiers FROM profiles").fetchall()

    assert [("c\ufffd,\"'\n", "", None, '["a\ufffd\ufffd", "b\\\\u0000"]')] == found
