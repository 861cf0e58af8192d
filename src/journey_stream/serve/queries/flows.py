"""Who went where, and after how long."""

from collections import Counter

from journey_stream.serve.queries.answers import DropOff, Flow
from journey_stream.serve.queries.durations import Stays
from journey_stream.serve.queries.reading import Reading


def flows(reading: Reading, stays: Stays) -> list[Flow]:
    """Standing changes by from and to; the most first, then by name, new customers before others."""
    counter: Counter[tuple[str | None, str]] = Counter()
    for move, number in reading.standing:
        counter[move.from_stage, move.to_stage] += number
    ranked = sorted(counter.items(), key=lambda item: (-item[1], item[0][0] or "", item[0][1]))
    result = []
    for (from_stage, to_stage), count in ranked:
        stay = None if from_stage is None else stays.by_flow.get((from_stage, to_stage))
        result.append(Flow(from_stage, to_stage, count, None if stay is None else stay.median_seconds))
    return result


def drop_offs(reading: Reading) -> list[DropOff]:
    """Standing changes by silence, and their share of all leavings of the stage; the most first, then by name."""
    silent: Counter[tuple[str, str]] = Counter()
    left: Counter[str] = Counter()
    for move, number in reading.standing:
        if move.from_stage is None:
            continue
        left[move.from_stage] += number
        if move.silent:
            silent[move.from_stage, move.to_stage] += number
    ranked = sorted(silent.items(), key=lambda item: (-item[1], item[0]))
    return [DropOff(from_, to, count, count / left[from_]) for (from_, to), count in ranked]
