"""The file of DuckDB: made, found again, and refused with a sentence that says what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from journey_stream.serve.store.duckdb_store import DuckDBStore, remove
from journey_stream.serve.store.errors import StoreError
from journey_stream.serve.store.meta import Origin

OURS = Origin("app", "journey.")
HOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def test_a_database_is_made_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "map.duckdb"

    for _ in range(2):
        DuckDBStore(path, OURS).close()

    assert path.exists()


@pytest.mark.parametrize("other", [Origin("other", "journey."), Origin("app", "other.")])
def test_the_database_of_another_application_is_refused_and_left_as_it_is(tmp_path: Path, other: Origin) -> None:
    path = tmp_path / "map.duckdb"
    DuckDBStore(path, other).close()

    with pytest.raises(StoreError, match=r"was made with .*other.*--rebuild.*--database"):
        DuckDBStore(path, OURS)

    DuckDBStore(path, other).close()


def test_the_database_of_another_release_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "map.duckdb"
    DuckDBStore(path, OURS).close()
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE meta SET value = '0' WHERE key = 'schema_version'")

    with pytest.raises(StoreError, match=r"schema_version '0'.*--rebuild"):
        DuckDBStore(path, OURS)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "map.duckdb"
    path.write_text("touchpoints, in a way\n" * 1_000)

    with pytest.raises(StoreError, match=r"no file of DuckDB.*--database"):
        DuckDBStore(path, OURS)


def test_a_database_that_another_process_has_open_is_refused_and_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "map.duckdb"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert b"open\n" == holder.stdout.readline()

        with pytest.raises(StoreError, match=rf"process {holder.pid} has it open.*Stop that one.*--database"):
            DuckDBStore(path, OURS)
        with pytest.raises(StoreError, match=r"cannot be made anew.*has it open"):
            remove(path)

        holder.communicate()
    assert path.exists()


def test_a_removed_database_is_gone_with_its_log_of_changes(tmp_path: Path) -> None:
    path = tmp_path / "map.duckdb"
    DuckDBStore(path, OURS).close()
    path.with_name("map.duckdb.wal").touch()

    remove(path)

    assert [] == list(tmp_path.iterdir())
