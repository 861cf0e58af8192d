"""Records of all topics as rows: what tasks and routers write is what is read."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec.structs import replace

from journey_stream.events.decisions import (
    CurrentRisk,
    IdentityChanged,
    ProfileChanged,
    RfmScores,
    RiskChanged,
    RiskContribution,
    StageChanged,
)
from journey_stream.events.erasures import UNKEYED, Erasures, encode_erasure
from journey_stream.events.framing import frame_of
from journey_stream.events.log import Deliver, Passed, Retract, Source, encode_message, encode_tick
from journey_stream.events.reasons import Reason
from journey_stream.events.times import DAY_MS
from journey_stream.events.wire import (
    encode_identity_change,
    encode_profile,
    encode_risk_change,
    encode_stage_change,
)
from journey_stream.serve.projection.gathering import Gathering
from journey_stream.serve.store import schema
from journey_stream.serve.store.batch import TOUCHPOINT_COLUMNS, Batch, arrow_table
from journey_stream.worker.config import Settings
from journey_stream.worker.dead_letters import DeadLetter, dead_letter_headers
from journey_stream.worker.errors import WorkerError

TOPICS = Settings().topics
AT = 1_769_851_800_123


class Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    timestamp: int = AT + 40
    offset: int = 7
    headers: tuple[tuple[str, bytes | None], ...] = ()


class Gathered:
    def __init__(self) -> None:
        self.erasures = Erasures(UNKEYED)
        self.gathering = Gathering(TOPICS, self.erasures)

    def take(self, topic: str, *records: Record) -> Batch:
        self.gathering.add(topic, 2, records)
        return self.gathering.take()


@pytest.fixture
def gathered() -> Gathered:
    return Gathered()


def named(table: schema.Table, rows: list[Any], *, without: int = 0) -> dict[str, Any]:
    """The one row, by column, as it goes into the database."""
    columns = table.columns[: len(table.columns) - without]
    (row,) = arrow_table(columns, rows).to_pylist()
    return dict(row)


def logged(event_id: str = '"e1"', at: int = AT, kind: str = "touchpoint") -> bytes:
    return (
        f'{{"kind":"{kind}","at":{at},"source":["touchpoints.web",3,17],"key":"abc","touchpoint":'
        f'{{"event_id":{event_id},"occurred_at":"x","channel":"web","type":"page_view","value":2.5,"currency":"EUR",'
        f'"campaign":12,"properties":{{"deep":[1]}}}}}}'
    ).encode()


def stage_change(**fields: Any) -> StageChanged:
    return StageChanged(
        *("id-1", "entered", "c1", 4, "awareness", "decision", AT, AT - 1_500, True, "timer", "quiet", "Nothing came."),
        *(("e1", "e2"), AT - DAY_MS, 86_400, "six", 3),
    )._replace(**fields)


def test_a_touchpoint_of_the_log_is_a_row_with_both_of_its_positions(gathered: Gathered) -> None:
    batch = gathered.take(TOPICS.log, Record(b"c1", logged()), Record(None, encode_tick(AT)))

    expected = ("e1", AT, AT + 40, "c1", "web", "page_view", "12", 2.5, "EUR", "touchpoints.web", 3, 17, 2, 7)
    assert dict(zip(TOUCHPOINT_COLUMNS, expected, strict=True)) == dict(
        zip(TOUCHPOINT_COLUMNS, batch.touchpoints[0], strict=True)
    )
    assert (1, 2) == (len(batch.touchpoints), batch.records)


def test_a_number_for_an_event_id_stands_for_its_digits(gathered: Gathered) -> None:
    assert "81" == gathered.take(TOPICS.log, Record(b"c1", logged("81"))).touchpoints[0][0]


def test_deliveries_count_up_and_retractions_count_down(gathered: Gathered) -> None:
    run = [Passed(AT, "e1", "web", "view", {"value": 3}), Passed(AT + 1, "e2", "web", "view")]
    on = encode_message(Deliver(at=AT, via="d1", touchpoints=run))
    back = encode_message(Retract(at=AT, via="d1", touchpoints=run[:1]))

    batch = gathered.take(TOPICS.log, Record(b"c1", on), Record(b"c1", back))

    assert [("d1", "c1", "e1", AT, 1), ("d1", "c1", "e2", AT + 1, 1), ("d1", "c1", "e1", AT, -1)] == batch.passes


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"kind":"touchpoint","at":"x"}', b"\xff", b"[" * 100_000])
def test_what_cannot_be_read_in_the_log_is_left_to_the_dead_letters(gathered: Gathered, value: bytes | None) -> None:
    batch = gathered.take(TOPICS.log, Record(b"c1", value))

    assert ([], [], 1) == (batch.touchpoints, batch.passes, batch.records)


def test_a_stage_change_is_a_row(gathered: Gathered) -> None:
    batch = gathered.take(TOPICS.stage_changes, Record(b"c1", encode_stage_change(stage_change())))

    assert {
        "profile_id": "c1",
        "revision": 4,
        "change_id": "id-1",
        "kind": "entered",
        "from_stage": "awareness",
        "to_stage": "decision",
        "entered_at": AT,
        "seconds_in_previous": 1.5,
        "current": True,
        "cause": "timer",
        "rule": "quiet",
        "text": "Nothing came.",
        "evidence": '["e1","e2"]',
        "silent_since": AT - DAY_MS,
        "window_seconds": 86_400,
        "model_name": "six",
        "model_version": 3,
    } == named(schema.STAGE_MESSAGES, batch.stage_messages, without=1)


def test_framed_messages_are_the_same_rows(gathered: Gathered) -> None:
    values = {
        TOPICS.stage_changes: encode_stage_change(stage_change()),
        TOPICS.profiles: encode_profile(ProfileChanged("c1", 1, "awareness", 0, None, "first", 0, 0, False, "six", 1)),
    }

    for topic, value in values.items():
        plain = gathered.take(topic, Record(b"c1", value))
        framed = gathered.take(topic, Record(b"c1", frame_of(300) + value))

        assert plain == framed
        assert 1 == len(plain.stage_messages) + len(plain.profiles)


def test_a_churn_risk_change_is_a_row(gathered: Gathered) -> None:
    why = (RiskContribution("recency", 0.5, "Long ago.", AT, ("e1",)),)
    change = RiskChanged(
        *("r-1", "entered", "c1", 2, "high", None, 0.75, -0.5, 30 * DAY_MS, AT, False, "touchpoint", "Came.", ("e1",)),
        *(None, why, "default", 1),
    )

    batch = gathered.take(TOPICS.churn_risk, Record(b"c1", encode_risk_change(change)))

    found = named(schema.RISK_MESSAGES, batch.risk_messages, without=1)
    contributions = msgspec.json.decode(found.pop("contributions"))
    assert ["recency"] == [one["factor"] for one in contributions]
    assert {
        "profile_id": "c1",
        "revision": 2,
        "risk_id": "r-1",
        "kind": "entered",
        "band": "high",
        "previous_band": None,
        "probability": 0.75,
        "window_days": 30.0,
        "entered_at": AT,
        "current": False,
        "cause": "touchpoint",
        "text": "Came.",
        "evidence": '["e1"]',
        "silent_since": None,
        "typical_log_odds": -0.5,
        "model_name": "default",
        "model_version": 1,
    } == found


def test_an_identity_change_is_a_row(gathered: Gathered) -> None:
    change = IdentityChanged("i-1", "linked", "d1", 1, "c1", AT, "observed", "Seen.", ("e1",), "c1")

    batch = gathered.take(TOPICS.identity_changes, Record(b"d1", encode_identity_change(change)))

    assert {
        "profile_id": "d1",
        "revision": 1,
        "identity_id": "i-1",
        "kind": "linked",
        "parent": "c1",
        "at": AT,
        "reason": "observed",
        "text": "Seen.",
        "evidence": '["e1"]',
        "merged_into": "c1",
    } == named(schema.IDENTITY_MESSAGES, batch.identity_messages)


def view(**fields: Any) -> ProfileChanged:
    return replace(ProfileChanged("c1", 4, None, None, None, None, AT, AT + 5, False, "six", 3), **fields)


def test_a_view_with_everything_is_a_row(gathered: Gathered) -> None:
    full = view(
        stage="decision", entered_at=AT, previous_stage="awareness", rule="quiet", overflow=True, segment="loyal",
        risk=CurrentRisk(2, "high", 0.75, AT - 9, "default", 1), identifiers=("d1",), rfm=RfmScores(5, 4, None),
    )  # fmt: skip

    batch = gathered.take(TOPICS.profiles, Record(b"c1", encode_profile(full)))

    assert {
        "profile_id": "c1",
        "stage": "decision",
        "entered_at": AT,
        "previous_stage": "awareness",
        "rule": "quiet",
        "last_touchpoint_at": AT,
        "updated_at": AT + 5,
        "overflow": True,
        "identifiers": '["d1"]',
        "band": "high",
        "probability": 0.75,
        "risk_since": AT - 9,
        "segment": "loyal",
        "rfm_recency": 5,
        "rfm_frequency": 4,
        "rfm_monetary": None,
        "revision": 4,
    } == named(schema.PROFILES, batch.profiles)


def test_the_last_view_of_a_batch_wins_and_a_null_deletes(gathered: Gathered) -> None:
    first, second = encode_profile(view()), encode_profile(view(stage="decision"))

    batch = gathered.take(
        TOPICS.profiles, Record(b"c1", first), Record(b"c2", first), Record(b"c1", second), Record(b"c2", None)
    )

    assert ["decision"] == [row[1] for row in batch.profiles]
    assert {"profiles": {"c1", "c2"}} == batch.gone


def test_a_null_takes_what_came_before_it_in_the_batch_and_leaves_what_comes_after(gathered: Gathered) -> None:
    one, other = encode_stage_change(stage_change()), encode_stage_change(stage_change(profile_id="c2"))
    again = encode_stage_change(stage_change(revision=1))

    batch = gathered.take(
        TOPICS.stage_changes, Record(b"c1", one), Record(b"c2", other), Record(b"c1", None), Record(b"c1", again)
    )

    assert [("c2", 4), ("c1", 1)] == [row[:2] for row in batch.stage_messages]
    assert {"stage_messages": {"c1"}} == batch.gone


def test_a_message_of_something_else_is_an_error_that_says_where_it_is(gathered: Gathered) -> None:
    with pytest.raises(WorkerError, match=r"stage messages, partition 2, offset 7, cannot be read.*topic_prefix"):
        gathered.take(TOPICS.stage_changes, Record(b"c1", b'{"hello": 1}'))


def letter(source: Source, value: bytes | None) -> Record:
    found = DeadLetter(Reason.CONFLICTING_DUPLICATE, "two", "task", source, AT, b"c1", value)
    return Record(b"c1", value, headers=tuple(dead_letter_headers(found)))


def test_a_dead_letter_is_named_by_its_source_or_by_what_it_holds(gathered: Gathered) -> None:
    described = msgspec.json.encode(
        {"event_id": "e1", "occurred_at": AT, "channel": "web", "type": "view", "facts": {}}
    )
    alone = encode_message(Deliver(at=AT, via="d1", touchpoints=[Passed(AT, "e2", "web", "view")]))
    many = encode_message(Deliver(at=AT, via="d1", touchpoints=[Passed(AT, "e3", "web", "view")] * 2))

    batch = gathered.take(
        TOPICS.dead_letters,
        letter(Source("touchpoints.web", 1, 9), described),
        *(letter(Source(TOPICS.log, 0, offset), value) for offset, value in enumerate([described, alone, many])),
    )

    start = (2, 7, "conflicting_duplicate", "task")
    assert [
        (*start, "touchpoints.web", 1, 9, None, None, None, None),
        (*start, TOPICS.log, 0, 0, "e1", AT, "web", "view"),
        (*start, TOPICS.log, 0, 1, "e2", AT, "web", "view"),
        (*start, TOPICS.log, 0, 2, None, None, None, None),
    ] == batch.dead_letters


def erasure(profile_id: str, *spans: tuple[int, int], fingerprint: str = UNKEYED.fingerprint) -> Record:
    return Record(UNKEYED.name_of(profile_id).hex().encode(), encode_erasure(fingerprint, spans))


def test_touchpoints_of_the_erased_are_left_out_whether_they_come_before_or_after(gathered: Gathered) -> None:
    gathered.gathering.add(TOPICS.log, 2, [Record(b"c1", logged()), Record(b"c2", logged())])
    first = gathered.take(TOPICS.erasures, erasure("c1", (AT, AT)))

    second = gathered.take(TOPICS.log, Record(b"c1", logged()), Record(b"c1", logged(at=AT + 1)))

    assert ["c2"] == [row[3] for row in first.touchpoints]
    assert {UNKEYED.name_of("c1"): ((AT, AT),)} == first.erased
    assert [AT + 1] == [row[1] for row in second.touchpoints]


def test_links_to_the_erased_are_left_out_whether_they_come_before_or_after(gathered: Gathered) -> None:
    change = IdentityChanged("i-1", "linked", "d1", 1, "c1", AT, "observed", "Seen.", ("e1",), None)
    link = Record(b"d1", encode_identity_change(change))
    later = Record(b"d1", encode_identity_change(change._replace(at=AT + 1)))
    gathered.gathering.add(TOPICS.identity_changes, 2, [link, later])
    first = gathered.take(TOPICS.erasures, erasure("c1", (0, AT)))

    second = gathered.take(TOPICS.identity_changes, link, later)

    assert [1, 1] == [len(first.identity_messages), len(second.identity_messages)]


def test_erasures_by_another_key_are_an_error(gathered: Gathered) -> None:
    with pytest.raises(WorkerError, match="another key"):
        gathered.take(TOPICS.erasures, erasure("c1", (AT, AT), fingerprint="0" * 16))
