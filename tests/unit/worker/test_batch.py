from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition
from journey_stream.events.decisions import Forward, IdentityChanged, ProfileChanged, ProfileGone, Rejected
from journey_stream.events.framing import frame_of
from journey_stream.events.log import Attach, Link, Source, encode_as_of, encode_message, encode_tick
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

    assert {"c1": "purchase"} == {profile: view and view.stage for profile, view in batch.views.items()}


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


def test_a_refused_touchpoint_that_came_framed_keeps_its_frame(processor: Processor) -> None:
    late = frame_of(7) + touchpoint("e1", T0 - 40 * DAY_MS)

    batch = processor.process([logged(late, 5)])

    assert [(Reason.TOO_LATE, late)] == [(letter.reason, letter.value) for letter in batch.dead_letters]


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


def test_offsets_that_no_consumer_is_shown_are_passed_and_never_taken_back(processor: Processor) -> None:
    processor.apply([logged(touchpoint("e1", type="add_to_cart"), 7)])
    processor.passed(11)
    processor.passed(9)

    assert (11, 11) == (processor.next_offset, processor.finish().next_offset)


def test_what_is_decided_about_identity_is_kept_with_what_caused_it(processor: Processor) -> None:
    record = logged(touchpoint(), 3)
    view = ProfileChanged("c1", 1, None, None, None, None, T0, T0, False, "test", 1)
    linked = IdentityChanged("id", "linked", "c1", 1, "c2", T0, "observed", "Seen with c2.", ("e1",), "c2")
    said = [Attach(profile_id="c2", at=T0, child="c1"), Attach(profile_id="c3", at=T0, child="c1", gone=True)]
    again = replace(view, profile_id="c4")

    decided = [view, ProfileGone("c1", 2), linked, *map(Forward, said), ProfileGone("c4", 1), again]
    processor._note(processor._open, record, decided)
    batch = processor.finish()

    assert {"c1": None, "c4": again} == batch.views
    assert [(linked, record)] == batch.identities
    assert [(one, record) for one in said] == batch.forwards


def test_records_about_identifiers_are_counted_by_kind(processor: Processor) -> None:
    link = encode_message(Link(profile_id="email:a@x.org", at=T0, parent="c1", event_id="e1"))

    batch = processor.process([Rec(b"email:a@x.org", link, T0, 0), logged(touchpoint(), 1)])

    assert {"link": 1, "touchpoint": 1} == {kind: count for kind, count in batch.records_by_kind.items() if count}


def test_touchpoints_on_shared_identifiers_are_counted_once(processor: Processor) -> None:
    processor.engine.counters.shared += 3
    first = processor.finish()
    processor.engine.counters.shared += 1

    assert (3, 1) == (first.shared, processor.finish().shared)


def test_a_refused_record_that_came_from_no_source_is_given_back_as_it_lies_in_the_log(processor: Processor) -> None:
    value = encode_message(Attach(profile_id="c2", at=T0, child="c1"))

    processor._note(processor._open, Rec(b"c2", value, T0, 4), [Rejected(Reason.TOO_LATE, "late")])

    [letter] = processor.finish().dead_letters
    assert (Source("log", 3, 4), b"c2", value) == (letter.source, letter.key, letter.value)
