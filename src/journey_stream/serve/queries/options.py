"""What the filter can be set to."""

from journey_stream.serve.queries.answers import Options
from journey_stream.serve.queries.reading import Reading


def options(reading: Reading) -> Options:
    """Every channel, campaign and segment that there is, whatever the filter; by name."""
    # What nobody has any more stays in the small tables until they are written anew.
    met = reading.rows(
        "SELECT DISTINCT k.channel, k.campaign FROM facts.contacts k "
        "WHERE k.contact IN (SELECT contact FROM facts.touches)"
    )
    taken = reading.rows(
        "SELECT DISTINCT s.segment FROM facts.states s WHERE s.state IN (SELECT state FROM facts.customers)"
    )
    return Options(
        channels=sorted({channel for channel, _ in met}),
        campaigns=sorted({campaign for _, campaign in met if campaign is not None}),
        segments=sorted(segment for (segment,) in taken if segment is not None),
    )
