"""What the numbers need of a database, and the few expressions in which DuckDB and PostgreSQL differ."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

DialectName = Literal["duckdb", "postgresql"]


class Rows(Protocol):
    """The answer to one statement."""

    def fetchall(self) -> list[Any]: ...
    def fetchone(self) -> Any: ...


class Connection(Protocol):
    """A connection for one thread; parameters are written `?`."""

    def execute(self, query: str, parameters: Sequence[object] = ..., /) -> Rows: ...
    def close(self) -> None: ...


class Dialect(NamedTuple):
    """`facts` makes the schema of the derived tables, and `renew` empties one (`{table}`, `{columns}`), both
    before all rows are read again. `for_all` and `for_few` prepare the connection for reading the facts of all
    customers or of a few, and `usual` takes that back. `indexed` are statements that come after all rows. The others
    are templates with `{0}` for an expression.

    `begin` opens a transaction that sees one state of the database from its first statement on. `month` numbers the
    calendar month (UTC) of an instant in ms from January of the year 0, `elements` gives one row per text of a JSON
    array, `binary` orders texts by their bytes, whatever the database's language, `bit` is bit `{1}` of a text of 0
    and 1.
    """

    facts: tuple[str, ...]
    renew: tuple[str, ...]
    indexed: tuple[str, ...]
    for_all: tuple[str, ...]
    for_few: tuple[str, ...]
    usual: tuple[str, ...]
    begin: str
    month: str
    elements: str
    binary: str
    bit: str


_MONTH = "CAST(extract(year FROM {0}) * 12 + extract(month FROM {0}) - 1 AS INTEGER)"

# Counting by a whole number of up to so many bits needs no hash table, and takes half the time of it: with ten million
# rows. With a few, to make room for all that the number may be is what takes the time.
_COUNT_IN_ARRAYS = "SET {0} perfect_ht_threshold = {1}"

DIALECTS: dict[DialectName, Dialect] = {
    # In memory, so that the file holds only what came from the topics, and no restart has to mend it.
    "duckdb": Dialect(
        facts=("ATTACH IF NOT EXISTS ':memory:' AS facts (COMPRESS)", _COUNT_IN_ARRAYS.format("GLOBAL", 20)),
        renew=("DROP TABLE IF EXISTS facts.{table}", "CREATE TABLE facts.{table} ({columns})"),
        indexed=(),
        for_all=(),
        for_few=(_COUNT_IN_ARRAYS.format("SESSION", 12),),
        usual=(_COUNT_IN_ARRAYS.format("SESSION", 20),),
        begin="BEGIN TRANSACTION",
        month=_MONTH.replace("{0}", "epoch_ms({0})"),
        elements="""unnest(from_json({0}, '["VARCHAR"]'))""",
        binary="{0}",
        bit="get_bit(CAST('{0}' AS BIT), {1})",
    ),
    "postgresql": Dialect(
        facts=("CREATE SCHEMA IF NOT EXISTS facts",),
        # Readers of the state before must still find its rows, so that the table may be neither new nor truncated.
        renew=("CREATE TABLE IF NOT EXISTS facts.{table} ({columns})", "DELETE FROM facts.{table}"),
        indexed=(
            *(
                f"CREATE INDEX IF NOT EXISTS {table}_by_no ON facts.{table} (no)"
                for table in ("customers", "changes", "touches", "months")
            ),
            "CREATE INDEX IF NOT EXISTS customers_by_profile_id ON facts.customers (profile_id)",
        ),
        # What a change is a sort of, the planner takes for rare, and would look for its customer row by row.
        for_all=("SET enable_nestloop = off",),
        for_few=(),
        usual=("SET enable_nestloop = on",),
        begin="BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        month=_MONTH.replace("{0}", "(to_timestamp({0} / 1000.0) AT TIME ZONE 'UTC')"),
        elements="jsonb_array_elements_text(CAST({0} AS jsonb))",
        binary='{0} COLLATE "C"',
        bit="get_bit(CAST('{0}' AS BIT VARYING), {1})",
    ),
}
