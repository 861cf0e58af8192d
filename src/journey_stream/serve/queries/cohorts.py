"""Who comes back, by the month in which the journey began."""

from collections import defaultdict
from datetime import UTC, datetime

from journey_stream.events.times import from_ms
from journey_stream.serve.queries.answers import Cohort, Cohorts
from journey_stream.serve.queries.reading import Reading

OFFSETS_MAX = 12


def cohorts(reading: Reading) -> Cohorts:
    """Customers in the filter by UTC month of their first standing change of all time.

    `retained[k]` are those with a counted touchpoint in the k-th calendar month after; months after now are left out.
    """
    version, now_ms, _, _ = reading.progress
    sizes: dict[int, int] = {}
    retained: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for cohort, month, number in reading.rows(
        f"SELECT m.cohort, m.month, count(*) FROM facts.months m WHERE {reading.of_customers('m.no')} GROUP BY 1, 2"
    ):
        if month is None:
            sizes[cohort] = number
        else:
            retained[cohort][month - cohort] = number
    last = _month_of(from_ms(now_ms)) if now_ms is not None else 0
    return Cohorts(
        version=version,
        months=[_name(cohort) for cohort in sorted(sizes)],
        cohorts=[
            Cohort(
                month=_name(cohort),
                size=sizes[cohort],
                retained=[retained[cohort].get(k, 0) for k in range(min(OFFSETS_MAX, last - cohort + 1))],
            )
            for cohort in sorted(sizes)
        ],
    )


def _month_of(instant: datetime) -> int:
    in_utc = instant.astimezone(UTC)
    return in_utc.year * 12 + in_utc.month - 1


def _name(month: int) -> str:
    return f"{month // 12:04d}-{month % 12 + 1:02d}"
