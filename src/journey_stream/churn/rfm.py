"""RFM: how recently, how often and for how much a customer has bought, each as a score from 1 to 5.

The reference are the quintiles of the customers that the parameters were fitted to. A value at a cut point is on the
worse side of it, so that whoever bought once scores 1 where most customers did.

Cut points are four, so they are counted: compiled code does that in less time than it takes to call `bisect`.
"""

from journey_stream.churn.parameters import RFM_CUTS, Rfm
from journey_stream.churn.summary import Summary
from journey_stream.events.decisions import RfmScores


def scores(rfm: Rfm, summary: Summary, at: int) -> RfmScores:
    """The scores at an instant (ms)."""
    frequency, monetary = lasting(rfm, summary)
    silence, recency = at - summary.last, RFM_CUTS + 1
    for cut in rfm.recency:
        recency -= silence >= cut
    return RfmScores(recency, frequency, monetary or None)


def lasting(rfm: Rfm, summary: Summary) -> tuple[int, int]:
    """The scores that silence leaves alone: frequency, and monetary, 0 where the reference knows no money."""
    repeats, spent, frequency, monetary = summary.repeats, summary.spent, 1, 0
    for cut in rfm.frequency:
        frequency += repeats >= cut
    if rfm.monetary is not None:
        monetary = 1
        for amount in rfm.monetary:
            monetary += spent > amount
    return frequency, monetary
