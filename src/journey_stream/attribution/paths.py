"""Paths: what one customer met on the way to a conversion, or without one."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple


class Touch(NamedTuple):
    """One touchpoint as attribution sees it: `at` in ms since the epoch, `key` is what gets the credit."""

    at: int
    key: str


class Path(NamedTuple):
    """Touches in the order of happening, and when they led to a conversion (ms); None if they did not."""

    touches: tuple[Touch, ...]
    converted_at: int | None


Walks = Mapping[tuple[tuple[str, ...], bool], int]
"""How many paths there are of each kind: their keys in order, and whether they converted."""


def paths_of(touches: Sequence[Touch], conversions: Iterable[int], look_back_ms: int, now_ms: int) -> Iterator[Path]:
    """The paths of one customer, whose `touches` are in the order of (occurred_at, event_id).

    One per conversion: the touches within [conversion - look-back, conversion] after the conversion before it. Then
    what came after the last conversion, within the look-back before `now_ms`, if there is any; and for a customer who
    never converted, all of it. A path of a conversion may be empty.
    """
    instants = [touch.at for touch in touches]
    done = 0
    converted = sorted(conversions)
    for at in converted:
        end = bisect_left(instants, at + 1)
        start = max(done, bisect_left(instants, at - look_back_ms))
        yield Path(tuple(touches[start:end]), at)
        done = max(done, end)
    start = max(done, bisect_left(instants, now_ms - look_back_ms)) if converted else 0
    rest = tuple(touches[start:])
    if rest:
        yield Path(rest, None)
