"""How long customers stayed before they moved on.

Values at exact ranks, without sorting everything: counting tells in which bucket each lies, and only the changes of
these buckets are read.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from journey_stream.serve.queries.facts_tables import BUCKETS, NO_STAY
from journey_stream.serve.queries.reading import Move, Reading

Group = str | tuple[str, str]
"""A stage left, or a stage left and the stage entered."""

Histogram = Counter[int]
"""How often each value occurs."""


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
    groups = {move: _groups(sort) for move, sort in reading.sorts.items()}
    buckets: defaultdict[Group, Histogram] = defaultdict(Counter)
    for code, number in reading.codes.items():
        move, bucket = divmod(code, BUCKETS)
        if bucket != NO_STAY:
            for group in groups[move]:
                buckets[group][bucket] += number
    places = {group: [at_rank(histogram, rank) for rank in _ranks(histogram)] for group, histogram in buckets.items()}
    wanted = {(group, bucket) for group, found in places.items() for bucket, _ in found}
    values = _values(reading, groups, wanted)
    result = Stays({}, {})
    for group, found in places.items():
        lower_ms, upper_ms, long_ms = (at_rank(values[group, bucket], rank)[0] for bucket, rank in found)
        stay = Stay(buckets[group].total(), (lower_ms + upper_ms) / 2 / 1000, long_ms / 1000)
        if isinstance(group, str):
            result.by_stage[group] = stay
        else:
            result.by_flow[group] = stay
    return result


def at_rank(histogram: Histogram, rank: int) -> tuple[int, int]:
    """The value at a rank (from 0), and the rank among those that are equal to it."""
    for value in sorted(histogram):
        if rank < histogram[value]:
            return value, rank
        rank -= histogram[value]
    raise IndexError(rank)


def _ranks(histogram: Histogram) -> tuple[int, int, int]:
    """The middle two, and the nearest rank of the 90th percentile."""
    number = histogram.total()
    return (number - 1) // 2, number // 2, (9 * number + 9) // 10 - 1


def _groups(move: Move) -> tuple[Group, ...]:
    """Where its lengths of stay count."""
    if move.retracted or move.from_stage is None:
        return ()
    return move.from_stage, (move.from_stage, move.to_stage)


def _values(
    reading: Reading, groups: Mapping[int, tuple[Group, ...]], wanted: set[tuple[Group, int]]
) -> dict[tuple[Group, int], Histogram]:
    """The lengths of stay (ms) in these buckets of these groups."""
    belongs: dict[int, list[tuple[Group, int]]] = {}
    for move, own in groups.items():
        for group, bucket in wanted:
            if group in own:
                belongs.setdefault(move * BUCKETS + bucket, []).append((group, bucket))
    codes = sorted(belongs.keys() & reading.codes.keys())
    values: defaultdict[tuple[Group, int], Histogram] = defaultdict(Counter)
    if codes:
        for code, stayed_ms, number in reading.rows(
            f"SELECT h.code, h.stayed_ms, count(*) FROM facts.changes h "
            f"WHERE h.code IN ({', '.join(map(str, codes))}) AND {reading.of_changes()} GROUP BY h.code, h.stayed_ms"
        ):
            for place in belongs[code]:
                values[place][stayed_ms] += number
    return values
