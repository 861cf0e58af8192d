import time

from journey_stream.history.record import HistoryRecord
from journey_stream.worker.replay import CHUNK_RECORDS, _chunks, at_rate, at_speed


def records(*instants: int) -> list[HistoryRecord]:
    return [HistoryRecord(at, b"{}", "test", place) for place, at in enumerate(instants, start=1)]


def test_a_factor_shortens_the_time_between_records():
    due = at_speed(60.0)

    assert [0.0, 1.0, 60.0] == [due(record, 0) for record in records(5_000, 65_000, 3_605_000)]


def test_a_rate_spaces_records_evenly_whatever_their_times():
    due = at_rate(4.0)

    assert [0.0, 0.25, 0.5] == [due(record, place) for place, record in enumerate(records(0, 0, 99_000))]


async def test_without_a_pace_everything_comes_at_once_in_order():
    given = records(*range(2 * CHUNK_RECORDS + 7))

    chunks = [chunk async for chunk in _chunks(iter(given), None)]

    assert given == [record for chunk in chunks for record in chunk]
    assert 3 == len(chunks)


async def test_no_record_goes_out_before_it_is_due():
    began = time.monotonic()
    waited = []

    async for chunk in _chunks(iter(records(*range(30))), at_rate(100.0)):
        waited += [(time.monotonic() - began, record.position) for record in chunk]

    assert all(seconds >= (position - 1) / 100 for seconds, position in waited)
    assert 30 == len(waited)


async def test_nothing_to_replay_is_no_chunk():
    assert [] == [chunk async for chunk in _chunks(iter([]), None)]
