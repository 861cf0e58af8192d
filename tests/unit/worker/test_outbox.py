from __future__ import annotations

import json
from typing import Any

import pytest

from journey_stream.engine.partition import Partition
from journey_stream.events.decisions import StageChanged
from journey_stream.events.log import Source
from journey_stream.events.reasons import Reason
from journey_stream.worker.batch import Batch, Caused, Processor
from journey_stream.worker.changelog import KEY, Position, decode_position
from journey_stream.worker.config import Settings
from journey_stream.worker.dead_letters import DeadLetter
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.outbox import Message, Outbox, dead_letter_message, message_bytes
from tests.integration.journeys import model
from tests.support.risks import nervous_scorer
from tests.unit.worker.records import T0, logged, touchpoint

SETTINGS = Settings(partitions=4, record_bytes_max=20_000, dead_letter_bytes_max=30_000)
CHANGE = StageChanged(
    *("id", "entered", "c1", 1, None, "decision", T0, None, True, "touchpoint", "wants", "Wants it.", ("e1",)),
    *(None, None, "test", 1),
)


def batch(**fields: Any) -> Batch:
    return Batch([], [], {}, [], [], 9, T0, None, {})._replace(**fields)


def messages_of(outbox: Outbox, of: Batch) -> dict[str, list[Message]]:
    return {topic: [Message(*row) for row in rows] for topic, rows in outbox.messages(of).items()}


def letter(**fields: Any) -> DeadLetter:
    given = DeadLetter(Reason.TOO_LATE, "late", "task", Source("t", 1, 2), T0, b"k", b"v", (("h", b"x"),))
    return given._replace(**fields)


def test_a_batch_becomes_messages_for_each_topic_and_always_a_position() -> None:
    processor = Processor(Partition(model()), "journey.log", 3)
    applied = processor.process([logged(touchpoint(type="add_to_cart"), 8, headers=(("traceparent", b"00-1"),))])

    messages = messages_of(Outbox(SETTINGS, 3), applied)

    assert {"journey.stage-changes", "journey.profiles", "journey.state"} == messages.keys()
    change = messages["journey.stage-changes"][0]
    assert ("c1", "decision") == ((change.key or b"").decode(), json.loads(change.value or b"")["to_stage"])
    assert {"ce_id": b"stage/c1/1", "traceparent": b"00-1"}.items() <= dict(change.headers).items()
    assert KEY == messages["journey.state"][-1].key
    assert Position(9, T0, 4) == decode_position(messages["journey.state"][-1].value or b"")


def test_a_change_of_risk_goes_to_its_own_topic_with_the_current_band_in_the_view() -> None:
    processor = Processor(Partition(model(), None, nervous_scorer()), "journey.log", 3)
    applied = processor.process([logged(touchpoint(type="buy"), 8, headers=(("traceparent", b"00-1"),))])

    messages = messages_of(Outbox(SETTINGS, 3), applied)

    [risk] = messages["journey.churn-risk"]
    value = json.loads(risk.value or b"")
    assert (b"c1", "low", None) == (risk.key, value["band"], value["previous_band"])
    assert {"ce_id": b"risk/c1/1", "traceparent": b"00-1"}.items() <= dict(risk.headers).items()
    [view] = messages["journey.profiles"]
    assert "low" == json.loads(view.value or b"")["risk"]["band"]


def test_a_batch_without_consequences_still_stores_its_position() -> None:
    messages = Outbox(SETTINGS, 0).messages(batch())

    assert {"journey.state": 1} == {topic: len(queue) for topic, queue in messages.items()}


def test_a_stage_change_that_is_too_large_loses_evidence_and_tells_it_in_a_dead_letter() -> None:
    value = touchpoint("e1")
    change = CHANGE._replace(evidence=tuple(f"event-{number:06}" for number in range(5_000)))

    messages = messages_of(Outbox(SETTINGS, 0), batch(changes=[Caused(change, logged(value, 8))]))

    published = messages["journey.stage-changes"][0]
    assert message_bytes(published) <= SETTINGS.record_bytes_max
    assert 0 < len(json.loads(published.value or b"")["because"]["evidence"]) < 5_000
    refused = messages["journey.dead-letters"][0]
    assert (b"output_too_large", value) == (dict(refused.headers)["dead_letter_reason"], refused.value)


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
