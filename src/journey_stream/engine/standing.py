"""Where a customer stands: all that the fold carries from one touchpoint to the next."""

import msgspec

from journey_stream.engine.touches import LONG_AGO, NEVER


class Standing(msgspec.Struct, array_like=True, gc=False):
    """Where a customer stands: the summary of all touchpoints folded so far.

    `silent_at` is the instant of the last move by inactivity: an earlier touchpoint cannot simply be stepped. No
    inactivity falls due before `quiet_until`, a lower bound that is made exact only when it is reached. `came_from` and
    `rule` are those of the last move.
    """

    stage: int = -1
    peak: int = -1
    entered_at: int = LONG_AGO
    silent_at: int = LONG_AGO
    quiet_until: int = NEVER
    memory: dict[int, list[int | str]] = {}
    came_from: int = -1
    rule: int = 0
