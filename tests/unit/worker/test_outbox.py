from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from journey_stream.engine.partition import Partition
from journey_stream.events.decisions import IdentityChanged, StageChanged
from journey_stream.events.framing import frame_of
from journey_stream.events.log import Deliver, Passed, Source, decode, encode_message
from journey_stream.events.reasons import Reason
from journey_stream.worker.batch import Batch, Caused, CausedIdentity, Forwarded, Processor
from journey_stream.worker.changelog import KEY, Position, decode_position
from journey_stream.worker.config import Settings
from journey_stream.worker.dead_letters import DeadLetter
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.murmur import partition_for
from journey_stream.worker.outbox import Message, Outbox, dead_letter_message, message_bytes
from tests.integration.journeys import DAY_MS, SILENCE_MS, model
from tests.support.risks import nervous_scorer
from tests.unit.worker.records import MINUTE_MS, T0, logged, touchpoint

SETTINGS = Settings(partitions=4, record_bytes_max=20_000, dead_letter_bytes_max=30_000)
CHANGE = StageChanged(
    *("id", "entered", "c1", 1, None, "decision", T0, None, True, "touchpoint", "wants", "Wants it.", ("e1",)),
    *(None, None, "test", 1),
)


LINKED = IdentityChanged(
    *("id", "linked", "email:a@x.org", 1, "c1", T0, "observed", "Seen with c1.", ("e1",), None),
)


def deliver(to: str, *event_ids: str, **facts: str) -> Deliver:
    passed = [Passed(T0 + n, event_id, "web", "view", dict(facts) or None) for n, event_id in enumerate(event_ids)]
    return Deliver(profile_id=to, at=passed[-1].at, via="email:a@x.org", touchpoints=passed)


def batch(**fields: Any) -> Batch:
    return Batch([], [], [], [], {}, [], [], 9, T0, None, {}, 0)._replace(**fields)


def messages_of(outbox: Outbox, of: Batch, partition: int = 0) -> dict[str, list[Message]]:
    """What goes to one partition, by topic."""
    rows = outbox.messages(of)
    return {topic: [Message(*row) for row in rows[topic, at]] for topic, at in rows if at == partition}


def letter(**fields: Any) -> DeadLetter:
    given = DeadLetter(Reason.TOO_LATE, "late", "task", Source("t", 1, 2), T0, b"k", b"v", (("h", b"x"),))
    return given._replace(**fields)


def test_a_batch_becomes_messages_for_each_topic_and_always_a_position() -> None:
    processor = Processor(Partition(model()), "journey.log", 3)
    applied = processor.process([logged(touchpoint(type="add_to_cart"), 8, headers=(("traceparent", b"00-1"),))])

    messages = messages_of(Outbox(SETTINGS, 3), applied, 3)

    assert {"journey.stage-changes", "journey.profiles", "journey.state"} == messages.keys()
    change = messages["journey.stage-changes"][0]
    assert ("c1", "decision") == ((change.key or b"").decode(), json.loads(change.value or b"")["to_stage"])
    assert {"ce_id": b"stage/c1/1", "traceparent": b"00-1"}.items() <= dict(change.headers).items()
    assert KEY == messages["journey.state"][-1].key
    assert Position(9, T0, 4) == decode_position(messages["journey.state"][-1].value or b"")


def test_a_change_of_risk_goes_to_its_own_topic_with_the_current_band_in_the_view() -> None:
    processor = Processor(Partition(model(), None, nervous_scorer()), "journey.log", 3)
    applied = processor.process([logged(touchpoint(type="buy"), 8, headers=(("traceparent", b"00-1"),))])

    messages = messages_of(Outbox(SETTINGS, 3), applied, 3)

    [risk] = messages["journey.churn-risk"]
    value = json.loads(risk.value or b"")
    assert (b"c1", "low", None) == (risk.key, value["band"], value["previous_band"])
    assert {"ce_id": b"risk/c1/1", "traceparent": b"00-1"}.items() <= dict(risk.headers).items()
    [view] = messages["journey.profiles"]
    assert "low" == json.loads(view.value or b"")["risk"]["band"]


def test_a_batch_without_consequences_still_stores_its_position() -> None:
    messages = Outbox(SETTINGS, 0).messages(batch())

    assert {("journey.state", 0): 1} == {place: len(queue) for place, queue in messages.items()}


def test_a_change_of_identity_goes_to_its_own_topic_with_the_trace_of_what_caused_it() -> None:
    caused = CausedIdentity(LINKED, logged(touchpoint(), 8, headers=(("traceparent", b"00-1"), ("h", b"x"))))

    messages = messages_of(Outbox(SETTINGS, 0), batch(identities=[caused]))

    [linked] = messages["journey.identity-changes"]
    value = json.loads(linked.value or b"")
    assert (b"email:a@x.org", "linked", "c1") == (linked.key, value["kind"], value["parent"])
    headers = dict(linked.headers)
    assert {"ce_id": b"identity/email:a@x.org/1", "traceparent": b"00-1"}.items() <= headers.items()
    assert "h" not in headers


