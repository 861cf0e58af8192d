import base64
import json
import random
from pathlib import Path

import pytest

from journey_stream.events.log import Source
from journey_stream.events.outputs import IdentityChange, ProfileView, StageChange
from journey_stream.events.reasons import Reason
from journey_stream.history.files import read_files
from journey_stream.history.outputs import OutputFiles
from journey_stream.history.record import HistoryError
from journey_stream.history.simulate import simulate, simulate_records
from journey_stream.journey.load import parse_model
from tests.unit.history.helpers import touchpoint, write_lines

MODEL = parse_model(
    """
model: shop
version: 3
description: Two stages.
stages: [{id: visitor, meaning: Came by}, {id: buyer, meaning: Bought}]
touchpoints:
  visit: {meaning: Came by, match: [{channel: web, type: page_view}]}
  purchase: {meaning: Bought, match: [{channel: store, type: purchase}]}
rules:
  - {id: bought, to: buyer, when: purchase, text: Bought}
  - {id: came-by, to: visitor, when: visit, text: Came by}
inactivity:
  - {id: gone, in: [buyer], nothing_for: 30d, of: any, to: visitor, text: Quiet for 30 days}
moves: {forward: any, back: inactivity, win_back: any}
""",
    "test",
)
JANUARY_1_MS = 1_767_225_600_000
DAY_MS = 86_400_000


def visit(event_id: str, day: int, customer: str = "c1"):
    return touchpoint(event_id, JANUARY_1_MS + day * DAY_MS, customer_id=customer)


def purchase(event_id: str, day: int, customer: str = "c1"):
    return visit(event_id, day, customer) | {"channel": "store", "type": "purchase", "value": 5}


def lines_of(out_dir, name):
    return [json.loads(line) for line in (out_dir / name).read_text().splitlines()]


def moves(out_dir):
    changes = lines_of(out_dir, "stage-changes.jsonl")
    return [(change["kind"], change["from_stage"], change["to_stage"], change["because"]["rule"]) for change in changes]


def test_a_journey_is_written_as_the_topics_would_carry_it(tmp_path):
    path = write_lines(tmp_path / "in.jsonl", [purchase("e2", 1), visit("e1", 0)])

    result = simulate([path], MODEL, tmp_path / "out")

    assert [("entered", None, "visitor", "came-by"), ("entered", "visitor", "buyer", "bought")] == moves(
        tmp_path / "out"
    )
    for change in lines_of(tmp_path / "out", "stage-changes.jsonl"):
        StageChange.model_validate(change)
    (view,) = lines_of(tmp_path / "out", "profiles.jsonl")
    assert ("c1", "buyer", 2) == (view["profile_id"], view["stage"], view["revision"])
    ProfileView.model_validate(view)
    assert (2, 2, 1, JANUARY_1_MS + DAY_MS) == (result.records, result.stage_changes, result.profiles, result.clock)
    assert {"buyer": 1} == result.customers


def test_what_cannot_be_used_is_a_dead_letter_with_its_bytes_and_place(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_bytes(json.dumps(visit("e1", 0)).encode() + b"\n{oops\n\xff\n")

    result = simulate([path], MODEL, tmp_path / "out")

    first, second = lines_of(tmp_path / "out", "dead-letters.jsonl")
    assert ("invalid_json", "{oops") == (first["reason"], first["value"])
    assert {"topic": str(path), "partition": 0, "offset": 2} == first["source"]
    assert b"\xff" == base64.b64decode(second["value_base64"])
    assert {"invalid_json": 2} == result.dead_letters


def test_in_time_order_nothing_is_late(tmp_path):
    path = write_lines(tmp_path / "in.jsonl", [visit("e2", 90), purchase("e1", 0)])

    result = simulate([path], MODEL, tmp_path / "out")

    assert {} == result.dead_letters
    assert ("entered", "buyer", "visitor", "gone") == moves(tmp_path / "out")[1]


def test_in_file_order_a_record_arrives_when_its_line_does(tmp_path):
    late, too_late = purchase("e2", 5), visit("e3", -30)
    path = write_lines(tmp_path / "in.jsonl", [visit("e1", 10), late, too_late])

    result = simulate([path], MODEL, tmp_path / "out", order="file")

    expected = [
        ("entered", None, "visitor", "came-by"),
        ("retracted", None, "visitor", "came-by"),
        ("entered", None, "buyer", "bought"),
    ]
    assert expected == moves(tmp_path / "out")
    assert 1 == result.corrections
    (dead,) = lines_of(tmp_path / "out", "dead-letters.jsonl")
    assert ("too_late", 3) == (dead["reason"], dead["source"]["offset"])


def test_silence_counts_until_the_given_instant(tmp_path):
    path = write_lines(tmp_path / "in.jsonl", [purchase("e1", 0)])

    simulate([path], MODEL, tmp_path / "short")
    simulate([path], MODEL, tmp_path / "long", as_of=JANUARY_1_MS + 31 * DAY_MS)

    assert [("entered", None, "buyer", "bought")] == moves(tmp_path / "short")
    assert ("entered", "buyer", "visitor", "gone") == moves(tmp_path / "long")[-1]


def test_a_touchpoint_from_beyond_the_latest_arrival_is_refused_and_moves_no_time(tmp_path):
    path = write_lines(tmp_path / "in.jsonl", [visit("e1", 40_000), visit("e2", 0)])

    result = simulate([path], MODEL, tmp_path / "out", order="file", latest_arrival=JANUARY_1_MS + 10 * DAY_MS)

    assert {"from_the_future": 1} == result.dead_letters
    assert ["e2"] == lines_of(tmp_path / "out", "stage-changes.jsonl")[0]["because"]["evidence"]


def test_shuffled_files_give_the_bytes_of_the_sorted_file(tmp_path):
    draw = random.Random(7)
    items = [
        draw.choice([visit, purchase])(f"e{place}", draw.randrange(200), f"c{draw.randrange(9)}")
        for place in range(500)
    ]
    in_order = write_lines(tmp_path / "sorted.jsonl", sorted(items, key=lambda item: item["occurred_at"]))
    draw.shuffle(items)
    halves = [
        write_lines(tmp_path / "a.jsonl", items[:250]),
        write_lines(tmp_path / "b.jsonl", items[250:]),
    ]

    simulate([in_order], MODEL, tmp_path / "one")
    simulate(halves, MODEL, tmp_path / "two")

    final = [
        sorted(lines_of(tmp_path / name, "profiles.jsonl"), key=lambda view: view["profile_id"])
        for name in ("one", "two")
    ]
    assert [view["stage"] for view in final[0]] == [view["stage"] for view in final[1]]
    assert net_history(tmp_path / "one") == net_history(tmp_path / "two")


def last_stages(out_dir) -> dict[str, str]:
    return {view["profile_id"]: view["stage"] for view in lines_of(out_dir, "profiles.jsonl")}


def net_history(out_dir) -> set[str]:
    history: set[str] = set()
    for change in lines_of(out_dir, "stage-changes.jsonl"):
        (history.add if change["kind"] == "entered" else history.discard)(change["change_id"])
    return history


def test_a_directory_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "out").write_text("a file")
    path = write_lines(tmp_path / "in.jsonl", [visit("e1", 0)])

    with pytest.raises(HistoryError, match="cannot be written"):
        simulate([path], MODEL, tmp_path / "out")


