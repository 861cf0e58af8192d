"""How the derived tables are filled from the projected ones."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from journey_stream.serve.queries.connection import Dialect
from journey_stream.serve.queries.facts_tables import BITS, BUCKETS, NO_STAY

SAMPLE_CUSTOMERS: Final = 5_000


class Sources(NamedTuple):
    """Where the rows are that the facts are read from."""

    profiles: str
    messages: str
    touchpoints: str


OF_ALL: Final = Sources("profiles", "stage_messages", "touchpoints")

THEIRS: Final = Sources("their_profiles", "their_messages", "their_touchpoints")
"""Temporary tables: the rows of some customers."""

PROGRESS: Final = """
INSERT INTO facts.progress
SELECT
  COALESCE((SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'version'), 0),
  (SELECT max(updated_at) FROM profiles),
  (SELECT max(at_ms) FROM facts.touches),
  COALESCE((SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'dead_letters'), 0)
"""

_STATES = """
INSERT INTO facts.states
SELECT (SELECT COALESCE(max(state), 0) FROM facts.states) + row_number() OVER (ORDER BY stage, band, segment),
  stage, band, segment
FROM (SELECT DISTINCT p.stage, p.band, p.segment FROM {profiles} p) new
WHERE NOT EXISTS (SELECT 1 FROM facts.states s WHERE {same_state})
"""
_SAME_STATE = (
    "s.stage IS NOT DISTINCT FROM {0}.stage AND s.band IS NOT DISTINCT FROM {0}.band "
    "AND s.segment IS NOT DISTINCT FROM {0}.segment"
)

_FILLED = """
CREATE TEMPORARY TABLE filled AS
SELECT k.no, p.profile_id, s.state, s.segment, p.entered_at AS since_ms
FROM {profiles} p JOIN known k ON k.profile_id = p.profile_id JOIN facts.states s ON {same_state}
UNION ALL
SELECT (SELECT COALESCE(max(no), 0) FROM (SELECT no FROM facts.customers UNION ALL SELECT no FROM known) taken)
    + row_number() OVER (ORDER BY p.profile_id),
  p.profile_id, s.state, s.segment, p.entered_at
FROM {profiles} p JOIN facts.states s ON {same_state}
WHERE p.profile_id NOT IN (SELECT profile_id FROM known)
"""

# The trigger of a change is the latest of its evidence; a silence has at most one touchpoint for evidence.
_NEWS = """
CREATE TEMPORARY TABLE news AS
WITH messages AS (
  SELECT c.no, m.profile_id, m.revision, m.standing, m.from_stage, m.to_stage, m.silent_since IS NOT NULL AS silent,
    m.entered_at, m.seconds_in_previous, m.evidence
  FROM {messages} m JOIN filled c ON c.profile_id = m.profile_id
  WHERE m.standing OR m.kind = 'retracted'
), evidence AS (
  SELECT profile_id, revision, {elements} AS event_id FROM messages WHERE standing
), triggers AS (
  SELECT DISTINCT ON (e.profile_id, e.revision) e.profile_id, e.revision, t.channel, t.type
  FROM evidence e JOIN {touchpoints} t ON t.profile_id = e.profile_id AND t.event_id = e.event_id
  WHERE NOT t.refused
  ORDER BY e.profile_id, e.revision, t.occurred_at DESC, {event_id} DESC
)
SELECT m.no, NOT m.standing AS retracted, m.from_stage, m.to_stage, m.silent, t.channel, t.type,
  m.entered_at AS at_ms, CAST(round(m.seconds_in_previous * 1000) AS BIGINT) AS stayed_ms
FROM messages m LEFT JOIN triggers t ON t.profile_id = m.profile_id AND t.revision = m.revision
"""
_SAME_MOVE = (
    "v.retracted = n.retracted AND v.silent = n.silent AND v.to_stage = n.to_stage "
    "AND v.from_stage IS NOT DISTINCT FROM n.from_stage AND v.channel IS NOT DISTINCT FROM n.channel "
    "AND v.type IS NOT DISTINCT FROM n.type"
)
# Sorts of change to one stage follow one another, as their changes do.
_MOVES = f"""
INSERT INTO facts.moves
SELECT (SELECT COALESCE(max(move), 0) FROM facts.moves)
    + row_number() OVER (ORDER BY retracted, to_stage, from_stage, silent, channel, type),
  retracted, from_stage, to_stage, silent, channel, type
