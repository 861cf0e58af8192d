"""A durable memory for a subscriber: one SQLite file."""

import sqlite3
from pathlib import Path

from journey_stream.subscribe.reactions import Seen

_CREATE = "CREATE TABLE IF NOT EXISTS seen (change_id TEXT PRIMARY KEY, revision INTEGER, acted INTEGER) WITHOUT ROWID"
_GET = "SELECT revision, acted FROM seen WHERE change_id = ?"
_PUT = (
    "INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET revision = excluded.revision, acted = excluded.acted"
)


class SqliteMemory:
    """Remembers in a file, which is made when it is not there. Several workers need a database that they share."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Faust makes its agents in one thread and runs them in another.
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        # Survives the end of the process at any point. Only a power cut may take the last seconds, as a disk's cache.
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute(_CREATE)

    def get(self, change_id: str) -> Seen | None:
        """What is known of a change."""
        row = self._database.execute(_GET, (change_id,)).fetchone()
        return None if row is None else Seen(row[0], bool(row[1]))

    def put(self, change_id: str, seen: Seen) -> None:
        """Remember it; it survives a crash of the process when this returns."""
        self._database.execute(_PUT, (change_id, seen.revision, seen.acted))

    def close(self) -> None:
        """Close the file."""
        self._database.close()
