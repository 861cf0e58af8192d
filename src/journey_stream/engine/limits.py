"""The bounds that make history final and memory finite."""

from dataclasses import dataclass

from journey_stream.events.times import DAY_MS, MINUTE_MS


@dataclass(frozen=True, slots=True)
class Limits:
    """Lengths of time in milliseconds.

    `lateness_ms` is H: how long after happening a touchpoint may arrive. `allowance_ms` is how far a task may lag
    behind the log's clock before an admissible touchpoint can find its place already folded away. `skew_ms` is how
    far a producer's clock may run ahead. `touchpoints_max` protects from bots.
    """

    lateness_ms: int = 30 * DAY_MS
    allowance_ms: int = DAY_MS
    skew_ms: int = 5 * MINUTE_MS
    touchpoints_max: int = 2_000

    def __post_init__(self) -> None:
        if min(self.lateness_ms, self.allowance_ms, self.skew_ms) < 0 or self.touchpoints_max < 1:
            raise ValueError(f"limits must not be negative, and at least one touchpoint must be held: {self}")
