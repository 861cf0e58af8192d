"""The tables in a database of PostgreSQL, which one process projects into and any number read from."""

import io
import re
import time
from collections.abc import Sequence
from typing import Any, Final

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg.conninfo import conninfo_to_dict
from pyarrow import csv

from journey_stream.serve.queries.facts_tables import TABLES as FACTS
from journey_stream.serve.store.errors import StoreError
from journey_stream.serve.store.meta import Origin, check, claim
from journey_stream.serve.store.schema import TABLES, DialectName, ddl

SCHEMES: Final = ("postgresql://", "postgres://")
LOCK_SECONDS_MAX: Final = 10.0
"""After kill -9, or of a host that is gone, the server may need a moment to let go of what that process held."""

_LOCK: Final = 0x6A6F75726E6579
_CONNECT_SECONDS_MAX: Final = 10
_TYPES: Final = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.int32(): "INTEGER",
    pa.float64(): "DOUBLE PRECISION",
    pa.bool_(): "BOOLEAN",
}
# PostgreSQL keeps no NUL in a text, plain or written in JSON: the sign for what cannot be shown takes its place.
_NUL_IN_JSON: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
_JSON_COLUMNS: Final = ("evidence", "identifiers", "contributions")
_REPLACEMENT: Final = "\ufffd"

Cursor = psycopg.Cursor[tuple[Any, ...]]


class PostgresConnection:
    """A connection for one thread, opened by the first statement, and by the one after that which lost it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def execute(self, query: str, parameters: Sequence[object] = (), /) -> Cursor:
        if self._connection is None or self._connection.closed:
            self._connection = _connect(self._url)
        return _execute(self._connection, query, parameters)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class PostgresSession:
    """The connection that writes. It holds the lock of the one that projects: whoever loses it can write no more."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    def execute(self, query: str, parameters: Sequence[object] = (), /) -> Cursor:
        return _execute(self._connection, query, parameters)

    def load(self, name: str, table: pa.Table) -> None:
        columns = ", ".join(f'"{field.name}" {_TYPES[field.type]}' for field in table.schema)
        self.execute(f"DROP TABLE IF EXISTS {name}")
        self.execute(f"CREATE TEMPORARY TABLE {name} ({columns}) ON COMMIT DROP")
        if not table.num_rows:
            return
        for column in _JSON_COLUMNS:
            table = _without_nul(table, column)
        # Texts are in quotation marks, what is missing is not: so that an empty text stays one.
        content = io.BytesIO()
        csv.write_csv(table, content, csv.WriteOptions(include_header=False, quoting_style="needed"))
        copied = content.getvalue().replace(b"\x00", _REPLACEMENT.encode())
        with self._connection.cursor() as cursor, cursor.copy(_sql(f"COPY {name} FROM STDIN (FORMAT csv)")) as copy:
            copy.write(copied)

    def close(self) -> None:
        """Leaves the connection to the store, whose lock it is."""


