"""The tables in a file of DuckDB, which one process at a time may open."""

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from journey_stream.serve.store.errors import StoreError
from journey_stream.serve.store.meta import Origin, claim
from journey_stream.serve.store.schema import DialectName, ddl

_MEMORY: Final = ":memory:"


class DuckDBSession:
    """The connection that writes; what is loaded is read where it lies, without a copy."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def execute(self, query: str, parameters: Sequence[object] = (), /) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(query, list(parameters))

    def load(self, name: str, table: pa.Table) -> None:
        self._connection.register(name, table)

    def close(self) -> None:
        self._connection.close()


class DuckDBStore:
    """`path` None keeps everything in memory. Raises StoreError if the file cannot be used."""

    dialect: DialectName = "duckdb"
    read_only = False
    failures: tuple[type[Exception], ...] = (duckdb.Error,)

    def __init__(self, path: Path | None, origin: Origin) -> None:
        self.path = path
        self._database = self._open()
        try:
            for statement in ddl(self.dialect):
                self._database.execute(statement)
            claim(self._database, origin, self.describe())
        except duckdb.Error as error:
            self._database.close()
            raise StoreError(f"{self.describe()} does not take our tables: {error}. {_ANOTHER}") from error
        except StoreError:
            self._database.close()
            raise

    def connect(self) -> duckdb.DuckDBPyConnection:
        return self._database.cursor()

    def session(self) -> DuckDBSession:
        return DuckDBSession(self._database.cursor())

    def describe(self) -> str:
        return "the database in memory" if self.path is None else f"the database {self.path}"

    def close(self) -> None:
        self._database.close()

    def _open(self) -> duckdb.DuckDBPyConnection:
        name = _MEMORY if self.path is None else str(self.path)
        try:
            return duckdb.connect(name)
        except duckdb.IOException as error:
            raise StoreError(f"{self.describe().capitalize()} cannot be opened: {_reason(error)}") from error
        except duckdb.Error as error:
            raise StoreError(f"{self.describe().capitalize()} cannot be opened: {error}. {_ANOTHER}") from error


@contextlib.contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database that no process serves at present, to read from. Raises StoreError if it cannot be used."""
    if not path.exists():
        raise StoreError(f"There is no database {path}. journey-stream serve makes one; its setting is serve_database.")
    # Beside it, in memory, what is worked out of it finds room.
    connection = duckdb.connect(_MEMORY)
    quoted = str(path).replace("'", "''")
    try:
        connection.execute(f"ATTACH '{quoted}' AS stored (READ_ONLY)")
        connection.execute("USE stored")
        connection.execute("SELECT 1 FROM meta")
    except duckdb.Error as error:
        connection.close()
        holder = _holder(error)
        busy = f"{holder} has it open. Ask that one, at /api/attribution, or stop it."
        other = f"{str(error).rstrip('.!')}. Expected one that journey-stream serve has made."
        raise StoreError(f"The database {path} cannot be read: {busy if holder else other}") from error
    with contextlib.closing(connection):
        yield connection


def remove(path: Path) -> None:
    """Delete a database and what belongs to it. Raises StoreError if another process has it open."""
    if not path.exists():
        return
    try:
        duckdb.connect(str(path)).close()
    except duckdb.IOException as error:
        if _holder(error) is not None:
            raise StoreError(f"The database {path} cannot be made anew: {_reason(error)}") from error
    except duckdb.Error:
        pass  # unreadable, which is a reason to make it anew
    for one in (path, path.with_name(f"{path.name}.wal")):
        one.unlink(missing_ok=True)


_ANOTHER: Final = "Name another file with --database, or start with --rebuild to make it anew from the topics."


def _holder(error: duckdb.Error) -> str | None:
    """The process that has the file open, if that is what is wrong."""
    if "lock" not in str(error):
        return None
    found = re.search(r"PID (\d+)", str(error))
    return f"process {found[1]}" if found else "another process"


def _reason(error: duckdb.Error) -> str:
    holder = _holder(error)
    if holder is not None:
        return f"{holder} has it open, and only one may. Stop that one, or name another file with --database."
    if "not a valid DuckDB" in str(error):
        return f"it is no file of DuckDB. {_ANOTHER}"
    return f"{str(error).strip().rstrip('.')}. {_ANOTHER}"
