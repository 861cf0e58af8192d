"""How touchpoints come into their table, and whose they are found to be.

All statements work on `touched`: the touchpoints (event_id, occurred_at) that a batch says something about. Those of
them that the table has are `known`. Most are new and nobody else has anything to say of them: they are put in as they
are. The others are `involved`: known and new ones are `placed` side by side, each with its `holder`, and from that
follow their `fates`. Joins on the instant skip all that lies at other times.
"""

from collections.abc import Iterable
from typing import Final

from journey_stream.serve.store.schema import TOUCHPOINTS, quoted

_SAME: Final = "{0}.event_id = {1}.event_id AND {0}.occurred_at = {1}.occurred_at"
_KEY: Final = TOUCHPOINTS.key
_TOLD: Final = tuple(name for name in TOUCHPOINTS.names if name not in {"profile_id", "refused", "rejected"})


def _equal(one: str, other: str) -> str:
    return " AND ".join(f"{one}.{name} = {other}.{name}" for name in _KEY)


_AT_ITS_POSITION: Final = (
    "d.source_offset = {0}.source_offset AND d.source_partition = {0}.source_partition "
    "AND d.source_topic = {0}.source_topic"
)

TOUCHED: Final = (
    "SELECT event_id, occurred_at FROM in_touchpoints",
    "SELECT event_id, occurred_at FROM in_passes",
    "SELECT event_id, occurred_at FROM in_dead_letters WHERE event_id IS NOT NULL",
)
TOUCHED_BY_LETTERS: Final = (
    f"SELECT t.event_id, t.occurred_at FROM touchpoints t JOIN in_dead_letters d ON {_AT_ITS_POSITION.format('t')}",
)
TOUCHED_BY_NOBODY: Final = (
    "SELECT event_id, occurred_at FROM touchpoints WHERE owner_id IN (SELECT profile_id FROM in_nobody)",
    "SELECT event_id, occurred_at FROM passed WHERE receiver IN (SELECT profile_id FROM in_nobody)",
)
TOUCHED_BY_ERASURE: Final = ("SELECT event_id, occurred_at FROM uncovered",)

INVOLVED: Final = (
    "SELECT event_id, occurred_at FROM known",
    "SELECT event_id, occurred_at FROM in_touchpoints GROUP BY event_id, occurred_at HAVING count(*) > 1",
)
INVOLVED_BY_PASSES: Final = ("SELECT event_id, occurred_at FROM ways",)
INVOLVED_BY_LETTERS: Final = (
    f"SELECT i.event_id, i.occurred_at FROM in_touchpoints i JOIN dead_letters d ON {_AT_ITS_POSITION.format('i')}",
    "SELECT event_id, occurred_at FROM dead_letters WHERE event_id IS NOT NULL",
)
INVOLVED_BY_NOBODY: Final = (
    "SELECT event_id, occurred_at FROM in_touchpoints WHERE owner_id IN (SELECT profile_id FROM nobody)",
)


def keys(table: str, parts: Iterable[str]) -> str:
    """Makes a table of touchpoints, each once, of what the parts select."""
    return (
        f"CREATE TEMPORARY TABLE {table} AS SELECT DISTINCT event_id, occurred_at FROM ({' UNION ALL '.join(parts)}) k"
    )


KNOWN: Final = (
    f"CREATE TEMPORARY TABLE known AS SELECT t.* FROM touchpoints t JOIN touched k ON {_SAME.format('k', 't')}"
)
PLAIN: Final = f"""
INSERT INTO touchpoints ({quoted(_TOLD)}, profile_id, refused, rejected)
SELECT {quoted(_TOLD)}, owner_id, FALSE, FALSE FROM in_touchpoints i
WHERE NOT EXISTS (SELECT 1 FROM involved v WHERE {_SAME.format("v", "i")})
"""