def test_a_profile_that_is_gone_is_a_tombstone() -> None:
    messages = messages_of(Outbox(SETTINGS, 0), batch(views={"c1": None}))

    assert [Message(b"c1", None)] == messages["journey.profiles"]


def test_what_is_forwarded_goes_to_the_partition_of_its_key_in_order_with_the_time_of_its_cause() -> None:
    causes = [logged(touchpoint(), n, T0 + n, headers=(("traceparent", b"00-%d" % n), ("h", b"x"))) for n in range(40)]
    said = [deliver(f"c{n % 9}", f"e{n}") for n in range(40)]
    forwards = [Forwarded(one, cause) for one, cause in zip(said, causes, strict=True)]

    messages = Outbox(SETTINGS, 2).messages(batch(forwards=forwards))

    found: dict[str, list[str]] = {}
    for (topic, partition), rows in messages.items():
        if topic != "journey.log":
            continue
        for key, value, headers, timestamp in rows:
            assert partition == partition_for(key or b"", 4)
            decoded = decode(key, timestamp or 0, value)
            assert isinstance(decoded, Deliver)
            [passed] = decoded.touchpoints
            number = int(passed.event_id[1:])
            assert (T0 + number, [("traceparent", b"00-%d" % number)]) == (timestamp, list(headers))
            assert replace(said[number], arrived_at=T0 + number) == decoded
            found.setdefault(decoded.profile_id, []).append(passed.event_id)
    assert {f"c{n}": [f"e{m}" for m in range(n, 40, 9)] for n in range(9)} == found
    assert ("journey.state", 2) in messages


def test_a_forward_that_the_log_cannot_hold_goes_in_parts_in_its_order() -> None:
    whole = deliver("c1", *(f"e{n}" for n in range(30)), text="x" * 2_000)
    forwards = [Forwarded(one, logged(touchpoint(), 8, T0 + 9)) for one in (whole, deliver("c1", "last"))]

    applied = batch(forwards=forwards)
    rows = Outbox(SETTINGS, 2).messages(applied)["journey.log", partition_for(b"c1", 4)]

    parts = [decode(key, timestamp or 0, value) for key, value, _, timestamp in rows]
    assert [] == applied.dead_letters
    assert 4 <= len(rows)
    assert all(message_bytes(Message(*row)) <= SETTINGS.record_bytes_max for row in rows)
    passed: list[Passed] = []
    for part in parts:
        assert isinstance(part, Deliver)
        assert ("c1", whole.via, T0 + 9) == (part.profile_id, part.via, part.arrived_at)
        assert part.at == part.touchpoints[-1].at
        passed += part.touchpoints
    assert [*whole.touchpoints, *deliver("c1", "last").touchpoints] == passed


def test_a_touchpoint_that_cannot_be_forwarded_is_a_dead_letter_in_full_and_the_others_go() -> None:
    huge = deliver("c1", "e1", basket="x" * SETTINGS.record_bytes_max)
    together = replace(huge, touchpoints=[*huge.touchpoints, *deliver("c1", "e2").touchpoints])

    applied = batch(forwards=[Forwarded(together, logged(touchpoint(), 8))])
    messages = Outbox(SETTINGS, 2).messages(applied)

    [(_, value, _, _)] = messages["journey.log", partition_for(b"c1", 4)]
    assert b'"e2"' in (value or b"")
    [told] = applied.dead_letters
    assert (Reason.OUTPUT_TOO_LARGE, Source("journey.log", 2, 8)) == (told.reason, told.source)
    assert (b"c1", encode_message(huge)) == (told.key, told.value)
    assert "the deliver for c1 takes" in told.detail
    [(key, whole, _, _)] = messages["journey.dead-letters", 2]
    assert (b"c1", encode_message(huge)) == (key, whole)


def test_a_stage_change_that_is_too_large_loses_evidence_and_tells_it_in_a_dead_letter() -> None:
    value = touchpoint("e1")
    change = CHANGE._replace(evidence=tuple(f"event-{number:06}" for number in range(5_000)))

    messages = messages_of(Outbox(SETTINGS, 0), batch(changes=[Caused(change, logged(value, 8))]))

    published = messages["journey.stage-changes"][0]
    assert message_bytes(published) <= SETTINGS.record_bytes_max
    assert 0 < len(json.loads(published.value or b"")["because"]["evidence"]) < 5_000
    refused = messages["journey.dead-letters"][0]
    assert (b"output_too_large", value) == (dict(refused.headers)["dead_letter_reason"], refused.value)


def framing_outbox() -> Outbox:
    topics = (SETTINGS.topics.stage_changes, SETTINGS.topics.churn_risk, SETTINGS.topics.profiles)
    return Outbox(SETTINGS, 3, {topic: frame_of(number) for number, topic in enumerate(topics, 500)})


