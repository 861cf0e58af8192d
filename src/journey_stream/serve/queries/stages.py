"""The stages: who is there, who came and went, and what brought them."""

from collections import Counter
from collections.abc import Iterable, Sequence

from journey_stream.journey.model import Stage
from journey_stream.serve.queries.answers import StageNumbers, Trigger
from journey_stream.serve.queries.durations import Stays
from journey_stream.serve.queries.reading import Move, Reading


def stage_ids(reading: Reading, stages: Sequence[Stage]) -> list[str]:
    """The stages of the journey model in their order, then those that only history still knows, by name."""
    ids = [stage.id for stage in stages]
    others = {state.stage for state in reading.states} - {None}
    for move, _ in reading.standing:
        others |= {move.to_stage, move.from_stage}
    return ids + sorted(stage for stage in others if stage is not None and stage not in ids)


def customers_now(reading: Reading) -> Counter[str | None]:
    """Customers by the stage that their view says."""
    counter: Counter[str | None] = Counter()
    for state in reading.states:
        counter[state.stage] += state.number
    return counter


def stage_numbers(reading: Reading, stages: Sequence[Stage], stays: Stays) -> list[StageNumbers]:
    """One entry per stage."""
    meanings = {stage.id: stage.meaning for stage in stages}
    now = customers_now(reading)
    return [
        StageNumbers(
            id=stage,
            meaning=meanings.get(stage),
            customers_now=now[stage],
            entered=sum(number for move, number in reading.standing if move.to_stage == stage),
            left=sum(number for move, number in reading.standing if move.from_stage == stage),
            median_seconds=stays.by_stage[stage].median_seconds if stage in stays.by_stage else None,
            brought_by=_triggers(one for one in reading.standing if one[0].to_stage == stage and not one[0].silent),
            left_after=_triggers(one for one in reading.standing if one[0].from_stage == stage and one[0].silent),
        )
        for stage in stage_ids(reading, stages)
    ]


def _triggers(moves: Iterable[tuple[Move, int]]) -> list[Trigger]:
    """The most frequent first, then by name; what names no touchpoint comes after what has as many and does."""
    counter: Counter[tuple[str | None, str | None]] = Counter()
    for move, number in moves:
        counter[move.channel, move.type] += number
    ranked = sorted(
        counter.items(), key=lambda item: (-item[1], item[0][0] is None, item[0][0] or "", item[0][1] or "")
    )
    return [Trigger(channel, type_, count) for (channel, type_), count in ranked]
