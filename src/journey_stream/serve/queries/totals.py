"""Everything at a glance."""

from journey_stream.events.times import rfc3339
from journey_stream.serve.queries.answers import Totals
from journey_stream.serve.queries.reading import Reading


def totals(reading: Reading) -> Totals:
    """Customers, touchpoints, changes and corrections in the filter; dead letters are never filtered."""
    _, _, newest_ms, dead_letters = reading.progress
    return Totals(
        customers=sum(state.number for state in reading.states),
        touchpoints=reading.touchpoints,
        changes=sum(number for _, number in reading.standing),
        corrections=sum(number for move, number in reading.moves if move.retracted),
        dead_letters=dead_letters,
        newest_touchpoint_at=None if newest_ms is None else rfc3339(newest_ms),
    )
