"""Keeps the derived tables in step with what the projection has committed."""

from collections.abc import Collection, Iterable, Sequence

from journey_stream.serve.queries.connection import Connection, Dialect
from journey_stream.serve.queries.facts_sql import (
    BUCKET_OF_FEW,
    OF_ALL,
    PROGRESS,
    THEIRS,
    Sources,
    bucket_of_many,
    keep_news,
    read_news,
    sample,
)
from journey_stream.serve.queries.facts_tables import NO_STAY, OF_CUSTOMERS, TABLES

_REWRITTEN_SHARE_MAX = 0.5
_REWRITTEN_MIN = 10_000

_IS_DIRTY = "profile_id IN (SELECT profile_id FROM dirty)"


class Facts:
    """The derived tables; one thread at a time may call `refresh`, on its own connection."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._rewritten = 0
        self._customers = 0

    def refresh(self, connection: Connection, profiles: Collection[str] | None = None) -> int:
        """Read the rows of these profiles again (None: of all) and return the version of the store that was read.

        Readers see either all of it or nothing: it is one transaction.
        """
        # Deleted rows take up room until the table is written anew.
        if profiles is not None and self._rewritten + len(profiles) > self._room:
            profiles = None
        if profiles is None:
            _run(connection, (*self.dialect.facts, *self.dialect.for_all))
        else:
            _run(connection, self.dialect.for_few)
        connection.execute(self.dialect.begin)
        try:
            if profiles is None:
                self._read_all(connection)
            else:
                self._read_some(connection, profiles)
            version = self._note_progress(connection)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        else:
            connection.execute("COMMIT")
        finally:
            _run(connection, self.dialect.usual)
        self._rewritten = 0 if profiles is None else self._rewritten + len(profiles)
        return version

    @property
    def _room(self) -> float:
        return max(_REWRITTEN_MIN, self._customers * _REWRITTEN_SHARE_MAX)

    def _read_all(self, connection: Connection) -> None:
        for table, columns in TABLES.items():
            for statement in self.dialect.renew:
                connection.execute(statement.format(table=table, columns=columns))
        _run(connection, self.dialect.indexed)
        connection.execute("CREATE TEMPORARY TABLE known (no INTEGER, profile_id VARCHAR)")
        self._read_news(connection, OF_ALL)
        (customers,) = connection.execute("SELECT count(*) FROM filled").fetchone()
        bounds = _bounds([stayed_ms for (stayed_ms,) in connection.execute(sample(customers)).fetchall()])
        if bounds:
            connection.execute(f"INSERT INTO facts.bounds VALUES {', '.join(f'({bound})' for bound in bounds)}")
        self._keep_news(connection, OF_ALL, bucket_of_many(bounds))

    def _read_some(self, connection: Connection, profiles: Collection[str]) -> None:
        connection.execute("CREATE TEMPORARY TABLE dirty (profile_id VARCHAR)")
        connection.execute("INSERT INTO dirty SELECT unnest(CAST(? AS VARCHAR[]))", [list(profiles)])
        # Rows of these customers are looked for once in each table, not by every statement that reads them.
        for theirs, table in zip(THEIRS, OF_ALL, strict=True):
            connection.execute(f"CREATE TEMPORARY TABLE {theirs} AS SELECT * FROM {table} WHERE {_IS_DIRTY}")
        connection.execute(
            f"CREATE TEMPORARY TABLE known AS SELECT no, profile_id FROM facts.customers WHERE {_IS_DIRTY}"
        )
        for table in OF_CUSTOMERS:
            connection.execute(f"DELETE FROM facts.{table} WHERE no IN (SELECT no FROM known)")
        self._read_news(connection, THEIRS)
        self._keep_news(connection, THEIRS, BUCKET_OF_FEW)
        for table in ("dirty", *THEIRS):
            connection.execute(f"DROP TABLE {table}")

    def _read_news(self, connection: Connection, sources: Sources) -> None:
        _run(connection, read_news(self.dialect, sources))

    def _keep_news(self, connection: Connection, sources: Sources, bucket: str) -> None:
        _run(connection, keep_news(self.dialect, sources, bucket))

    def _note_progress(self, connection: Connection) -> int:
        connection.execute("DELETE FROM facts.progress")
        connection.execute(PROGRESS)
        version, customers = connection.execute(
            "SELECT version, (SELECT count(*) FROM facts.customers) FROM facts.progress"
        ).fetchone()
        self._customers = customers
        return int(version)


def _run(connection: Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.execute(statement)


def _bounds(ordered_ms: Sequence[int]) -> list[int]:
    """What divides these lengths of stay into about equal parts; any bounds would do, these make for small buckets."""
    if not ordered_ms:
        return []
    return sorted({ordered_ms[len(ordered_ms) * part // NO_STAY] for part in range(1, NO_STAY)})