def test_a_run_that_does_not_end_leaves_the_results_of_an_earlier_one(tmp_path):
    simulate([write_lines(tmp_path / "a.jsonl", [visit("e1", 0)])], MODEL, tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    def interrupted():
        yield from read_files([write_lines(tmp_path / "b.jsonl", [purchase("e2", 1), purchase("e3", 2)])], print)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_records(interrupted(), MODEL, tmp_path / "out", order="file")

    assert before == {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_said_with_the_directory_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    out = tmp_path / "out"
    said = r"out: cannot be written: No space left on device; free some space"

    files = OutputFiles(out)

    with Path("/dev/full").open("wb", buffering=0) as full:
        monkeypatch.setattr(files, "_dead_letters", full)
        with pytest.raises(HistoryError, match=said), files:
            files.dead_letter(Source("a.jsonl", 0, 1), b"{", Reason.INVALID_JSON, "no JSON")

    assert [] == list(out.iterdir())


def test_no_records_give_empty_files(tmp_path):
    path = write_lines(tmp_path / "in.jsonl", [])

    result = simulate([path], MODEL, tmp_path / "out")

    assert (0, None) == (result.records, result.clock)
    assert {"churn-risk", "dead-letters", "identity-changes", "profiles", "stage-changes"} == {
        file.stem for file in (tmp_path / "out").iterdir()
    }


def test_what_an_address_did_before_its_owner_was_known_is_the_owners(tmp_path):
    before = touchpoint("e1", JANUARY_1_MS, customer_id=None, identifiers={"email": "Ann@X.org "})
    bought = purchase("e2", 1) | {"identifiers": {"email": "ann@x.org"}}
    path = write_lines(tmp_path / "in.jsonl", [before, bought])

    result = simulate([path], MODEL, tmp_path / "out")

    [known] = lines_of(tmp_path / "out", "identity-changes.jsonl")
    IdentityChange.model_validate(known)
    assert ("email:ann@x.org", "linked", "c1", ["e2"], "c1") == tuple(
        known[name] for name in ("profile_id", "kind", "parent", "evidence", "merged_into")
    )
    assert 1 == result.identity_changes
    changes = lines_of(tmp_path / "out", "stage-changes.jsonl")
    assert [("email:ann@x.org", "entered", "visitor"), ("email:ann@x.org", "retracted", "visitor")] == [
        (one["profile_id"], one["kind"], one["to_stage"]) for one in changes if one["profile_id"] != "c1"
    ]
    owned = [one for one in changes if one["profile_id"] == "c1"]
    assert [(None, "visitor"), ("visitor", "buyer")] == [(one["from_stage"], one["to_stage"]) for one in owned[-2:]]
    assert ["c1"] == [view["profile_id"] for view in lines_of(tmp_path / "out", "profiles.jsonl")]


def test_an_operation_by_hand_counts_in_a_history_too(tmp_path):
    seen = purchase("e1", 0) | {"identifiers": {"email": "ann@x.org"}}
    undo = touchpoint("o1", JANUARY_1_MS + DAY_MS, channel="identity", type="unlink", customer_id="c1")
    undo |= {"identifiers": {"email": "ann@x.org"}}
    alone = touchpoint("e2", JANUARY_1_MS + 2 * DAY_MS, customer_id=None, identifiers={"email": "ann@x.org"})
    path = write_lines(tmp_path / "in.jsonl", [seen, undo, alone])

    result = simulate([path], MODEL, tmp_path / "out")

    views = {view["profile_id"]: view["stage"] for view in lines_of(tmp_path / "out", "profiles.jsonl")}
    assert {"c1": "buyer", "email:ann@x.org": "visitor"} == views
    assert {} == result.dead_letters
