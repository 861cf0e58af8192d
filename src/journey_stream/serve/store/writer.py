"""Writes batches: rows, corrections of rows and offsets in one transaction. A crash loses and doubles nothing."""

import time
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from journey_stream.events.erasures import Erasures
from journey_stream.serve.store import meta, schema
from journey_stream.serve.store.batch import PASS_COLUMNS, TOUCHPOINT_COLUMNS, Batch, Row, arrow_table, columns_of
from journey_stream.serve.store.erasing import delete_links, delete_messages, delete_touchpoints
from journey_stream.serve.store.schema import Table, quoted
from journey_stream.serve.store.store import Session
from journey_stream.serve.store.touchpoints import place

_TOUCHPOINTS: Final = columns_of(schema.TOUCHPOINTS, TOUCHPOINT_COLUMNS)
_PASSES: Final = columns_of(schema.PASSED, PASS_COLUMNS)
_HISTORIES: Final = ((schema.STAGE_MESSAGES, "change_id"), (schema.RISK_MESSAGES, "risk_id"))


class Written(NamedTuple):
    """`version` counts batches; `profiles` are those of which something is different now, None for unknown."""

    version: int
    profiles: set[str] | None


class Writer:
    """The one that writes; keeps the erasures that the store knows. For one thread at a time."""

    def __init__(self, session: Session, erasures: Erasures) -> None:
        self._session = session
        self._erasures = erasures
        self.version = int(self._meta(meta.VERSION))

    @property
    def offsets(self) -> dict[tuple[str, int], int]:
        """By topic and partition, the next offset to read."""
        rows = self._session.execute("SELECT topic, partition, next_offset FROM offsets").fetchall()
        return {(topic, partition): offset for topic, partition, offset in rows}

    @property
    def committed_at(self) -> int:
        """When the last batch was written, by this machine's clock (ms); 0 for never."""
        return int(self._meta(meta.COMMITTED_AT))

    def forget_topic(self, topic: str, table: str) -> None:
        """Empty the table of a topic that is to be read from its beginning again."""
        self._session.execute("BEGIN TRANSACTION")
        self._session.execute(f"DELETE FROM {table}")
        self._session.execute("DELETE FROM offsets WHERE topic = ?", [topic])
        self._session.execute("COMMIT")

    def write(self, batch: Batch) -> Written:
        """All of it or nothing."""
        session = self._session
        session.execute("BEGIN TRANSACTION")
        try:
            profiles = self._apply(batch)
            version = self.version + 1
            self._set_meta(meta.VERSION, version)
            self._set_meta(meta.COMMITTED_AT, time.time_ns() // 1_000_000)
        except BaseException:
            session.execute("ROLLBACK")
            raise
        session.execute("COMMIT")
        self.version = version
        return Written(version, profiles)

    def _apply(self, batch: Batch) -> set[str] | None:
        profiles: set[str] = set()
        for table, gone in batch.gone.items():
            self._delete(table, gone)
            profiles |= gone
        for history, id_column in _HISTORIES:
            profiles |= self._write_history(history, id_column, getattr(batch, history.name))
        nobody = self._write_identities(batch.identity_messages)
        profiles |= {row[0] for row in batch.identity_messages}
        self._insert(schema.PROFILES, batch.profiles)
        profiles |= self._write_touchpoints(batch, nobody=nobody)
        self._note_offsets(batch)
        return profiles

    def _write_history(self, table: Table, id_column: str, rows: Sequence[Row]) -> set[str]:
        """Messages in the order of their revisions: the last one about a change decides whether it stands."""
        if not rows:
            return set()
        last = {(row[0], row[2]): number for number, row in enumerate(rows)}
        standing = [(*row, row[3] == "entered" and last[row[0], row[2]] == at) for at, row in enumerate(rows)]
        self._session.load(f"in_{table.name}", arrow_table(table.columns, standing))
        if any(row[3] == "retracted" for row in rows):
            self._session.execute(
                f"UPDATE {table.name} AS m SET standing = FALSE FROM "
                f"(SELECT DISTINCT profile_id, {id_column} FROM in_{table.name} WHERE kind = 'retracted') r "
                f"WHERE m.standing AND m.profile_id = r.profile_id AND m.{id_column} = r.{id_column}"
            )
        self._insert_loaded(table)
        return {row[0] for row in rows}

    def _write_identities(self, rows: Sequence[Row]) -> bool:
        """Returns whether an identifier is found to be nobody's, or from another time on."""
        nobody = {(row[0], row[3]): row[5] for row in rows if row[3] in {"shared", "blocked"}}
        found = [(profile_id, kind, since) for (profile_id, kind), since in nobody.items()]
        self._session.load("in_nobody", arrow_table(schema.NOBODY.columns, found))
        self._insert(schema.IDENTITY_MESSAGES, rows)
        if nobody:
            self._session.execute(
                "DELETE FROM nobody USING in_nobody i WHERE nobody.profile_id = i.profile_id AND nobody.kind = i.kind"
            )
            self._insert_loaded(schema.NOBODY)
        return bool(nobody)

    def _write_touchpoints(self, batch: Batch, *, nobody: bool) -> set[str]:
        profiles, uncovered = self._erase(batch)
        letters = batch.dead_letters
        if not (batch.touchpoints or batch.passes or letters or nobody or uncovered):
            return profiles
        session = self._session
        session.load("in_touchpoints", arrow_table(_TOUCHPOINTS, batch.touchpoints))
        session.load("in_passes", arrow_table(_PASSES, batch.passes))
        session.load("in_dead_letters", arrow_table(schema.DEAD_LETTERS.columns, letters))
        if letters:
            self._insert_loaded(schema.DEAD_LETTERS)
            ((count,),) = session.execute("SELECT count(*) FROM dead_letters").fetchall()
            self._set_meta(meta.DEAD_LETTERS, count)
        profiles |= place(session, passes=bool(batch.passes), letters=bool(letters), nobody=nobody, uncovered=uncovered)
        if uncovered:
            session.execute("DROP TABLE uncovered")
        return profiles

    def _erase(self, batch: Batch) -> tuple[set[str], bool]:
        """Returns the profiles that have lost something, and whether there is a table `uncovered`."""
        for name, spans in batch.erased.items():
            self._session.execute("DELETE FROM erasures WHERE name = ?", [name.hex()])
            for since, until in spans:
                self._session.execute("INSERT INTO erasures VALUES (?, ?, ?)", [name.hex(), since, until])
        erased = dict(self._erasures.items()) if batch.erase_all else batch.erased
        if not erased:
            return set(), False
        session, key = self._session, self._erasures.key
        profiles = delete_messages(session, key, erased) if batch.erase_all else set()
        return profiles | delete_links(session, key, erased) | delete_touchpoints(session, key, erased), True

    def _delete(self, table: str, profile_ids: set[str]) -> None:
        column = schema.PROFILES.columns[:1]
        self._session.load("in_gone", arrow_table(column, [(one,) for one in profile_ids]))
        self._session.execute(f"DELETE FROM {table} WHERE profile_id IN (SELECT profile_id FROM in_gone)")
        if table == schema.IDENTITY_MESSAGES.name:
            self._session.execute("DELETE FROM nobody WHERE profile_id IN (SELECT profile_id FROM in_gone)")

    def _insert(self, table: Table, rows: Sequence[Row]) -> None:
        if rows:
            self._session.load(f"in_{table.name}", arrow_table(table.columns, rows))
            self._insert_loaded(table)

    def _insert_loaded(self, table: Table) -> None:
        names = quoted(table.names)
        self._session.execute(f"INSERT INTO {table.name} ({names}) SELECT {names} FROM in_{table.name}")

    def _note_offsets(self, batch: Batch) -> None:
        for (topic, partition), next_offset in batch.offsets.items():
            self._session.execute("DELETE FROM offsets WHERE topic = ? AND partition = ?", [topic, partition])
            self._session.execute("INSERT INTO offsets VALUES (?, ?, ?)", [topic, partition, next_offset])

    def _meta(self, key: str) -> str:
        row: Any = self._session.execute("SELECT value FROM meta WHERE key = ?", [key]).fetchone()
        return str(row[0])

    def _set_meta(self, key: str, value: int) -> None:
        self._session.execute("UPDATE meta SET value = ? WHERE key = ?", [str(value), key])


def read_erasures(session: Session, erasures: Erasures) -> None:
    """Take over the erasures that a store knows."""
    for name, since, until in session.execute("SELECT name, since, until FROM erasures").fetchall():
        erasures.add(bytes.fromhex(name), [(since, until)])
