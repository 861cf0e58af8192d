"""What a profile keeps of a touchpoint, and of a move.

The structs are invisible to the garbage collector (`gc=False`): nothing in them can form a cycle, and scanning millions
of them would cost more than the work.
"""

from typing import Final

import msgspec

Fact = str | int | float | bool | None
Facts = dict[str, Fact]
"""The fields of a touchpoint that rules read, by name."""

NEVER: Final = (1 << 62) - 1
"""A time in ms that no clock reaches; the largest number that compiled code keeps without an object."""

LONG_AGO: Final = -NEVER


class Touch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A touchpoint projected to what rules read; `facts` holds only the fields that the model asks for.

    `via`: the lower identifiers that passed it on, in order; it goes when the last of them takes it back. None: a
    source named this profile itself, and it never goes.
    """

    at: int
    id: str
    channel: str
    type: str
    facts: Facts | None = None
    via: tuple[str, ...] | None = None


class Change(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One move from stage to stage (indices; -1 = none yet).

    `rule` is the index of an entry rule, or -1 - index of an inactivity rule. `since` is when `before` was entered,
    `silent_since` when the silence began that an inactivity rule saw.
    """

    at: int
    before: int
    after: int
    rule: int
    since: int | None
    evidence: tuple[str, ...]
    silent_since: int | None = None
