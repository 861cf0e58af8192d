"""Puts what the log tells of touchpoints into the store, within the transaction of a batch."""

from typing import Final

from journey_stream.serve.store import touchpoints_sql as sql
from journey_stream.serve.store.store import Session

HOPS_MAX: Final = 32
"""More than there can be ranks of identifiers: links only go up."""


def place(session: Session, *, passes: bool, letters: bool, nobody: bool, uncovered: bool) -> set[str]:
    """Take in what is loaded as in_touchpoints, in_passes, in_dead_letters and in_nobody.

    The flags say which of the last three have rows; `uncovered` that the table of that name names touchpoints of which
    rows have been deleted. Dead letters and nobody's identifiers stand in their tables already. Returns the profiles
    that have gained or lost a touchpoint.
    """
    has_passed = passes or _has_rows(session, "passed")
    has_letters, has_nobody = _has_rows(session, "dead_letters"), _has_rows(session, "nobody")
    parts = [*sql.TOUCHED]
    parts += sql.TOUCHED_BY_LETTERS if letters else ()
    parts += sql.TOUCHED_BY_NOBODY if nobody else ()
    parts += sql.TOUCHED_BY_ERASURE if uncovered else ()
    session.execute(sql.keys("touched", parts))
    session.execute(sql.KNOWN)
    made = ["touched", "known", "involved"]
    parts = [*sql.INVOLVED]
    if has_passed:
        session.execute(sql.ROUTES)
        session.execute(sql.WAYS)
        made += ["routes", "ways"]
        for statement in sql.PASSED if passes else ():
            session.execute(statement)
        parts += sql.INVOLVED_BY_PASSES
    parts += sql.INVOLVED_BY_LETTERS if has_letters else ()
    parts += sql.INVOLVED_BY_NOBODY if has_nobody else ()
    session.execute(sql.keys("involved", parts))
    session.execute(sql.PLAIN)
    session.execute(sql.PLACED)
    if has_passed:
        _follow(session)
    session.execute(sql.fates(letters=has_letters, nobody=has_nobody))
    session.execute(sql.INSERT)
    if session.execute(sql.HAS_CHANGED).fetchone():
        session.execute(sql.UPDATE)
    concerned = {profile_id for (profile_id,) in session.execute(sql.CONCERNED).fetchall()}
    for table in (*made, "placed", "fates"):
        session.execute(f"DROP TABLE {table}")
    return concerned


def _follow(session: Session) -> None:
    """Let each touchpoint go as far as it has been passed on."""
    for _ in range(HOPS_MAX):
        if not session.execute(sql.IS_ON_THE_WAY).fetchone():
            return
        session.execute(sql.HOP)


def _has_rows(session: Session, table: str) -> bool:
    return session.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None
