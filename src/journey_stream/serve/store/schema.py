"""The tables that the topics are projected into. Instants are whole milliseconds since the Unix epoch, UTC.

DuckDB gets no keys and no indexes: the writer keeps each `key` unique itself, by joins that skip what lies at other
times, which is faster than an index and leaves a smaller file. PostgreSQL gets indexes, and keys that are short enough.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple, get_args

SCHEMA_VERSION: Final = 1
"""To be raised with every change that an existing database does not have."""

DialectName = Literal["duckdb", "postgresql"]

_BY_BYTES: Final = ' COLLATE "C"'
"""Texts are in the order of their bytes, whatever the language of the database is."""

ColumnType = Literal["VARCHAR", "BIGINT", "INTEGER", "DOUBLE PRECISION", "BOOLEAN"]


class Column(NamedTuple):
    """`nullable` columns hold NULL where the record says nothing; instants are numbers of ms."""

    name: str
    type: ColumnType
    nullable: bool
    is_instant: bool


class Table(NamedTuple):
    """`key` names the columns that tell one row from all others, `indexes` those that rows are looked for by.

    A key is long if it may be more than an index of PostgreSQL takes (2,704 bytes).
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    indexes: tuple[tuple[str, ...], ...] = ()
    has_long_key: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def _columns(declared: str) -> tuple[Column, ...]:
    types: dict[str, ColumnType] = {
        "text": "VARCHAR",
        "ms": "BIGINT",
        "big": "BIGINT",
        "int": "INTEGER",
        "float": "DOUBLE PRECISION",
        "bool": "BOOLEAN",
    }
    found = []
    for column in declared.split():
        name, _, kind = column.partition(":")
        base = kind.removesuffix("?")
        found.append(Column(name, types[base], kind.endswith("?"), base == "ms"))
    return tuple(found)


TOUCHPOINTS: Final = Table(
    # A row for each touchpoint of journey.log, repeats included. `owner_id` is the identifier that it came with,
    # `profile_id` whom it belongs to now. `refused` rows count nowhere: `rejected` ones, which went to the dead
    # letters, those that repeat another, and those on an identifier that is nobody's.
    "touchpoints",
    _columns(
        "event_id:text occurred_at:ms arrived_at:ms owner_id:text profile_id:text channel:text type:text "
        "campaign:text? value:float? currency:text? refused:bool rejected:bool "
        "source_topic:text source_partition:int source_offset:big log_partition:int log_offset:big"
    ),
    ("event_id", "occurred_at", "owner_id", "source_topic", "source_partition", "source_offset"),
    (("event_id", "occurred_at"), ("profile_id",), ("owner_id",), ("source_offset",)),
    has_long_key=True,
)
PASSED: Final = Table(
    # What the identifier `via` has passed on to the higher one `receiver` and not taken back: `count` is never 0.
    "passed",
    _columns("via:text receiver:text event_id:text occurred_at:ms count:big"),
    ("event_id", "occurred_at", "via", "receiver"),
    (("event_id", "occurred_at"), ("via",), ("receiver",)),
    has_long_key=True,
)
NOBODY: Final = Table(
    # Identifiers that are shared or blocked: what happened on them from `since` on belongs to nobody.
    "nobody",
    _columns("profile_id:text kind:text since:ms"),
    ("profile_id", "kind"),
)
DEAD_LETTERS: Final = Table(
    # journey.dead-letters: its own position and that of the source. `event_id` and what follows only where no position
    # names the touchpoint, because what was refused came with another record.
    "dead_letters",
    _columns(
        "partition:int offset:big reason:text stage:text source_topic:text source_partition:int source_offset:big "
        "event_id:text? occurred_at:ms? channel:text? type:text?"
    ),
    ("partition", "offset"),
    (("source_offset",), ("event_id",)),
)
STAGE_MESSAGES: Final = Table(
    # journey.stage-changes. Per change_id the highest revision wins; `standing` is that row if it is `entered`.
    "stage_messages",
    _columns(
        "profile_id:text revision:big change_id:text kind:text from_stage:text? to_stage:text entered_at:ms "
        "seconds_in_previous:float? current:bool cause:text rule:text text:text evidence:text silent_since:ms? "
        "window_seconds:big? model_name:text model_version:big standing:bool"
    ),
    ("profile_id", "revision"),
    (("change_id",),),
)
RISK_MESSAGES: Final = Table(
    # journey.churn-risk, likewise by risk_id.
    "risk_messages",
    _columns(
        "profile_id:text revision:big risk_id:text kind:text band:text previous_band:text? probability:float "
        "window_days:float entered_at:ms current:bool cause:text text:text evidence:text silent_since:ms? "
        "typical_log_odds:float contributions:text model_name:text model_version:big standing:bool"
    ),
    ("profile_id", "revision"),
    (("risk_id",),),
)
IDENTITY_MESSAGES: Final = Table(
    # journey.identity-changes.
    "identity_messages",
    _columns(
        "profile_id:text revision:big identity_id:text kind:text parent:text? at:ms reason:text text:text "
        "evidence:text merged_into:text?"
    ),
    ("profile_id", "revision"),
    (("parent",),),
)
PROFILES: Final = Table(
    # journey.profiles: the present view of each.
    "profiles",
    _columns(
        "profile_id:text stage:text? entered_at:ms? previous_stage:text? rule:text? last_touchpoint_at:ms "
        "updated_at:ms overflow:bool identifiers:text band:text? probability:float? risk_since:ms? segment:text? "
        "rfm_recency:int? rfm_frequency:int? rfm_monetary:int? revision:big"
    ),
    ("profile_id",),
    (("last_touchpoint_at",),),
)
ERASURES: Final = Table(
    # journey.erasures: under keyed names, the spans of time in which an identifier is erased.
    "erasures",
    _columns("name:text since:ms until:ms"),
    ("name", "since"),
)
OFFSETS: Final = Table(
    # How far each partition is contained in the tables.
    "offsets",
    _columns("topic:text partition:int next_offset:big"),
    ("topic", "partition"),
)
META: Final = Table(
    # `version` counts the batches, `dead_letters` the rows of that table; the others say what made the database.
    "meta",
    _columns("key:text value:text"),
    ("key",),
)

TABLES: Final = (
    *(TOUCHPOINTS, PASSED, NOBODY, DEAD_LETTERS, STAGE_MESSAGES, RISK_MESSAGES, IDENTITY_MESSAGES, PROFILES),
    *(ERASURES, OFFSETS, META),
)


def ddl(dialect: DialectName) -> Iterator[str]:
    """The statements that make all tables."""
    for table in TABLES:
        types = {**dict.fromkeys(get_args(ColumnType), ""), "VARCHAR": _BY_BYTES if dialect == "postgresql" else ""}
        columns = [
            f'"{one.name}" {one.type}{types[one.type]}{"" if one.nullable else " NOT NULL"}' for one in table.columns
        ]
        if dialect == "postgresql" and not table.has_long_key:
            columns.append(f"PRIMARY KEY ({quoted(table.key)})")
        yield f"CREATE TABLE IF NOT EXISTS {table.name} ({', '.join(columns)})"
        if dialect == "postgresql":
            for index in table.indexes:
                name = f"{table.name}_by_{'_'.join(index)}"
                yield f"CREATE INDEX IF NOT EXISTS {name} ON {table.name} ({quoted(index)})"


def quoted(names: Iterable[str]) -> str:
    """The names of columns, for a statement: some are words of SQL."""
    return ", ".join(f'"{name}"' for name in names)
