"""Which touchpoints, channels or campaigns deserve the credit for entries to a stage."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final

from journey_stream.attribution.models import attribute
from journey_stream.attribution.paths import Path, Touch, paths_of
from journey_stream.events.times import DAY_MS
from journey_stream.serve.queries.answers import Attribution
from journey_stream.serve.queries.reading import Reading, codes_of_moves

KEYS: Final = {"type": "k.channel || ' ' || k.type", "channel": "k.channel", "campaign": "COALESCE(k.campaign, '')"}
"""What gets the credit, by the name it is asked for with. A touchpoint without a campaign has the empty one."""


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


def _paths(reading: Reading, goal: str, by: str, look_back_ms: int) -> Iterator[Path]:
    start, end = reading.filter.from_ms, reading.filter.to_ms
    now = reading.progress[1] or 0
    # A producer's clock may be ahead of now: only the end of the range cuts, or entries would be fewer than the map's.
    until = now if end is None else min(now, end - 1)
    ends = "TRUE" if end is None else f"at_ms < {int(end)}"
    moves = [move for move, sort in reading.sorts.items() if sort.to_stage == goal and not sort.retracted]
    conversions: defaultdict[int, list[int]] = defaultdict(list)
    for no, at in reading.rows(
        f"SELECT h.no, h.at_ms FROM facts.changes h WHERE {codes_of_moves(moves)} AND {ends} AND {reading.fits('h')}"
    ):
        conversions[no].append(at)
    touched = reading.rows(
        f"SELECT t.no, t.at_ms, {KEYS[by]} FROM facts.touches t JOIN facts.contacts k ON k.contact = t.contact "
        f"WHERE {ends} AND {reading.of_customers('t.no')} ORDER BY t.no, t.position"
    )
    for no, rows in groupby(touched, key=itemgetter(0)):
        touches = [Touch(at, key) for _, at, key in rows]
        for path in paths_of(touches, conversions.pop(no, ()), look_back_ms, until):
            if start is None or (path.converted_at is not None and path.converted_at >= start):
                yield path
            elif path.converted_at is None:
                within = tuple(touch for touch in path.touches if touch.at >= start)
                if within:
                    yield Path(within, None)
    for instants in conversions.values():
        yield from (Path((), at) for at in instants if start is None or at >= start)