ROUTES: Final = f"""
CREATE TEMPORARY TABLE routes AS
SELECT via, receiver, event_id, occurred_at, CAST(sum(count) AS BIGINT) AS count
FROM (
  SELECT p.via, p.receiver, p.event_id, p.occurred_at, p.count
  FROM passed p JOIN touched k ON {_SAME.format("k", "p")}
  UNION ALL
  SELECT via, receiver, event_id, occurred_at, count FROM in_passes
) a
GROUP BY via, receiver, event_id, occurred_at
"""
# While one partition of the log has been read further than another, there may be two ways.
WAYS: Final = """
CREATE TEMPORARY TABLE ways AS
SELECT via, event_id, occurred_at, max(receiver) AS receiver FROM routes WHERE count > 0
GROUP BY via, event_id, occurred_at
"""
PASSED: Final = (
    f"DELETE FROM passed USING touched k WHERE {_SAME.format('passed', 'k')}",
    "INSERT INTO passed SELECT via, receiver, event_id, occurred_at, count FROM routes WHERE count <> 0",
)

PLACED: Final = f"""
CREATE TEMPORARY TABLE placed AS
SELECT {quoted(_TOLD)}, profile_id AS was_holder, refused AS was_refused, rejected AS was_rejected, FALSE AS is_new,
  owner_id AS holder
FROM known
UNION ALL
SELECT {quoted(_TOLD)}, owner_id, FALSE, FALSE, TRUE, owner_id
FROM (
  SELECT DISTINCT ON ({quoted(_KEY)}) {quoted(_TOLD)} FROM in_touchpoints i
  WHERE EXISTS (SELECT 1 FROM involved v WHERE {_SAME.format("v", "i")})
  AND NOT EXISTS (SELECT 1 FROM known k WHERE {_equal("k", "i")})
  ORDER BY {quoted(_KEY)}, log_partition, log_offset
) n
"""
_ON_THE_WAY: Final = f"w.via = p.holder AND {_SAME.format('w', 'p')}"
IS_ON_THE_WAY: Final = f"SELECT 1 FROM placed p JOIN ways w ON {_ON_THE_WAY} LIMIT 1"
HOP: Final = f"UPDATE placed AS p SET holder = w.receiver FROM ways w WHERE {_ON_THE_WAY}"

# What was too large to be told was used all the same.
_REJECTED: Final = f"""
(EXISTS (
  SELECT 1 FROM dead_letters d WHERE d.event_id IS NULL AND d.reason <> 'output_too_large'
  AND {_AT_ITS_POSITION.format("p")}
) OR EXISTS (
  SELECT 1 FROM dead_letters d WHERE d.event_id = p.event_id AND d.occurred_at = p.occurred_at
  AND d.channel = p.channel AND d.type = p.type AND d.reason <> 'output_too_large'
  AND NOT (d.source_partition = p.log_partition AND d.source_offset = p.log_offset)
))
"""
_OF_NOBODY: Final = "EXISTS (SELECT 1 FROM nobody n WHERE n.profile_id = j.holder AND n.since <= j.occurred_at)"


def fates(*, letters: bool, nobody: bool) -> str:
    """`letters`: there are dead letters; `nobody`: there are identifiers that are nobody's."""
    return f"""
CREATE TEMPORARY TABLE fates AS
SELECT j.*, rejected OR {_OF_NOBODY if nobody else "FALSE"} OR row_number() OVER (
  PARTITION BY holder, event_id, occurred_at ORDER BY rejected, arrived_at, owner_id, log_partition, log_offset
) > 1 AS refused
FROM (SELECT p.*, {_REJECTED if letters else "FALSE"} AS rejected FROM placed p) j
"""


_CHANGED: Final = "NOT is_new AND (holder <> was_holder OR refused <> was_refused OR rejected <> was_rejected)"
INSERT: Final = f"""
INSERT INTO touchpoints ({quoted(_TOLD)}, profile_id, refused, rejected)
SELECT {quoted(_TOLD)}, holder, refused, rejected FROM fates WHERE is_new
"""
HAS_CHANGED: Final = f"SELECT 1 FROM fates WHERE {_CHANGED} LIMIT 1"
UPDATE: Final = f"""
UPDATE touchpoints AS t SET profile_id = f.holder, refused = f.refused, rejected = f.rejected
FROM (SELECT * FROM fates WHERE {_CHANGED}) f WHERE {_equal("t", "f")}
"""
CONCERNED: Final = (
    f"SELECT holder FROM fates WHERE is_new OR {_CHANGED} UNION SELECT was_holder FROM fates WHERE {_CHANGED} "
    f"UNION SELECT i.owner_id FROM in_touchpoints i "
    f"WHERE NOT EXISTS (SELECT 1 FROM involved v WHERE {_SAME.format('v', 'i')})"
)
