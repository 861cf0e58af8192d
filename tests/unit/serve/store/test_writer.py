"""Batches into every store: whose touchpoints are, which of them count, and which messages stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from journey_stream.events.erasures import UNKEYED, Erasures, Spans
from journey_stream.events.times import MS_MIN, rfc3339
from journey_stream.serve.store.batch import Batch
from journey_stream.serve.store.duckdb_store import DuckDBStore
from journey_stream.serve.store.meta import Origin
from journey_stream.serve.store.postgres_store import PostgresStore
from journey_stream.serve.store.store import Store
from journey_stream.serve.store.writer import Writer, Written, read_erasures

LOG = "journey.log"


class Projected:
    """A store and its writer."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.erasures = Erasures(UNKEYED)
        self.writer = Writer(self.store.session(), self.erasures)

    def write(self, **rows: Any) -> Written:
        return self.writer.write(Batch(**rows))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.store.connect().execute(query).fetchall()

    @property
    def holders(self) -> dict[str, str]:
        """By event_id, who has a touchpoint that counts."""
        return dict(self.rows("SELECT event_id, profile_id FROM touchpoints WHERE NOT refused"))

    @property
    def standing(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT profile_id, revision FROM stage_messages WHERE standing ORDER BY 1, 2")


@pytest.fixture(params=["duckdb", "postgresql"])
def projected(request: pytest.FixtureRequest) -> Iterator[Projected]:
    ours = Origin("app", "journey.")
    if request.param == "duckdb":
        projected = Projected(DuckDBStore(None, ours))
    else:
        projected = Projected(PostgresStore(request.getfixturevalue("postgres").database(), ours))
    yield projected
    projected.store.close()


def touchpoint(event_id: str, at: int, owner: str, offset: int, type_: str = "view") -> tuple[Any, ...]:
    return (event_id, at, at + 5, owner, "web", type_, None, 1.5, None, "touchpoints.web", 0, offset, 0, offset)


def passed(via: str, receiver: str, event_id: str, at: int, count: int = 1) -> tuple[Any, ...]:
    return (via, receiver, event_id, at, count)


def letter(offset: int, source: tuple[str, int, int], reason: str = "too_late", named: Any = None) -> tuple[Any, ...]:
    return (0, offset, reason, "task", *source, *(named or (None,) * 4))


def stage(
    profile_id: str, revision: int, change_id: str, kind: str = "entered", entered_at: int = 1_000
) -> tuple[Any, ...]:
    return (
        *(profile_id, revision, change_id, kind, None, "interest", rfc3339(entered_at), None, True, "touchpoint"),
        *("r", "Because", "[]", None, None, "m", 1),
    )


def identity(profile_id: str, revision: int, kind: str, at: int, parent: str | None = None) -> tuple[Any, ...]:
    return (profile_id, revision, f"{kind}-id", kind, parent, rfc3339(at), "manual", "Because", "[]", None)


def erase(projected: Projected, profile_id: str, spans: Spans, **options: Any) -> Written:
    name = UNKEYED.name_of(profile_id)
    return projected.write(erased={name: projected.erasures.add(name, spans)}, **options)


def test_a_touchpoint_belongs_to_the_identifier_that_it_came_with_until_it_is_passed_on(projected: Projected) -> None:
    projected.write(touchpoints=[touchpoint("e1", 1_000, "d1", 0), touchpoint("e2", 2_000, "d1", 1)])

    written = projected.write(passes=[passed("d1", "email:a", "e1", 1_000)])

    assert {"e1": "email:a", "e2": "d1"} == projected.holders
    assert {"d1", "email:a"} == written.profiles


def test_a_touchpoint_goes_over_several_hops_in_whatever_order_they_become_known(projected: Projected) -> None:
    projected.write(passes=[passed("email:a", "c1", "e1", 1_000)])
    projected.write(touchpoints=[touchpoint("e1", 1_000, "d1", 0)])
    before = projected.holders

    written = projected.write(passes=[passed("d1", "email:a", "e1", 1_000)])

    assert {"e1": "d1"} == before
    assert {"e1": "c1"} == projected.holders
    assert {"d1", "c1"} == written.profiles


def test_what_is_taken_back_returns_to_where_it_was(projected: Projected) -> None:
    projected.write(
        touchpoints=[touchpoint("e1", 1_000, "d1", 0)],
        passes=[passed("d1", "email:a", "e1", 1_000), passed("email:a", "c1", "e1", 1_000)],
    )

    projected.write(passes=[passed("email:a", "c1", "e1", 1_000, -1), passed("email:a", "c2", "e1", 1_000)])
    moved = projected.holders
    projected.write(passes=[passed("email:a", "c2", "e1", 1_000, -1), passed("d1", "email:a", "e1", 1_000, -1)])

    assert {"e1": "c2"} == moved
    assert {"e1": "d1"} == projected.holders
    assert [] == projected.rows("SELECT * FROM passed")


def test_repeats_count_once_within_a_batch_and_over_batches(projected: Projected) -> None:
    projected.write(touchpoints=[touchpoint("e1", 1_000, "c1", 0), touchpoint("e1", 1_000, "c1", 1)])
    projected.write(touchpoints=[touchpoint("e1", 1_000, "c1", 2)])

    assert [(0, False), (1, True), (2, True)] == projected.rows(
        "SELECT log_offset, refused FROM touchpoints ORDER BY log_offset"
    )


def test_the_same_record_of_a_source_is_one_row_though_a_router_wrote_it_twice(projected: Projected) -> None:
    again = (*touchpoint("e1", 1_000, "c1", 0)[:-1], 7)

    projected.write(touchpoints=[touchpoint("e1", 1_000, "c1", 0), again])
    projected.write(touchpoints=[again])

    assert [("c1",)] == projected.rows("SELECT profile_id FROM touchpoints")


def test_a_repeat_under_a_lower_identifier_counts_once_where_both_end_up(projected: Projected) -> None:
    projected.write(touchpoints=[touchpoint("e1", 1_000, "c1", 0), touchpoint("e1", 1_000, "d1", 1)])
    apart = projected.rows("SELECT profile_id FROM touchpoints WHERE NOT refused ORDER BY 1")

    projected.write(passes=[passed("d1", "c1", "e1", 1_000)])

    assert [("c1",), ("d1",)] == apart
    assert [("c1",)] == projected.rows("SELECT profile_id FROM touchpoints WHERE NOT refused")


@pytest.mark.parametrize("letter_first", [True, False])
def test_what_went_to_the_dead_letters_counts_nowhere_until_it_is_sent_again(
    projected: Projected, letter_first: bool
) -> None:
    batches: list[dict[str, Any]] = [
        {"touchpoints": [touchpoint("e1", 1_000, "c1", 0), touchpoint("e2", 1_000, "c1", 1)]},
        {"dead_letters": [letter(0, ("touchpoints.web", 0, 0))]},
    ]
    for batch in reversed(batches) if letter_first else batches:
        projected.write(**batch)
    without = projected.holders

    projected.write(touchpoints=[touchpoint("e1", 1_000, "c1", 5)])

    assert {"e2": "c1"} == without
    assert {"e1": "c1", "e2": "c1"} == projected.holders
    assert [("1",)] == projected.rows("SELECT value FROM meta WHERE key = 'dead_letters'")


def test_a_displaced_touchpoint_counts_no_more_and_the_one_that_displaced_it_does(projected: Projected) -> None:
    projected.write(
        touchpoints=[touchpoint("e1", 2_000, "c1", 0), touchpoint("e1", 1_000, "c1", 1)],
        dead_letters=[letter(0, (LOG, 0, 1), "conflicting_duplicate", ("e1", 2_000, "web", "view"))],
    )

    assert [(1_000,)] == projected.rows("SELECT occurred_at FROM touchpoints WHERE NOT refused")


def test_what_was_too_large_to_be_told_was_used_all_the_same(projected: Projected) -> None:
    projected.write(
        touchpoints=[touchpoint("e1", 1_000, "c1", 0)],
        dead_letters=[letter(0, ("touchpoints.web", 0, 0), "output_too_large")],
    )

    assert {"e1": "c1"} == projected.holders


@pytest.mark.parametrize("shared_first", [True, False])
def test_what_lies_on_a_shared_identifier_is_nobodys(projected: Projected, shared_first: bool) -> None:
    batches: list[dict[str, Any]] = [
        {"touchpoints": [touchpoint("e1", 1_000, "d1", 0), touchpoint("e2", 2_000, "d1", 1)]},
        {"identity_messages": [identity("d1", 1, "shared", 2_000)]},
    ]

    for batch in reversed(batches) if shared_first else batches:
        projected.write(**batch)

    assert {"e1": "d1"} == projected.holders


def test_the_highest_revision_of_a_change_tells_whether_it_stands(projected: Projected) -> None:
    projected.write(stage_messages=[stage("c1", 1, "x"), stage("c1", 2, "y"), stage("c1", 3, "y", "retracted")])
    first = projected.standing
    projected.write(stage_messages=[stage("c1", 4, "x", "retracted"), stage("c1", 5, "z"), stage("c1", 6, "x")])

    assert [("c1", 1)] == first
    assert [("c1", 5), ("c1", 6)] == projected.standing


def test_a_null_value_deletes_what_is_kept_and_what_comes_after_it_stays(projected: Projected) -> None:
    projected.write(stage_messages=[stage("c1", 1, "x"), stage("c2", 1, "y")])

    written = projected.write(gone={"stage_messages": {"c1"}}, stage_messages=[stage("c1", 1, "z")])

    assert [("c1", "z"), ("c2", "y")] == projected.rows(
        "SELECT profile_id, change_id FROM stage_messages ORDER BY 1, 2"
    )
    assert {"c1"} == written.profiles


def test_an_erasure_deletes_the_touchpoints_in_its_spans(projected: Projected) -> None:
    projected.write(
        touchpoints=[touchpoint(f"e{at}", at, "d1", at) for at in (1, 2, 3)] + [touchpoint("f", 2, "d2", 9)],
        passes=[passed("d1", "c1", "e2", 2), passed("d1", "c2", "e3", 3)],
    )

    written = erase(projected, "d1", ((2, 2),))

    assert {"e1": "d1", "e3": "c2", "f": "d2"} == projected.holders
    assert [("d1", "c2", "e3", 3, 1)] == projected.rows("SELECT * FROM passed")
    assert {"c1"} == written.profiles


def test_a_repeat_of_what_is_erased_counts_now_if_it_came_with_another_identifier(projected: Projected) -> None:
    projected.write(touchpoints=[touchpoint("e1", 1_000, "c1", 0), touchpoint("e1", 1_000, "d1", 1)])
    projected.write(passes=[passed("c1", "x1", "e1", 1_000), passed("d1", "x1", "e1", 1_000)])

    erase(projected, "c1", ((MS_MIN, 5_000),))

    assert [("d1", "x1", False)] == projected.rows("SELECT owner_id, profile_id, refused FROM touchpoints")


def test_an_erasure_deletes_what_others_tell_of_links_to_the_erased(projected: Projected) -> None:
    told = [identity("d1", 1, "linked", 3, parent="c1"), identity("d1", 2, "linked", 8, parent="c2")]
    projected.write(identity_messages=told)

    written = erase(projected, "c1", ((MS_MIN, 5),))

    assert [("c2",)] == projected.rows("SELECT parent FROM identity_messages")
    assert {"d1"} == written.profiles


def test_when_messages_were_missed_those_of_erased_people_go_as_well(projected: Projected) -> None:
    projected.write(stage_messages=[stage("c1", 1, "x"), stage("c1", 2, "y", entered_at=9_000), stage("c2", 1, "z")])
    erase(projected, "c1", ((MS_MIN, 5_000),))
    before = projected.rows("SELECT change_id FROM stage_messages ORDER BY 1")

    projected.write(erase_all=True)

    assert [("x",), ("y",), ("z",)] == before
    assert [("y",), ("z",)] == projected.rows("SELECT change_id FROM stage_messages ORDER BY 1")


def test_a_store_remembers_erasures_offsets_and_its_version(projected: Projected) -> None:
    erase(projected, "c1", ((1, 5), (7, 9)), offsets={(LOG, 0): 17, (LOG, 1): 3})
    projected.write(offsets={(LOG, 0): 18})

    again = Writer(projected.store.session(), Erasures(UNKEYED))
    erasures = Erasures(UNKEYED)
    read_erasures(projected.store.session(), erasures)

    assert {(LOG, 0): 18, (LOG, 1): 3} == again.offsets
    assert 2 == again.version
    assert ((1, 5), (7, 9)) == erasures.of("c1")


def test_a_batch_that_fails_leaves_nothing_behind(projected: Projected) -> None:
    projected.write(touchpoints=[touchpoint("e1", 1_000, "c1", 0)], offsets={(LOG, 0): 1})

    with pytest.raises(Exception, match=r"(?i)not[ -]null"):
        projected.write(
            stage_messages=[stage("c1", 1, "x")], profiles=[(None,) * 17], offsets={(LOG, 0): 2}
        )  # fmt: skip

    assert [] == projected.rows("SELECT * FROM stage_messages")
    assert {(LOG, 0): 1} == projected.writer.offsets
    assert 2 == projected.write(offsets={(LOG, 0): 2}).version
