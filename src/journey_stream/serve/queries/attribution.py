"""Which touchpoints, channels or campaigns deserve the credit for entries to a stage.

One path per conversion: the touches within [conversion - look-back, conversion] after the conversion before it. Then
what came after the last conversion, within the look-back before now; and of a customer who never converted, all of it.
The database makes the paths and counts those that are alike, for there are as many as customers and conversions. Of
paths without a conversion it counts the steps alone, which are told by the touches one by one.
"""

from collections import Counter
from typing import Final

from journey_stream.attribution.models import attribute
from journey_stream.attribution.rules import HALF_LIFE_MS
from journey_stream.attribution.walks import Paths
from journey_stream.events.times import DAY_MS
from journey_stream.serve.queries.answers import Attribution
from journey_stream.serve.queries.reading import Reading, codes_of_moves

KEYS: Final = {"type": "k.channel || ' ' || k.type", "channel": "k.channel", "campaign": "COALESCE(k.campaign, '')"}
"""What gets the credit, by the name it is asked for with. A touchpoint without a campaign has the empty one."""

# The touches of paths that converted. Each leads to the next conversion: what is within the look-back of a later one,
# too, is not of its path. Conversions that have met nothing for longer than that, most of them, are passed over.
_LED: Final = """
SELECT t.no, t.at_ms, t.position, n.number, min(h.at_ms) AS converted_at
FROM facts.changes h
JOIN facts.touches t ON t.no = h.no AND t.at_ms <= h.at_ms AND t.at_ms >= h.at_ms - {look_back_ms}
JOIN named n ON n.contact = t.contact
WHERE {conversions} AND h.untouched_ms <= {look_back_ms}
GROUP BY t.no, t.at_ms, t.position, n.number HAVING min(h.at_ms) >= {start}
"""
_PATHS: Final = """
SELECT no, converted_at, count(*) AS length, min(number) AS number, max(at_ms) AS newest_ms FROM led
GROUP BY no, converted_at
"""
# Many paths are of one touch, and there is nothing to put in order or to share out.
_SHORT: Final = "SELECT number, count(*) FROM paths WHERE length = 1 GROUP BY number"
_LONGER: Final = """
SELECT l.no, l.converted_at, l.position, l.number, p.newest_ms - l.at_ms AS age_ms
FROM led l JOIN paths p ON p.no = l.no AND p.converted_at = l.converted_at WHERE p.length > 1
"""
_WALKS: Final = """
SELECT walk, count(*) FROM (
  SELECT array_agg(number ORDER BY position) AS walk FROM longer GROUP BY no, converted_at
) walks GROUP BY walk
"""
# In decimals, whose sum is the same in every order. Ages count from the latest touch of a path: the shares are the same
# as from the conversion, and no weight of a long look-back becomes zero.
_DECAYED: Final = f"""
SELECT number, sum(CAST(CAST(weight AS DOUBLE PRECISION) / CAST(whole AS DOUBLE PRECISION) AS DECIMAL(20, 18))) FROM (
  SELECT number, weight, sum(weight) OVER (PARTITION BY no, converted_at) AS whole FROM (
    SELECT no, converted_at, number, CAST(
      power(CAST(0.5 AS DOUBLE PRECISION), CAST(age_ms AS DOUBLE PRECISION) / {HALF_LIFE_MS}) AS DECIMAL(18, 15)
    ) AS weight
    FROM longer
  ) weighed
) shared GROUP BY number
"""
# The steps of paths without a conversion. Marks tell whose customers have never converted; of the others only the
# latest touches may be of such a path, unless the range ends before they converted.
_LOST: Final = """
SELECT a.number, b.number, count(*) FROM (
  SELECT t.contact, {following} AS following FROM facts.touches t WHERE {touches} AND NOT {has_entered}
  UNION ALL
  SELECT t.contact, {following} FROM facts.touches t
  WHERE {touches} AND {has_entered} AND t.at_ms >= {recent} AND NOT EXISTS (
    SELECT 1 FROM facts.changes h WHERE {conversions} AND h.no = t.no AND h.at_ms >= t.at_ms AND h.at_ms >= {recent}
  )
  {before_recent}
) s JOIN named a ON a.contact = s.contact LEFT JOIN named b ON b.contact = s.following GROUP BY a.number, b.number
"""
_BEFORE_RECENT: Final = """
  UNION ALL
  SELECT t.contact, {following} FROM facts.touches t
  WHERE {touches} AND {has_entered} AND t.at_ms < {recent} AND {unconverted}
"""
_UNCONVERTED: Final = "NOT EXISTS (SELECT 1 FROM facts.changes h WHERE {conversions} AND h.no = {alias}.no)"
_CONVERTED_LATER: Final = (
    "t.no IN (SELECT l.no FROM facts.changes l WHERE {entered} AND l.at_ms >= {end} AND {unconverted})"
)
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
    moves = [move for move, sort in reading.sorts.items() if sort.to_stage == goal and not sort.retracted]
    entered = f"{codes_of_moves(moves)} AND {reading.fits('h')}"
    conversions = entered if end is None else f"{entered} AND h.at_ms < {int(end)}"
    reading.make(
        "named",
        # Of one type, whatever gets the credit: PostgreSQL refuses a prepared statement whose result changes its type.
        f"SELECT k.contact, CAST({KEYS[by]} AS VARCHAR) AS key, dense_rank() OVER (ORDER BY {KEYS[by]}) AS number "
        "FROM facts.contacts k",
    )
    names: dict[int, str] = dict(reading.rows("SELECT DISTINCT number, key FROM named"))
    first = _ALWAYS if start is None else int(start)
    reading.make("led", _LED.format(conversions=conversions, look_back_ms=look_back_ms, start=first))
    reading.make("paths", _PATHS)
    reading.make("longer", _LONGER)
    short = {names[number]: int(times) for number, times in reading.rows(_SHORT)}
    decayed = Counter(short)
    for number, shares in reading.rows(_DECAYED):
        decayed[names[number]] += shares
    walks = {tuple([names[number] for number in walk]): int(times) for walk, times in reading.rows(_WALKS)}
    walks |= {(key,): times for key, times in short.items()}
    ((number_of_conversions,),) = reading.rows(
        f"SELECT count(*) FROM facts.changes h WHERE {entered} AND {reading.in_range('h.at_ms')}"
    )
    return Paths(
        walks,
        {
            (names[here], None if there is None else names[there]): int(times)
            for here, there, times in reading.rows(_lost(reading, goal, moves, conversions, look_back_ms))
        },
        {key: float(shares) for key, shares in decayed.items()},
        number_of_conversions - sum(walks.values()),
    )