def test_only_values_of_topics_with_a_schema_are_framed() -> None:
    late = logged(touchpoint("e2", T0 - 31 * DAY_MS), 10)
    records = [logged(touchpoint(type="buy"), 8), logged(touchpoint("e3", type="add_to_cart"), 9), late]
    processor = Processor(Partition(model(), None, nervous_scorer()), "journey.log", 3)
    applied = processor.process(records)

    plain, framed = messages_of(Outbox(SETTINGS, 3), applied, 3), messages_of(framing_outbox(), applied, 3)

    topics = ("journey.stage-changes", "journey.churn-risk", "journey.profiles")
    frames = {topic: frame_of(number) for number, topic in enumerate(topics, 500)}
    assert {*frames, "journey.dead-letters", "journey.state"} == plain.keys() == framed.keys()
    for topic, messages in plain.items():
        frame = frames.get(topic, b"")
        assert [one._replace(value=frame + (one.value or b"")) for one in messages] == framed[topic]


def test_a_null_value_has_no_frame() -> None:
    messages = messages_of(framing_outbox(), batch(views={"c1": None}), 3)

    assert [Message(b"c1", None)] == messages["journey.profiles"]


def test_a_frame_is_counted_where_a_message_fits_just_so() -> None:
    change = CHANGE._replace(evidence=("e" * 15_000, "x" * 4_000))
    caused = Caused(change, logged(touchpoint(), 8))
    whole = messages_of(Outbox(SETTINGS, 3), batch(changes=[caused]), 3)["journey.stage-changes"][0]
    exact = SETTINGS.model_copy(update={"record_bytes_max": message_bytes(whole)})

    plain, framed = batch(changes=[caused]), batch(changes=[caused])
    [unchanged] = messages_of(Outbox(exact, 3), plain, 3)["journey.stage-changes"]
    [cut] = messages_of(Outbox(exact, 3, {"journey.stage-changes": frame_of(1)}), framed, 3)["journey.stage-changes"]

    assert (whole, []) == (unchanged, plain.dead_letters)
    assert message_bytes(cut) <= exact.record_bytes_max
    assert [Reason.OUTPUT_TOO_LARGE] == [letter.reason for letter in framed.dead_letters]


def test_what_time_does_to_others_does_not_carry_the_trace_of_the_touchpoint_that_brought_the_time() -> None:
    processor = Processor(Partition(model()), "journey.log", 3)
    first = logged(touchpoint(type="add_to_cart"), 8)
    later = T0 + SILENCE_MS + MINUTE_MS
    second = logged(touchpoint("e2", later, customer_id="c2"), 9, later, headers=(("traceparent", b"00-1"),))

    messages = messages_of(Outbox(SETTINGS, 3), processor.process([first, second]), 3)

    found = [
        (message.key, json.loads(message.value or b"")["cause"], dict(message.headers).get("traceparent"))
        for message in messages["journey.stage-changes"]
    ]
    assert [(b"c1", "touchpoint", None), (b"c2", "touchpoint", b"00-1"), (b"c1", "timer", None)] == found


def test_a_dead_letter_carries_the_original_and_where_it_came_from() -> None:
    message = dead_letter_message(letter(), 10_000)

    assert (b"k", b"v") == (message.key, message.value)
    assert {
        "h": b"x",
        "dead_letter_reason": b"too_late",
        "dead_letter_detail": b"late",
        "dead_letter_topic": b"t",
        "dead_letter_partition": b"1",
        "dead_letter_offset": b"2",
        "dead_letter_stage": b"task",
        "dead_letter_timestamp": b"%d" % T0,
    } == dict(message.headers)


def test_a_dead_letter_that_was_one_before_tells_its_last_place_only() -> None:
    again = letter(headers=(("dead_letter_reason", b"invalid_json"), ("h", b"x")))

    names = [name for name, _ in dead_letter_message(again, 10_000).headers]

    assert 1 == names.count("dead_letter_reason")


@pytest.mark.parametrize(
    "fields",
    [
        {"value": b"x" * 20_000},
        {"key": b"x" * 20_000},
        {"key": None, "value": b"x" * 20_000},
        {"headers": [("h", b"x" * 20_000)]},
        {"detail": "ü" * 100_000},
    ],
)
def test_a_dead_letter_that_is_too_large_keeps_its_headers_and_fits(fields: dict[str, Any]) -> None:
    message = dead_letter_message(letter(**fields), 10_000)

    assert message_bytes(message) <= 10_000
    assert b"too_late" == dict(message.headers)["dead_letter_reason"]
    assert message.key is not None or message.value is not None


def test_state_that_no_message_can_hold_is_a_matter_for_a_person() -> None:
    with pytest.raises(WorkerError, match="record_bytes_max"):
        Outbox(SETTINGS, 0).messages(batch(changelog=[(b"hc1", b"x" * 200_000)]))