class PostgresStore:
    """`read_only` neither projects nor makes tables. Raises StoreError if the database cannot be used."""

    dialect: DialectName = "postgresql"
    failures: tuple[type[Exception], ...] = (psycopg.Error,)

    def __init__(self, url: str, origin: Origin, *, read_only: bool = False, rebuild: bool = False) -> None:
        self._url, self._described = url, _describe(url)
        self.read_only = read_only
        try:
            self._connection = _connect(url)
        except psycopg.Error as error:
            reason = str(error).strip().rstrip(".")
            raise StoreError(
                f"{self._described.capitalize()} cannot be opened: {reason}. Check serve_database and that the server "
                "runs; the password belongs in a file that PGPASSFILE names, or in ~/.pgpass."
            ) from error
        try:
            self._prepare(origin, rebuild=rebuild)
        except psycopg.Error as error:
            self._connection.close()
            raise StoreError(
                f"{self._described.capitalize()} does not take our tables: {str(error).strip()}. The role needs the "
                "right to make tables and schemas there; --rebuild makes ours anew from the topics."
            ) from error
        except StoreError:
            self._connection.close()
            raise

    def connect(self) -> PostgresConnection:
        return PostgresConnection(self._url)

    def session(self) -> PostgresSession:
        return PostgresSession(self._connection)

    def describe(self) -> str:
        return self._described

    def close(self) -> None:
        self._connection.close()

    def _prepare(self, origin: Origin, *, rebuild: bool) -> None:
        session = self.session()
        if self.read_only:
            ((found,),) = session.execute("SELECT to_regclass('meta') IS NOT NULL").fetchall()
            if not found:
                raise StoreError(
                    f"{self._described.capitalize()} has no tables of ours yet. Start journey-stream serve without "
                    "--read-only first: that one makes and fills them."
                )
            check(session, origin, self._described)
            return
        self._lock(session)
        session.execute("SET client_min_messages = warning")
        session.execute("BEGIN")
        if rebuild:
            session.execute("DROP SCHEMA IF EXISTS facts CASCADE")
            for table in TABLES:
                session.execute(f"DROP TABLE IF EXISTS {table.name}")
        for statement in ddl(self.dialect):
            session.execute(statement)
        if _facts_of_another_form(session):
            # Derived, and read again at every start.
            session.execute("DROP SCHEMA facts CASCADE")
        session.execute("CREATE SCHEMA IF NOT EXISTS facts")
        for name, columns in FACTS.items():
            session.execute(f"CREATE TABLE IF NOT EXISTS facts.{name} ({columns})")
        claim(session, origin, self._described)
        session.execute("COMMIT")

    def _lock(self, session: PostgresSession) -> None:
        deadline = time.monotonic() + LOCK_SECONDS_MAX
        while not session.execute("SELECT pg_try_advisory_lock(?)", [_LOCK]).fetchall()[0][0]:
            if time.monotonic() > deadline:
                raise StoreError(
                    f"Another process projects into {self._described}, and only one may. Start this one with "
                    "--read-only to show the map from there, stop the other one, or name another database."
                )
            time.sleep(0.2)


def _facts_of_another_form(session: PostgresSession) -> bool:
    """Whether there are derived tables which another version has made, with other columns."""
    found = session.execute(
        "SELECT table_name, string_agg(column_name, ' ' ORDER BY ordinal_position) "
        "FROM information_schema.columns WHERE table_schema = 'facts' GROUP BY table_name"
    ).fetchall()
    ours = {name: " ".join(column.split()[0] for column in columns.split(", ")) for name, columns in FACTS.items()}
    return any(ours.get(name) != columns for name, columns in found)


def _without_nul(table: pa.Table, column: str) -> pa.Table:
    """The table with every NUL replaced that the JSON in a column writes as an escape."""
    if column not in table.column_names or not pc.any(pc.match_substring(table[column], r"\u0000")).as_py():
        return table
    texts = [None if one is None else _NUL_IN_JSON.sub(rf"\1{_REPLACEMENT}", one) for one in table[column].to_pylist()]
    return table.set_column(table.column_names.index(column), column, pa.array(texts, pa.string()))


def _connect(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    options: dict[str, Any] = {
        "connect_timeout": _CONNECT_SECONDS_MAX,
        "application_name": "journey-stream",
        # A host that is gone without a word is noticed within half a minute, here and, for the sake of the lock that
        # this connection may hold, there.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        "options": "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
    }
    return psycopg.connect(url, autocommit=True, **{n: v for n, v in options.items() if f"{n}=" not in url})


def _execute(connection: psycopg.Connection[tuple[Any, ...]], query: str, parameters: Sequence[object]) -> Cursor:
    if not parameters:
        return connection.execute(_sql(query))
    return connection.execute(_sql(query.replace("%", "%%").replace("?", "%s")), list(parameters))


def _sql(query: str) -> bytes:
    """Statements are put together of constants, of which the driver's type for texts cannot be convinced."""
    return query.encode()


def _describe(url: str) -> str:
    """Raises StoreError for what is no address, or one with a password, which the list of processes would show."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        # The error quotes what it cannot read, and that may be a password.
        raise StoreError(
            "serve_database is no address of PostgreSQL. Expected something like "
            "postgresql://map@db.example.org/journey_map, with % and what has a meaning in addresses written as %25."
        ) from None
    if parts.get("password") or parts.get("sslpassword"):
        raise StoreError(
            "serve_database holds a password, which would stand in the list of processes and in configuration files. "
            "Take it out and put it into a file that PGPASSFILE names, or into ~/.pgpass."
        )
    return f"the database {parts.get('dbname', '')} of PostgreSQL on {parts.get('host', 'this machine')}"