def _lost(reading: Reading, goal: str, moves: list[int], conversions: str, look_back_ms: int) -> str:
    end = reading.filter.to_ms
    now = reading.progress[1] or 0
    # A producer's clock may be ahead of now: only the end of the range cuts, or entries would be fewer than the map's.
    until = now if end is None else min(now, end - 1)
    has_entered = reading.has_entered(goal, "t")
    unconverted = _UNCONVERTED.format(conversions=conversions, alias="t")
    if end is not None and has_entered is not None and reading.filter.from_ms is None:
        # Without a start there are more touches than customers of whom the marks say too much.
        unconverted = _CONVERTED_LATER.format(
            entered=f"{codes_of_moves(moves, 'l')} AND {reading.fits('l')}",
            end=int(end),
            unconverted=_UNCONVERTED.format(conversions=conversions, alias="l"),
        )
    parts = {
        "following": "t.next_contact" if end is None else f"CASE WHEN t.next_ms < {int(end)} THEN t.next_contact END",
        "touches": f"{reading.in_range('t.at_ms')} AND {reading.fits('t')}",
        "has_entered": has_entered or "TRUE",
        "conversions": conversions,
        "recent": until - look_back_ms,
        "unconverted": unconverted,
    }
    is_told_by_marks = end is None and has_entered is not None
    return _LOST.format(**parts, before_recent="" if is_told_by_marks else _BEFORE_RECENT.format(**parts))
