from hypothesis import given
from hypothesis import strategies as st

from journey_stream.history import order
from journey_stream.history.order import in_time_order
from journey_stream.history.record import HistoryRecord


def records_at(*instants: int) -> list[HistoryRecord]:
    return [HistoryRecord(at, b"%d" % place, "origin", place) for place, at in enumerate(instants, start=1)]


@given(st.lists(st.integers(-5, 5)), st.integers(1, 2_000))
def test_any_memory_budget_gives_the_order_of_a_stable_sort(instants, memory_bytes_max):
    records = records_at(*instants)

    ordered = list(in_time_order(records, memory_bytes_max=memory_bytes_max))

    assert sorted(records, key=lambda record: record.occurred_at) == ordered


def test_many_runs_are_merged_on_the_way(monkeypatch, tmp_path):
    monkeypatch.setattr(order, "RUNS_MAX", 3)
    records = records_at(*(place * 7 % 101 for place in range(100)))

    ordered = list(in_time_order(records, memory_bytes_max=1, temp_dir=tmp_path))

    assert sorted(records, key=lambda record: record.occurred_at) == ordered
    assert [] == list(tmp_path.iterdir())


def test_names_that_are_not_utf8_survive_the_disk():
    records = [HistoryRecord(1, b"v", "caf\udce9.jsonl", 1), HistoryRecord(0, b"w", "caf\udce9.jsonl", 2)]

    assert records[::-1] == list(in_time_order(records, memory_bytes_max=1))
