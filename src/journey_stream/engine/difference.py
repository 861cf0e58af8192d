"""What has to be told when a history turns out to be another."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import TypeVar

from journey_stream.engine.risk import RiskChange
from journey_stream.engine.touches import Change

AnyChange = TypeVar("AnyChange", Change, RiskChange)


def difference(before: Sequence[AnyChange], after: Sequence[AnyChange]) -> tuple[list[AnyChange], list[AnyChange]]:
    """What has to be retracted and entered to turn one history into the other, each oldest first.

    Changes of one instant stand or fall together: a subscriber orders them by revision, so they are told in one go.
    """
    if list(before) == list(after):
        return [], []
    old = {at: list(group) for at, group in groupby(before, key=attrgetter("at"))}
    new = {at: list(group) for at, group in groupby(after, key=attrgetter("at"))}
    retracted = [change for at, group in old.items() if new.get(at) != group for change in group]
    entered = [change for at, group in new.items() if old.get(at) != group for change in group]
    return retracted, entered
