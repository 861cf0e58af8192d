"""How purchases and signals change what is kept of a customer, one after the other."""

from journey_stream.churn.parameters import Parameters
from journey_stream.churn.summary import SPENT_MAX, Summary


def bought(
    summary: Summary | None, at: int, value: float | None, parameters: Parameters, early: dict[str, int] | None = None
) -> Summary:
    """After a purchase, which does not lie before what is in the summary. A negative value counts as nothing, and
    what is spent adds up to SPENT_MAX at the most.

    Nobody has a summary before the first purchase; `early` are the signals seen until then.
    """
    spent = min(value, SPENT_MAX) if value is not None and value > 0.0 else 0.0
    if summary is None:
        return Summary(at, at, 0, spent, early)
    occasion_ms = parameters.occasion_ms
    again = at // occasion_ms != summary.last // occasion_ms
    total = min(summary.spent + spent, SPENT_MAX)
    return Summary(summary.first, at, summary.repeats + again, total, summary.signals)


def signalled(summary: Summary, signal: str, at: int) -> Summary:
    """After a touchpoint that is a signal."""
    signals = seen(summary.signals, signal, at)
    return Summary(summary.first, summary.last, summary.repeats, summary.spent, signals)


def seen(signals: dict[str, int] | None, signal: str, at: int) -> dict[str, int]:
    """Signals with one more; a copy."""
    return {signal: at} if signals is None else {**signals, signal: at}
