from __future__ import annotations

import msgspec
import pytest

from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition
from journey_stream.events.log import Source, encode_as_of, encode_tick
from journey_stream.events.reasons import Reason
from journey_stream.worker.batch import Batch, Processor
from tests.integration.journeys import DAY_MS, model
from tests.unit.worker.records import MINUTE_MS, T0, Rec, logged, touchpoint


@pytest.fixture
def processor() -> Processor:
    return Processor(Partition(model(), Limits()), "log", 3)


def stages(batch: Batch) -> list[tuple[str, str]]:
    return [(caused.change.kind, caused.change.to_stage) for caused in batch.changes]


def test_a_batch_holds_what_its_records_caused_and_where_to_go_on(processor: Processor) -> None:
    cart = touchpoint("e1", type="add_to_cart")
    purchase = touchpoint("e2", T0 + 1, channel="store", type="purchase", value=50)

    batch = processor.process([logged(cart, 10), logged(purchase, 12, T0 + 5)])

    assert [("entered", "decision"), ("entered", "purchase")] == stages(batch)
    assert (13, T0 + 5, T0) == (batch.next_offset, batch.clock, batch.oldest_at)
    assert 2 == batch.records_by_kind["touchpoint"]


def test_only_the_last_view_of_a_profile_is_kept(processor: Processor) -> None:
    cart = touchpoint("e1", type="add_to_cart")
    purchase = touchpoint("e2", T0 + 1, channel="store", type="purchase", value=50)

    batch = processor.process([logged(cart, 0), logged(purchase, 1, T0 + 5)])

    assert {"c1": "purchase"} == {profile: view.stage for profile, view in batch.views.items()}


def test_records_that_were_applied_before_are_left_out(processor: Processor) -> None:
    cart = logged(touchpoint("e1", type="add_to_cart"), 7)
    processor.process([cart])

    again = processor.process([cart])

    assert ([], 8, 0) == (again.changes, again.next_offset, again.records_by_kind["touchpoint"])


def test_a_restored_engine_continues_as_if_nothing_had_happened(processor: Processor) -> None:
    first = processor.process([logged(touchpoint("e1", type="add_to_cart"), 0)])
    restored = Partition(model(), Limits())
    for key, value in first.changelog:
        restored.restore(key, value)
    restored.restored()
    purchase = logged(touchpoint("e2", T0 + 1, channel="store", type="purchase", value=50), 1, T0 + 5)

    expected = processor.process([purchase])
    actual = Processor(restored, "log", 3, first.next_offset).process([purchase])

    assert expected == actual


def test_a_refused_touchpoint_keeps_its_original_bytes_and_place(processor: Processor) -> None:
    late = touchpoint("e1", T0 - 40 * DAY_MS)

    batch = processor.process([logged(late, 5, source_key=b"their key", headers=(("traceparent", b"00-x"),))])

    letter = batch.dead_letters[0]
    assert (Reason.TOO_LATE, "task", late) == (letter.reason, letter.stage, letter.value)
    assert (Source("touchpoints.web", 2, 77), b"their key", T0) == (letter.source, letter.key, letter.timestamp)


def test_a_record_that_no_router_wrote_is_a_dead_letter_and_the_next_one_counts(processor: Processor) -> None:
    batch = processor.process([Rec(b"c1", b"\xff not json", T0, 4), logged(touchpoint("e1", type="add_to_cart"), 5)])

    letter = batch.dead_letters[0]
    assert (Reason.UNREADABLE_LOG_RECORD, b"\xff not json") == (letter.reason, letter.value)
    assert Source("log", 3, 4) == letter.source
    assert [("entered", "decision")] == stages(batch)


def test_a_conflicting_duplicate_gives_back_what_was_kept_of_the_loser(processor: Processor) -> None:
    first = logged(touchpoint("e1", T0 + MINUTE_MS, type="add_to_cart"), 0, T0 + MINUTE_MS)
    earlier = logged(touchpoint("e1", T0), 1, T0 + MINUTE_MS)

    batch = processor.process([first, earlier])

    letter = batch.dead_letters[0]
    assert Reason.CONFLICTING_DUPLICATE == letter.reason
    assert b"add_to_cart" in (letter.value or b"")


def test_ticks_and_the_end_of_a_replay_move_the_clock_and_ring_timers(processor: Processor) -> None:
    processor.process([logged(touchpoint("e1", type="add_to_cart"), 0)])

    tick = processor.process([Rec(None, encode_tick(T0 + DAY_MS), T0 + DAY_MS, 1)])
    end = processor.process([Rec(None, encode_as_of(T0 + 3 * DAY_MS), T0, 2)])

    assert ([], T0 + DAY_MS) == (tick.changes, tick.clock)
    assert [("entered", "interest")] == stages(end)
    assert (1, 1) == (tick.records_by_kind["tick"], end.records_by_kind["as_of"])


def test_a_failure_of_the_engine_names_the_record(processor: Processor) -> None:
    record = logged(touchpoint(), 41)
    processor.engine.restore(b"h" + (record.key or b""), b"no head at all")

    with pytest.raises(msgspec.MsgspecError) as caught:
        processor.process([record])

    assert ["while applying log[3] offset 41"] == caught.value.__notes__
