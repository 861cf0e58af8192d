"""Where customers stand still."""

from collections.abc import Sequence

from journey_stream.serve.queries.answers import Stall
from journey_stream.serve.queries.durations import Stays
from journey_stream.serve.queries.reading import Reading
from journey_stream.serve.queries.stages import customers_now

LEAVINGS_MIN = 5
"""With fewer, a percentile says nothing."""


def stalls(reading: Reading, stage_ids: Sequence[str], stays: Stays) -> list[Stall]:
    """Per stage: customers in it for longer than the 90th percentile of those who left it; the most first.

    Stages that too few have left come last, in the order of the journey.
    """
    known = {id_: stay for id_ in stage_ids if (stay := stays.by_stage.get(id_)) and stay.number >= LEAVINGS_MIN}
    now, stuck = customers_now(reading), _longer_than(reading, {id_: stay.long_seconds for id_, stay in known.items()})
    found = [
        Stall(id_, stuck.get(id_, 0), stuck.get(id_, 0) / now[id_] if now[id_] else 0.0, stay.long_seconds)
        for id_, stay in known.items()
    ]
    found.sort(key=lambda stall: -(stall.count or 0))
    return found + [Stall(id_, None, None, None) for id_ in stage_ids if id_ not in known]


def _longer_than(reading: Reading, thresholds_seconds: dict[str, float]) -> dict[str, int]:
    """Customers by stage, of those who have been there for longer than its threshold at the time that is now."""
    now_ms = reading.progress[1]
    if now_ms is None or not thresholds_seconds:
        return {}
    # Whoever entered before this instant has stayed for longer.
    before = {stage: now_ms - round(seconds * 1000) for stage, seconds in thresholds_seconds.items()}
    states = reading.rows("SELECT state, stage FROM facts.states WHERE stage IS NOT NULL")
    bounds = ", ".join(f"({state}, CAST({before[stage]} AS BIGINT))" for state, stage in states if stage in before)
    if not bounds:
        return {}
    found = reading.rows(
        f"SELECT s.stage, sum(n.number) FROM ("
        f"SELECT c.state, count(*) AS number FROM (SELECT c.state, c.since_ms FROM {reading.customers}) c "
        f"JOIN (VALUES {bounds}) b(state, before_ms) ON b.state = c.state "
        f"WHERE c.since_ms < b.before_ms GROUP BY c.state"
        f") n JOIN facts.states s ON s.state = n.state GROUP BY s.stage"
    )
    return {stage: int(number) for stage, number in found}
