"""How long customers stayed before they moved on."""

from typing import NamedTuple

from journey_stream.serve.queries.reading import Reading


class Stay(NamedTuple):
    """Of those who moved: how many, and median and 90th percentile of their seconds in the stage before."""

    number: int
    median_seconds: float
    long_seconds: float


class Stays(NamedTuple):
    """By stage left, and by stage left and stage entered."""

    by_stage: dict[str, Stay]
    by_flow: dict[tuple[str, str], Stay]


def stays(reading: Reading) -> Stays:
    """The median is the mean of the middle two, the 90th percentile the nearest rank; both are exact."""
    found = reading.rows(
        f"SELECT v.from_stage, v.to_stage, grouping(v.to_stage), count(h.stayed_ms), "
        f"percentile_cont(0.5) WITHIN GROUP (ORDER BY h.stayed_ms), "
        f"percentile_disc(0.9) WITHIN GROUP (ORDER BY h.stayed_ms) "
        f"FROM facts.changes h JOIN facts.moves v ON v.move = h.move "
        f"WHERE NOT v.retracted AND v.from_stage IS NOT NULL AND h.stayed_ms IS NOT NULL "
        f"AND {reading.in_range('h.at_ms')} AND {reading.of_customers('h.no')} "
        f"GROUP BY GROUPING SETS ((v.from_stage, v.to_stage), (v.from_stage))"
    )
    result = Stays({}, {})
    for from_stage, to_stage, is_sum, count, median_ms, long_ms in found:
        stay = Stay(count, median_ms / 1000, long_ms / 1000)
        if is_sum:
            result.by_stage[from_stage] = stay
        else:
            result.by_flow[from_stage, to_stage] = stay
    return result