FROM (SELECT DISTINCT retracted, from_stage, to_stage, silent, channel, type FROM news) n
WHERE NOT EXISTS (SELECT 1 FROM facts.moves v WHERE {_SAME_MOVE})
"""
# Together by stage and then by customer, so that a look at some of them passes over the others.
_CHANGES = f"""
INSERT INTO facts.changes
SELECT no, code, at_ms, stayed_ms, marks, at_ms - touched_ms FROM (
  SELECT no, place, code, at_ms, stayed_ms, marks, max(CASE WHEN code IS NULL THEN at_ms END)
      OVER (PARTITION BY no ORDER BY at_ms RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS touched_ms
  FROM (
    SELECT n.no, v.place, v.move * {BUCKETS} + CASE WHEN n.stayed_ms IS NULL THEN {NO_STAY} ELSE {{bucket}} END AS code,
      n.at_ms, n.stayed_ms, m.marks
    FROM news n JOIN (SELECT *, dense_rank() OVER (ORDER BY retracted, to_stage) AS place FROM facts.moves) v
      ON {_SAME_MOVE} JOIN marked m ON m.no = n.no
    UNION ALL
    SELECT no, NULL, NULL, at_ms, NULL, NULL FROM met
  ) one
) preceded
WHERE code IS NOT NULL ORDER BY place, no, at_ms
"""

_CONTACTS = """
INSERT INTO facts.contacts
SELECT (SELECT COALESCE(max(contact), 0) FROM facts.contacts) + row_number() OVER (ORDER BY channel, type, campaign),
  channel, type, campaign
FROM (SELECT DISTINCT t.channel, t.type, t.campaign FROM {touchpoints} t WHERE NOT t.refused) n
WHERE NOT EXISTS (SELECT 1 FROM facts.contacts k WHERE {same_contact})
"""
_SAME_CONTACT = "k.channel = {0}.channel AND k.type = {0}.type AND k.campaign IS NOT DISTINCT FROM {0}.campaign"
_MET = """
CREATE TEMPORARY TABLE met AS
SELECT c.no, k.contact, t.occurred_at AS at_ms,
  row_number() OVER (PARTITION BY c.no ORDER BY t.occurred_at, {event_id}) AS position
FROM {touchpoints} t JOIN filled c ON c.profile_id = t.profile_id JOIN facts.contacts k ON {same_contact}
WHERE NOT t.refused
"""
_TOUCHES = """
INSERT INTO facts.touches
SELECT t.no, t.contact, t.at_ms, t.position, m.marks,
  lead(t.contact) OVER (PARTITION BY t.no ORDER BY t.position),
  lead(t.at_ms) OVER (PARTITION BY t.no ORDER BY t.position)
FROM met t JOIN marked m ON m.no = t.no ORDER BY t.no, t.position
"""

_BITS = f"""
INSERT INTO facts.bits
SELECT kind, name, CASE WHEN place < {BITS} THEN place END FROM (
  SELECT kind, name,
    (SELECT count(*) FROM facts.bits) + row_number() OVER (ORDER BY kind = 'campaign', kind, name) - 1 AS place
  FROM (
    SELECT 'channel' AS kind, channel AS name FROM facts.contacts
    UNION SELECT 'campaign', campaign FROM facts.contacts WHERE campaign IS NOT NULL
    UNION SELECT 'segment', segment FROM facts.states WHERE segment IS NOT NULL
    UNION SELECT 'stage', to_stage FROM facts.moves WHERE NOT retracted
  ) names
  WHERE NOT EXISTS (SELECT 1 FROM facts.bits b WHERE b.kind = names.kind AND b.name = names.name)
) new
"""
_MASK = "COALESCE((SELECT CAST(1 AS BIGINT) << b.bit FROM facts.bits b WHERE b.kind = '{0}' AND b.name = {1}), 0)"
_MARKED = f"""
CREATE TEMPORARY TABLE marked AS
SELECT f.no, s.mask | COALESCE(t.mask, 0) | COALESCE(e.mask, 0) AS marks
FROM filled f
JOIN (SELECT state, {_MASK.format("segment", "segment")} AS mask FROM facts.states) s ON s.state = f.state
LEFT JOIN (
  SELECT t.no, bit_or(k.mask) AS mask FROM met t JOIN (
    SELECT contact, {_MASK.format("channel", "channel")} | {_MASK.format("campaign", "campaign")} AS mask
    FROM facts.contacts
  ) k ON k.contact = t.contact GROUP BY t.no
) t ON t.no = f.no
LEFT JOIN (
  SELECT n.no, bit_or(b.mask) AS mask FROM news n JOIN (
    SELECT name, CAST(1 AS BIGINT) << bit AS mask FROM facts.bits WHERE kind = 'stage'
  ) b ON b.name = n.to_stage WHERE NOT n.retracted GROUP BY n.no
) e ON e.no = f.no
"""
_CUSTOMERS = """
INSERT INTO facts.customers
SELECT f.no, f.profile_id, f.state, f.since_ms, m.marks FROM filled f JOIN marked m ON m.no = f.no ORDER BY f.no
"""

_MONTHS = """
INSERT INTO facts.months
WITH begun AS (
  SELECT n.no, {cohort} AS cohort FROM (SELECT no, min(at_ms) AS at_ms FROM news WHERE NOT retracted GROUP BY no) n
)
SELECT no, cohort, CAST(NULL AS INTEGER) FROM begun
UNION ALL
SELECT DISTINCT b.no, b.cohort, {month} FROM begun b JOIN met t ON t.no = b.no
"""


def read_news(dialect: Dialect, sources: Sources) -> Iterator[str]:
    """The temporary tables `filled`, the customers, and `news`, their changes.

    The temporary table `known` has the numbers that customers keep, and is gone after.
    """
    yield _STATES.format(**sources._asdict(), same_state=_SAME_STATE.format("new"))
    yield _FILLED.format(**sources._asdict(), same_state=_SAME_STATE.format("p"))
    yield "DROP TABLE known"
    yield _NEWS.format(
        **sources._asdict(),
        elements=dialect.elements.format("evidence"),
        event_id=dialect.binary.format("t.event_id"),
    )
    yield _MOVES


def keep_news(dialect: Dialect, sources: Sources, bucket: str) -> Iterator[str]:
    """Touchpoints, customers, changes and months; the temporary tables are gone after.

    `bucket` is an expression for the bucket of `n.stayed_ms`.
    """
    yield _CONTACTS.format(**sources._asdict(), same_contact=_SAME_CONTACT.format("n"))
    yield _MET.format(
        **sources._asdict(), same_contact=_SAME_CONTACT.format("t"), event_id=dialect.binary.format("t.event_id")
    )
    yield _BITS
    yield _MARKED
    yield _TOUCHES
    yield _CUSTOMERS
    yield _CHANGES.format(bucket=bucket)
    yield _MONTHS.format(cohort=dialect.month.format("n.at_ms"), month=dialect.month.format("t.at_ms"))
    for table in ("news", "filled", "met", "marked"):
        yield f"DROP TABLE {table}"


def sample(customers: int) -> str:
    """Lengths of stay (ms) of some customers."""
    step = max(1, customers // SAMPLE_CUSTOMERS)
    return f"SELECT stayed_ms FROM news WHERE stayed_ms IS NOT NULL AND no % {step} = 0 ORDER BY stayed_ms"


BUCKET_OF_FEW: Final = "(SELECT count(*) FROM facts.bounds b WHERE b.bound_ms <= n.stayed_ms)"
"""The bucket: how many bounds are at most the length of stay."""


def bucket_of_many(bounds: Sequence[int], first: int = 0) -> str:
    """The same, found by halving: fast for each row, but for a few rows it takes longer to plan than to do.

    `bounds` are in ascending order.
    """
    if not bounds:
        return str(first)
    middle = len(bounds) // 2
    below = bucket_of_many(bounds[:middle], first)
    above = bucket_of_many(bounds[middle + 1 :], first + middle + 1)
    return f"CASE WHEN n.stayed_ms >= {int(bounds[middle])} THEN {above} ELSE {below} END"
