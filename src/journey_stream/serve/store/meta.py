"""What a database says of itself: who made it, and how far it has come."""

from typing import Final, NamedTuple

from journey_stream.serve.store.errors import StoreError
from journey_stream.serve.store.schema import SCHEMA_VERSION
from journey_stream.serve.store.store import Connection

VERSION: Final = "version"
DEAD_LETTERS: Final = "dead_letters"
COMMITTED_AT: Final = "committed_at"


class Origin(NamedTuple):
    """What the rows were read from. A database belongs to one of them for good."""

    application_id: str
    topic_prefix: str


def claim(connection: Connection, origin: Origin, described: str) -> None:
    """Note in a new database whose it is, or check it. Raises StoreError for another's."""
    if connection.execute("SELECT 1 FROM meta LIMIT 1").fetchone() is not None:
        check(connection, origin, described)
        return
    for key, value in {**_ours(origin), VERSION: "0", DEAD_LETTERS: "0", COMMITTED_AT: "0"}.items():
        connection.execute("INSERT INTO meta VALUES (?, ?)", [key, value])


def check(connection: Connection, origin: Origin, described: str) -> None:
    """Raises StoreError for a database that is another's."""
    found = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    for key, value in _ours(origin).items():
        if found.get(key) != value:
            raise StoreError(
                f"{described} was made with {key} {found.get(key)!r}, and this is {value!r}. It holds nothing but what "
                "the topics told: start with --rebuild to empty it and read them again (what they no longer hold, "
                "because of their retention, is lost then), or name another database with --database."
            )


def _ours(origin: Origin) -> dict[str, str]:
    return {"schema_version": str(SCHEMA_VERSION), **origin._asdict()}
