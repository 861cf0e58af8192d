"""Which touchpoints, channels or campaigns deserve the credit for entries to a stage.

One path per conversion: the touches within [conversion - look-back, conversion] after the conversion before it. Then
what came after the last conversion, within the look-back before now; and of a customer who never converted, all of it.
The database makes the paths and counts those that are alike, for there are as many as customers and conversions.
"""

from typing import Final

from journey_stream.attribution.models import attribute
from journey_stream.attribution.rules import HALF_LIFE_MS
from journey_stream.attribution.walks import Paths
from journey_stream.events.times import DAY_MS
from journey_stream.serve.queries.answers import Attribution
from journey_stream.serve.queries.reading import Reading, codes_of_moves

KEYS: Final = {"type": "k.channel || ' ' || k.type", "channel": "k.channel", "campaign": "COALESCE(k.campaign, '')"}
"""What gets the credit, by the name it is asked for with. A touchpoint without a campaign has the empty one."""

# The next conversion of each touch, the last one of each customer, and what lies within the look-back of them.
_STEPS: Final = """
WITH events AS (
  SELECT t.no, t.at_ms, t.position, t.contact FROM facts.touches t WHERE {of_touches}
  UNION ALL
  SELECT h.no, h.at_ms, CAST(NULL AS INTEGER), CAST(NULL AS INTEGER) FROM facts.changes h WHERE {of_conversions}
), met AS (
  SELECT no, at_ms, position, contact,
    min(CASE WHEN contact IS NULL THEN at_ms END)
      OVER (PARTITION BY no ORDER BY at_ms RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS converted_at,
    max(CASE WHEN contact IS NULL THEN at_ms END) OVER (PARTITION BY no) AS last_at
  FROM events
)
SELECT m.no, m.converted_at, m.at_ms, m.position, n.number
FROM met m JOIN named n ON n.contact = m.contact
WHERE CASE
  WHEN m.converted_at IS NOT NULL THEN m.at_ms >= m.converted_at - {look_back_ms} AND m.converted_at >= {start}
  WHEN m.last_at IS NOT NULL THEN m.at_ms >= {until} - {look_back_ms} AND m.at_ms >= {start}
  ELSE m.at_ms >= {start}
END
"""
_WALKS: Final = """
SELECT walk, converted, count(*) FROM (
  SELECT string_agg(CAST(number AS VARCHAR), ' ' ORDER BY position) AS walk, converted_at IS NOT NULL AS converted
  FROM steps GROUP BY no, converted_at
) paths GROUP BY walk, converted
"""
# In decimals, whose sum is the same in every order. Ages count from the latest touch of a path: the shares are the same
# as from the conversion, and no weight of a long look-back becomes zero.
_DECAYED: Final = f"""
SELECT number, sum(CAST(CAST(weight AS DOUBLE PRECISION) / CAST(whole AS DOUBLE PRECISION) AS DECIMAL(20, 18))) FROM (
  SELECT number, weight, sum(weight) OVER (PARTITION BY no, converted_at) AS whole FROM (
    SELECT no, converted_at, number, CAST(power(CAST(0.5 AS DOUBLE PRECISION),
      CAST(max(at_ms) OVER (PARTITION BY no, converted_at) - at_ms AS DOUBLE PRECISION) / {HALF_LIFE_MS}
    ) AS DECIMAL(18, 15)) AS weight
    FROM steps WHERE converted_at IS NOT NULL
  ) weighed
) shared GROUP BY number
"""
_ALWAYS: Final = -(2**62)


def attribution(reading: Reading, goal: str, by: str, look_back_days: int) -> Attribution:
    """Credits of every model for the standing entries to `goal` of the customers in the filter, within the range.

    Entries before the range end earlier paths and get no credit; what happened at or after its end is not looked at,
    and what leads to no entry counts from its start on.
    """
    found = attribute(_paths(reading, goal, by, look_back_days * DAY_MS))
    return Attribution(
        version=reading.progress[0],
        goal=goal,
        by=by,
        look_back_days=look_back_days,
        conversions=found.conversions,
        unattributed=found.unattributed,
        keys=[key or None for key in found.keys],
        models={name: list(credits_) for name, credits_ in found.models.items()},
    )


def _paths(reading: Reading, goal: str, by: str, look_back_ms: int) -> Paths:
    start, end = reading.filter.from_ms, reading.filter.to_ms
    now = reading.progress[1] or 0
    # A producer's clock may be ahead of now: only the end of the range cuts, or entries would be fewer than the map's.
    until = now if end is None else min(now, end - 1)
    until_end = "TRUE" if end is None else f"{{0}}.at_ms < {int(end)}"
    moves = [move for move, sort in reading.sorts.items() if sort.to_stage == goal and not sort.retracted]
    entered = f"{codes_of_moves(moves)} AND {reading.fits('h')}"
    reading.make(
        "named",
        # Of one type, whatever gets the credit: PostgreSQL refuses a prepared statement whose result changes its type.
        f"SELECT k.contact, CAST({KEYS[by]} AS VARCHAR) AS key, dense_rank() OVER (ORDER BY {KEYS[by]}) AS number "
        "FROM facts.contacts k",
    )
    reading.make(
        "steps",
        _STEPS.format(
            of_touches=f"{until_end.format('t')} AND {reading.of_customers('t.no')}",
            of_conversions=f"{entered} AND {until_end.format('h')}",
            look_back_ms=look_back_ms,
            start=_ALWAYS if start is None else int(start),
            until=until,
        ),
    )
    names: dict[int, str] = dict(reading.rows("SELECT DISTINCT number, key FROM named"))
    walks = {
        (tuple([names[int(number)] for number in walk.split(" ")]), bool(converted)): int(times)
        for walk, converted, times in reading.rows(_WALKS)
    }
    ((conversions,),) = reading.rows(
        f"SELECT count(*) FROM facts.changes h WHERE {entered} AND {reading.in_range('h.at_ms')}"
    )
    return Paths(
        walks,
        {names[number]: float(share) for number, share in reading.rows(_DECAYED)},
        conversions - sum(times for (_, converted), times in walks.items() if converted),
    )
