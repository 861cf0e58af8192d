"""What the worker does with an erasure: what routers leave out, what tasks write, and by which key."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition
from journey_stream.events.erasures import UNKEYED, ErasureKey, Erasures, decode_erasure, whole
from journey_stream.events.log import Block, Erase, Link, decode, encode_message
from journey_stream.events.times import DAY_MS
from journey_stream.journey.load import preset
from journey_stream.worker.batch import Processor
from journey_stream.worker.config import Settings
from journey_stream.worker.erase import Inventory, gone
from journey_stream.worker.erasure_key import erasure_key_of
from journey_stream.worker.errors import WorkerError
from journey_stream.worker.metrics import Metrics
from journey_stream.worker.outbox import Outbox
from journey_stream.worker.person import Held, Person
from journey_stream.worker.routing import Routed, Routing
from journey_stream.worker.task_report import TaskReport
from journey_stream.worker.topic_checks import TopicState
from tests.integration.journeys import model
from tests.unit.worker.records import T0, Rec, logged, touchpoint

SETTINGS = Settings(partitions=8)
POLICY = preset("six-stages").policy()


def routed(*values: bytes, erased: str = "c1", until: int = T0) -> Routed:
    erasures = Erasures(UNKEYED)
    erasures.add(UNKEYED.name_of(erased), whole(until))
    routing, found = Routing(SETTINGS, 3, POLICY, erasures), Routed.none()
    routing.route("touchpoints.web", 0, [Rec(None, value) for value in values], T0 + DAY_MS, found)
    return found


def operation(kind: str, **identifiers: str) -> bytes:
    return touchpoint(channel="identity", type=kind, customer_id=None, identifiers=identifiers)


def written(found: Routed) -> list[tuple[str, type]]:
    rows = [row for rows in found.log.values() for row in rows]
    return sorted([((key or b"").decode(), type(decode(key, T0, value))) for key, value, *_ in rows], key=str)


def test_a_touchpoint_of_an_erased_identifier_goes_nowhere_and_is_counted() -> None:
    found = routed(touchpoint("e1"), touchpoint("e2", customer_id="c2"), touchpoint("e3", occurred_at=T0 + 1))

    assert [name for name, _ in written(found)] == ["c1", "c2"]
    assert found.dead_letters == {}
    assert found.erased == {"touchpoints.web": 1}
    assert found.admitted == {"touchpoints.web": 2}
    assert found.written == {"touchpoint": 2}


def test_a_touchpoint_that_carries_an_erased_identifier_makes_no_link_either() -> None:
    value = touchpoint(customer_id=None, identifiers={"customer_id": "c2", "email": "a@x.org"})

    assert written(routed(value, erased="email:a@x.org")) == []


def test_operations_on_erased_identifiers_are_left_out_but_for_erasures() -> None:
    found = routed(
        operation("link", device_id="d", customer_id="c1"),
        operation("unlink", device_id="d", customer_id="c1"),
        operation("block", customer_id="c1"),
        operation("erase", customer_id="c1"),
        operation("link", device_id="d", customer_id="c2"),
        operation("block", device_id="d"),
    )

    assert written(found) == [("c1", Erase), ("device_id:d", Block), ("device_id:d", Link)]
    assert found.erased == {"touchpoints.web": 3}


def test_an_erasure_is_an_operation_even_where_nothing_is_linked() -> None:
    routing, found = Routing(SETTINGS, 3), Routed.none()

    routing.route("touchpoints.web", 0, [Rec(None, operation("erase", customer_id="c1"))], T0, found)

    assert written(found) == [("c1", Erase)]


def test_a_null_value_comes_where_the_erasure_came_and_all_of_the_person_is_tombstoned() -> None:
    processor = Processor(Partition(model(), Limits()), "journey.log", 3)
    before = processor.process([logged(touchpoint("e0", type="view"), 7)])
    first = touchpoint("e1", type="add_to_cart")
    again = touchpoint("e2", type="add_to_cart", occurred_at=T0 + 2)
    erase = encode_message(Erase(at=T0 + 1, event_id="x"))

    batch = processor.process(
        [logged(first, 8), logged(first, 9)._replace(value=erase), logged(again, 10)._replace(timestamp=T0 + 2)]
    )
    rows = Outbox(Settings(partitions=4), 3).messages(batch)

    assert before.forgotten == []
    changes = [row[1] is not None for row in rows["journey.stage-changes", 3]]
    assert changes == [True, False, True]
    assert [row[:2] for row in rows["journey.churn-risk", 3]] == [(b"c1", None)]
    assert [row[:2] for row in rows["journey.identity-changes", 3]] == [(b"c1", None)]
    assert [row[0] for row in rows["journey.profiles", 3]] == [b"c1"]
    [(key, value, *_)] = rows["journey.erasures", 0]
    assert key == UNKEYED.name_of("c1").hex().encode()
    assert decode_erasure(value or b"") == (UNKEYED.fingerprint, whole(T0 + 1))
    assert batch.erased == 2
    state = [(row[0], row[1] is None) for row in rows["journey.state", 3] if row[0] == b"hc1"]
    assert state == [(b"hc1", True), (b"hc1", False)]

    metrics = Metrics()
    TaskReport(metrics, Settings().topics, 3).committed(batch, rows, 0.1)
    sample = metrics.registry.get_sample_value
    assert sample("journey_erased_identifiers_total") == 1
    assert sample("journey_erased_touchpoints_total", {"stage": "task"}) == 2
    assert sample("journey_records_out_total", {"topic": "journey.erasures", "kind": "erasure"}) == 1


def test_the_key_is_that_of_the_settings_or_else_the_application_id(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("secret\n")
    by_file = erasure_key_of(Settings(erasure_key_file=file)).fingerprint

    assert by_file == ErasureKey(b"secret").fingerprint
    assert by_file == erasure_key_of(Settings(erasure_key=SecretStr("secret"))).fingerprint
    assert erasure_key_of(Settings(application_id="a")).fingerprint == ErasureKey(b"a").fingerprint


def test_a_key_file_that_is_of_no_use_is_told(tmp_path: Path) -> None:
    file = tmp_path / "key"
    with pytest.raises(WorkerError, match=r"No such file.*openssl rand"):
        erasure_key_of(Settings(erasure_key_file=file))
    file.write_text(" \n")
    with pytest.raises(WorkerError, match="is empty"):
        erasure_key_of(Settings(erasure_key_file=file))


@pytest.mark.parametrize(
    ("configs", "records", "words"),
    [
        ({"cleanup.policy": "compact", "max.compaction.lag.ms": str(7 * DAY_MS)}, 0, "compacted within 7d"),
        ({"cleanup.policy": "compact"}, 0, "max.compaction.lag.ms is not set"),
        ({"cleanup.policy": "delete", "retention.ms": str(DAY_MS)}, 0, "nothing left"),
        ({"cleanup.policy": "delete", "retention.ms": "-1"}, 3, "never: retention.ms is -1; lower it"),
        (
            {"cleanup.policy": "delete", "retention.ms": str(45 * DAY_MS), "segment.ms": str(DAY_MS)},
            3,
            "within 44.0 days (retention 45d and segments of 1d)",
        ),
    ],
)
def test_when_the_rest_is_gone_follows_from_the_topics_settings(
    configs: dict[str, str], records: int, words: str
) -> None:
    found = gone(TopicState("t", 1, 1, configs), Held(records, T0), T0 + 2 * DAY_MS)

    assert words in found


def test_somebody_of_whom_only_the_name_is_known_is_nobody() -> None:
    person = Person("c1", {"c1": whole(T0)}, ())

    assert Inventory(person, {"t": Held(0, 0)}, is_erased=False).is_empty
    assert not Inventory(person, {"t": Held(1, T0)}, is_erased=False).is_empty
