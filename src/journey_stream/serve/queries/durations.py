"""How long customers stayed before they moved on.

Values at exact ranks, without sorting everything: counting tells in which bucket each lies, and only the changes of
these buckets are read.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from journey_stream.serve.queries.facts_tables import BUCKETS, NO_STAY
from journey_stream.serve.queries.reading import MOVE_OF_CODE, Reading

Group = str | tuple[str, str]
"""A stage left, or a stage left and the stage entered."""

Histogram = Counter[int]
"""How many lengths of stay lie in each bucket."""


class Stay(NamedTuple):
    """Of those who moved: how many, and median and 90th percentile of their seconds in the stage before."""

    number: int
    median_seconds: float
    long_seconds: float


class Stays(NamedTuple):
    """By stage left, and by stage left and stage entered."""

    by_stage: dict[str, Stay]
    by_flow: dict[tuple[str, str], Stay]


class Place(NamedTuple):
    """Where a value lies: the `rank`-th (from 0) of those of the group in the bucket."""

    group: Group
    bucket: int
    rank: int


def stays(reading: Reading) -> Stays:
    """The median is the mean of the middle two, the 90th percentile the nearest rank; both are exact."""
    histograms = _histograms(reading)
    places = {
        group: [place_of(group, histogram, rank) for rank in ranks(histogram.total())]
        for group, histogram in histograms.items()
    }
    values_ms = _values_ms(reading, {place for found in places.values() for place in found})
    result = Stays({}, {})
    for group, found in places.items():
        lower_ms, upper_ms, long_ms = (values_ms[place] for place in found)
        stay = Stay(histograms[group].total(), (lower_ms + upper_ms) / 2 / 1000, long_ms / 1000)
        if isinstance(group, str):
            result.by_stage[group] = stay
        else:
            result.by_flow[group] = stay
    return result


def ranks(number: int) -> tuple[int, int, int]:
    """Of so many values, the ranks (from 0) of the middle two and of the 90th percentile, which is at ceil(0.9 n)."""
    return (number - 1) // 2, number // 2, (9 * number + 9) // 10 - 1


def place_of(group: Group, histogram: Histogram, rank: int) -> Place:
    """Where the value at a rank (from 0) of all values of the group lies."""
    for bucket in sorted(histogram):
        if rank < histogram[bucket]:
            return Place(group, bucket, rank)
        rank -= histogram[bucket]
    raise IndexError(rank)


def _histograms(reading: Reading) -> Mapping[Group, Histogram]:
    histograms: defaultdict[Group, Histogram] = defaultdict(Counter)
    for from_stage, to_stage, bucket, number in reading.rows(
        f"SELECT v.from_stage, v.to_stage, c.code % {BUCKETS}, sum(c.number) "
        f"FROM {reading.counts} c JOIN facts.moves v ON v.move = {MOVE_OF_CODE} "
        f"WHERE NOT v.retracted AND v.from_stage IS NOT NULL AND c.code % {BUCKETS} <> {NO_STAY} GROUP BY 1, 2, 3"
    ):
        for group in (from_stage, (from_stage, to_stage)):
            histograms[group][bucket] += int(number)
    return histograms


def _values_ms(reading: Reading, places: Iterable[Place]) -> dict[Place, int]:
    """The lengths of stay at these places."""
    by_number = dict(enumerate(sorted(places, key=str)))
    if not by_number:
        return {}
    codes = [
        (number, move * BUCKETS + place.bucket)
        for number, place in by_number.items()
        for move, sort in reading.sorts.items()
        if not sort.retracted and place.group in (sort.from_stage, (sort.from_stage, sort.to_stage))
    ]
    found = reading.rows(
        f"WITH picked AS ("
        f"SELECT h.code, h.stayed_ms, count(*) AS number FROM facts.changes h "
        f"WHERE {reading.has_code({code for _, code in codes})} AND {reading.of_changes()} GROUP BY h.code, h.stayed_ms"
        f"), wanted(place, code) AS (VALUES {', '.join(f'({place}, {code})' for place, code in codes)}"
        f"), ranked(place, place_rank) AS (VALUES {', '.join(f'({n}, {one.rank})' for n, one in by_number.items())}"
        f"), upto AS ("
        f"SELECT w.place, p.stayed_ms, sum(p.number) OVER (PARTITION BY w.place ORDER BY p.stayed_ms) AS number "
        f"FROM picked p JOIN wanted w ON w.code = p.code"
        f") SELECT r.place, min(u.stayed_ms) FROM upto u JOIN ranked r ON r.place = u.place "
        f"WHERE u.number > r.place_rank GROUP BY r.place"
    )
    return {by_number[number]: stayed_ms for number, stayed_ms in found}
