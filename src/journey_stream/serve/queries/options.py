"""What the filter can be set to."""

from journey_stream.serve.queries.answers import Options
from journey_stream.serve.queries.reading import Reading

# What nobody has any more stays in the small tables until they are written anew.
_MET = "contact IN (SELECT contact FROM facts.touches)"
_TAKEN = "state IN (SELECT state FROM facts.customers)"


def options(reading: Reading) -> Options:
    """Every channel, campaign and segment that there is, whatever the filter; by name."""

    def names(query: str) -> list[str]:
        return sorted(name for (name,) in reading.rows(query))

    return Options(
        channels=names(f"SELECT DISTINCT channel FROM facts.contacts WHERE {_MET}"),
        campaigns=names(f"SELECT DISTINCT campaign FROM facts.contacts WHERE campaign IS NOT NULL AND {_MET}"),
        segments=names(f"SELECT DISTINCT segment FROM facts.states WHERE segment IS NOT NULL AND {_TAKEN}"),
    )
