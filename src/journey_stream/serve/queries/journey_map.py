"""The map: all of its numbers, read at one moment."""

from collections.abc import Sequence

from journey_stream.events.times import rfc3339
from journey_stream.journey.model import Stage
from journey_stream.serve.queries.answers import JourneyMap, Options
from journey_stream.serve.queries.bands import bands
from journey_stream.serve.queries.durations import stays
from journey_stream.serve.queries.flows import drop_offs, flows
from journey_stream.serve.queries.options import options
from journey_stream.serve.queries.reading import Reading
from journey_stream.serve.queries.stages import stage_ids, stage_numbers
from journey_stream.serve.queries.stalls import stalls
from journey_stream.serve.queries.totals import totals


def journey_map(reading: Reading, stages: Sequence[Stage], known: Options | None = None) -> JourneyMap:
    """`stages` are those of the journey model; `known` are the options if they have been looked up already."""
    version, now_ms, _, _ = reading.progress
    lengths, ids = stays(reading), stage_ids(reading, stages)
    return JourneyMap(
        version=version,
        now=None if now_ms is None else rfc3339(now_ms),
        totals=totals(reading),
        stages=stage_numbers(reading, stages, lengths),
        flows=flows(reading, lengths),
        stalls=stalls(reading, ids, lengths),
        drop_offs=drop_offs(reading),
        bands=bands(reading, ids),
        options=known or options(reading),
    )
