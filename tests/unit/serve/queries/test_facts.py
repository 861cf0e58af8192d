"""The derived tables follow the projected ones."""

import random

import pytest

from journey_stream.serve.queries.attribution import attribution
from journey_stream.serve.queries.cohorts import cohorts
from journey_stream.serve.queries.connection import DIALECTS
from journey_stream.serve.queries.facts import Facts
from journey_stream.serve.queries.filters import EVERYTHING, Filter
from journey_stream.serve.queries.journey_map import journey_map
from journey_stream.serve.queries.reading import read
from tests.unit.serve.rows import MODEL, Rows

FILTERS = (EVERYTHING, Filter(channel="web"), Filter(segment="loyal"), Filter(campaign="spring"))


def everything(rows: Rows) -> list[object]:
    found: list[object] = []
    for chosen in FILTERS:
        with read(rows.connect(), DIALECTS[rows.dialect], chosen) as reading:
            found += [
                journey_map(reading, MODEL.stages),
                cohorts(reading),
                attribution(reading, "purchase", "type", 30),
            ]
    return found


def meddle(rows: Rows, chance: random.Random) -> str:
    """Change what is kept of one profile, as the projection would, and return its id."""
    name = f"c{chance.randrange(12)}"
    day = chance.randrange(90)
    match chance.randrange(6):
        case 0 | 1:
            channel, campaign = chance.choice(["web", "store"]), chance.choice([None, "spring"])
            rows.touchpoint(name, day, channel, campaign=campaign)
        case 2 | 3:
            events = rows.connection.execute("SELECT event_id FROM touchpoints WHERE profile_id = ?", [name]).fetchall()
            from_stage, after_days = chance.choice([(None, None), ("awareness", 3), ("purchase", 5)])
            evidence = [event_id for (event_id,) in events[-2:]]
            rows.change(name, day, from_stage, "purchase", after_days=after_days, evidence=evidence)
        case 4:
            rows.connection.execute("UPDATE touchpoints SET refused = NOT refused WHERE profile_id = ?", [name])
        case _:
            rows.connection.execute("DELETE FROM profiles WHERE profile_id = ?", [name])
            if chance.random() < 0.8:
                stage, segment = chance.choice([None, "awareness", "purchase"]), chance.choice([None, "loyal"])
                rows.view(name, stage, entered=day, updated=day, band=chance.choice([None, "low"]), segment=segment)
    return name


def test_after_any_changes_the_facts_are_those_of_a_fresh_reading(rows: Rows) -> None:
    chance = random.Random(17)
    rows.refresh()
    for _ in range(40):
        changed = {meddle(rows, chance) for _ in range(chance.randrange(1, 6))}
        rows.refresh(*changed)
    kept = everything(rows)

    Facts(DIALECTS[rows.dialect]).refresh(rows.connection)

    assert everything(rows) == kept
    assert any(one.totals.changes for one in kept[::3])  # type: ignore[attr-defined]


def test_a_reader_sees_all_of_a_refresh_or_nothing(rows: Rows) -> None:
    rows.view("ann")
    rows.refresh()
    with read(rows.connect(), DIALECTS[rows.dialect], EVERYTHING) as reading:
        before = journey_map(reading, MODEL.stages).totals
        rows.touchpoint("ann", 1)
        rows.change("ann", 1, None, "awareness")
        rows.refresh("ann")

        again = journey_map(reading, MODEL.stages).totals

    assert again == before


def test_a_refresh_that_fails_leaves_what_was_there(rows: Rows) -> None:
    rows.view("ann")
    rows.refresh()
    rows.connection.execute("ALTER TABLE profiles RENAME TO hidden")
    with pytest.raises(Exception, match="profiles"):
        rows.refresh("ann")
    rows.connection.execute("ALTER TABLE hidden RENAME TO profiles")

    with read(rows.connect(), DIALECTS[rows.dialect], EVERYTHING) as reading:
        assert journey_map(reading, MODEL.stages).totals.customers == 1
    assert rows.refresh("ann") == 0
