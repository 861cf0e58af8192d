"""Which customers and which stretch of event time a number is about."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filter:
    """None does not restrict. The range is [from_ms, to_ms) of event time, in ms since the epoch.

    A channel and a campaign restrict to customers with at least one counted touchpoint that has both, in the range; a
    segment to customers who are in it now.
    """

    from_ms: int | None = None
    to_ms: int | None = None
    channel: str | None = None
    campaign: str | None = None
    segment: str | None = None

    @property
    def chooses_by_touchpoints(self) -> bool:
        return self.channel is not None or self.campaign is not None


EVERYTHING = Filter()
