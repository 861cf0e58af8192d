"""Customers in a list, to choose one from."""

from dataclasses import dataclass

from journey_stream.events.times import rfc3339
from journey_stream.serve.queries.answers import CustomerRow, Customers
from journey_stream.serve.queries.reading import Reading

LIMIT_DEFAULT = 50
LIMIT_MAX = 500
UNSCORED = "unscored"


@dataclass(frozen=True, slots=True)
class Search:
    """None does not restrict; `band` may be `unscored`, `q` is a part of the profile id or of another identifier."""

    stage: str | None = None
    band: str | None = None
    q: str | None = None
    limit: int = LIMIT_DEFAULT


def customers(reading: Reading, search: Search) -> Customers:
    """At most `limit` customers in the filter that fit everything, those with the latest touchpoint first."""
    conditions, parameters = ["TRUE"], list[object]()
    for column, value in (("stage", search.stage), ("band", search.band)):
        if column == "band" and value == UNSCORED:
            conditions.append("band IS NULL")
        elif value is not None:
            conditions.append(f"{column} = ?")
            parameters.append(value)
    if search.q:
        conditions.append("(lower(profile_id) LIKE ? ESCAPE '!' OR lower(identifiers) LIKE ? ESCAPE '!')")
        parameters += [_pattern(search.q)] * 2
    if reading.restricts:
        conditions.append(f"profile_id IN (SELECT c.profile_id FROM facts.customers c WHERE {reading.fits('c')})")
    found = reading.rows(
        "SELECT profile_id, stage, entered_at, band, probability, segment, last_touchpoint_at FROM profiles "
        f"WHERE {' AND '.join(conditions)} ORDER BY last_touchpoint_at DESC, profile_id LIMIT {int(search.limit)}",
        parameters,
    )
    return Customers([_row(*row) for row in found])


def instant(ms: int | None) -> str | None:
    return None if ms is None else rfc3339(ms)


def _row(
    profile_id: str,
    stage: str | None,
    entered_at: int | None,
    band: str | None,
    probability: float | None,
    segment: str | None,
    last_touchpoint_at: int | None,
) -> CustomerRow:
    return CustomerRow(profile_id, stage, instant(entered_at), band, probability, segment, instant(last_touchpoint_at))


def _pattern(part: str) -> str:
    escaped = part.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"
