"""RFM: how recently, how often and for how much a customer has bought, each as a score from 1 to 5.

The reference are the quintiles of the customers that the parameters were fitted to. A value at a cut point is on the
worse side of it, so that whoever bought once scores 1 where most customers did.
"""

from typing import NamedTuple

from journey_stream.churn.parameters import RFM_CUTS, Rfm
from journey_stream.churn.summary import Summary


class Scores(NamedTuple):
    """Scores from 1 to 5, the higher the better; `monetary` is 0 where the reference knows no money."""

    recency: int
    frequency: int
    monetary: int


def scores(rfm: Rfm, summary: Summary, at: int) -> Scores:
    """The scores at an instant (ms)."""
    recency = RFM_CUTS + 1
    for cut in rfm.recency:
        if at - summary.last >= cut:
            recency -= 1
    return Scores(recency, *lasting(rfm, summary))


def lasting(rfm: Rfm, summary: Summary) -> tuple[int, int]:
    """The scores that silence leaves alone: frequency and monetary."""
    frequency = 1
    for least in rfm.frequency:
        if summary.repeats + 1 > least:
            frequency += 1
    if rfm.monetary is None:
        return frequency, 0
    monetary = 1
    for amount in rfm.monetary:
        if summary.spent > amount:
            monetary += 1
    return frequency, monetary
