"""What is kept of a customer for scoring: a handful of numbers, folded from touchpoints in the order of time."""

from typing import TypeVar

import msgspec

from journey_stream.churn.parameters import Parameters


class Summary(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A customer who has bought at least once; instants in ms since the epoch.

    `repeats` counts purchase occasions after the first. Purchases of one occasion (by default of one UTC day) count
    once, as in the data that BG/NBD was made for. `signals` holds when each signal was last seen, by its id.
    """

    first: int
    last: int
    repeats: int = 0
    spent: float = 0.0
    signals: dict[str, int] | None = None


class Before(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Somebody who has not bought yet, and therefore has no score; signals seen so far count later."""

    signals: dict[str, int] | None = None


_Kept = TypeVar("_Kept", Summary, Before)


def bought(summary: Summary | Before, at: int, value: float | None, parameters: Parameters) -> Summary:
    """After a purchase, which does not lie before what is in the summary. A negative value counts as nothing."""
    spent = value if value is not None and value > 0.0 else 0.0
    if isinstance(summary, Before):
        return Summary(at, at, 0, spent, summary.signals)
    occasion_ms = parameters.occasion_ms
    again = at // occasion_ms != summary.last // occasion_ms
    return Summary(summary.first, at, summary.repeats + again, summary.spent + spent, summary.signals)


def signalled(summary: _Kept, signal: str, at: int) -> _Kept:
    """After a touchpoint that is a signal."""
    return msgspec.structs.replace(summary, signals={**(summary.signals or {}), signal: at})
