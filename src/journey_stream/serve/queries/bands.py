"""Stages against bands of churn risk."""

from collections import Counter
from collections.abc import Sequence

from journey_stream.serve.queries.answers import Bands
from journey_stream.serve.queries.reading import Reading


def bands(reading: Reading, stage_ids: Sequence[str]) -> list[Bands]:
    """Customers now, one entry per stage."""
    counter: Counter[tuple[str | None, str | None]] = Counter()
    for state in reading.states:
        counter[state.stage, state.band] += state.number
    return [
        Bands(
            stage=stage,
            low=counter[stage, "low"],
            medium=counter[stage, "medium"],
            high=counter[stage, "high"],
            critical=counter[stage, "critical"],
            unscored=counter[stage, None],
        )
        for stage in stage_ids
    ]
