"""Deletes what is erased, within the transaction of a batch.

An erasure names nobody: it holds a keyed hash. So the hashes of all identifiers in the tables are made, at about a
second for a million of them, and compared. Erasures are rare, and nothing else finds the touchpoints of an identifier
whatever is left of the log.
"""

from collections.abc import Mapping

from journey_stream.events.erasures import ErasureKey, Spans, is_whole
from journey_stream.serve.store.store import Session

_MESSAGES = (("stage_messages", "entered_at"), ("risk_messages", "entered_at"), ("identity_messages", '"at"'))


def delete_touchpoints(session: Session, key: ErasureKey, erased: Mapping[bytes, Spans]) -> set[str]:
    """Delete the touchpoints that lie in the spans; returns the profiles that had them.

    Makes the table `uncovered` of what was deleted: repeats of it may count now.
    """
    session.execute("CREATE TEMPORARY TABLE uncovered (event_id VARCHAR, occurred_at BIGINT)")
    losers: set[str] = set()
    for owner, spans in _named(session, "SELECT DISTINCT owner_id FROM touchpoints", key, erased):
        for since, until in spans:
            where, parameters = "owner_id = ? AND occurred_at BETWEEN ? AND ?", [owner, since, until]
            rows = session.execute(f"SELECT DISTINCT profile_id FROM touchpoints WHERE {where}", parameters)
            losers |= {profile_id for (profile_id,) in rows.fetchall()}
            session.execute(
                f"INSERT INTO uncovered SELECT event_id, occurred_at FROM touchpoints WHERE {where}", parameters
            )
            session.execute(f"DELETE FROM touchpoints WHERE {where}", parameters)
            session.execute("DELETE FROM passed WHERE via = ? AND occurred_at BETWEEN ? AND ?", parameters)
    return losers


def delete_links(session: Session, key: ErasureKey, erased: Mapping[bytes, Spans]) -> set[str]:
    """Delete what is told of links to those who are erased, by identifiers that are not; returns these.

    The topic keeps such messages for as long as its retention says; here nothing would ever end them.
    """
    found: set[str] = set()
    query = "SELECT DISTINCT parent FROM identity_messages WHERE parent IS NOT NULL"
    for parent, spans in _named(session, query, key, erased):
        for since, until in spans:
            where, parameters = 'parent = ? AND "at" BETWEEN ? AND ?', [parent, since, until]
            rows = session.execute(f"SELECT DISTINCT profile_id FROM identity_messages WHERE {where}", parameters)
            found |= {profile_id for (profile_id,) in rows.fetchall()}
            session.execute(f"DELETE FROM identity_messages WHERE {where}", parameters)
    return found


def delete_messages(session: Session, key: ErasureKey, erased: Mapping[bytes, Spans]) -> set[str]:
    """Delete the messages of those who are erased wholly, for when the null values after them were missed."""
    found: set[str] = set()
    for table, instant in _MESSAGES:
        for profile_id, spans in _named(session, f"SELECT DISTINCT profile_id FROM {table}", key, erased):
            if is_whole(spans):
                session.execute(
                    f"DELETE FROM {table} WHERE profile_id = ? AND {instant} <= ?", [profile_id, spans[0][1]]
                )
                found.add(profile_id)
    return found


def _named(session: Session, query: str, key: ErasureKey, erased: Mapping[bytes, Spans]) -> list[tuple[str, Spans]]:
    found = []
    for (one,) in session.execute(query).fetchall():
        spans = erased.get(key.name_of(one))
        if spans:
            found.append((one, spans))
    return found
