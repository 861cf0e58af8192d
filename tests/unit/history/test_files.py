import gzip
import json
import sys
from datetime import UTC, datetime

import pytest

from journey_stream.history.files import read_files
from journey_stream.history.record import HistoryError, HistoryRecord, Problem
from tests.unit.history.helpers import decoded, read_all, touchpoint, write_lines

NEW_YEAR_MS = 1_767_225_600_000


def test_a_line_keeps_its_bytes_and_gets_its_time_and_place(tmp_path):
    line = '{"event_id":"e1",  "occurred_at":1767225600, "channel":"web","type":"x","customer_id":"c1"}'
    path = write_lines(tmp_path / "a.jsonl", [line])

    records, problems = read_all(path)

    assert [HistoryRecord(NEW_YEAR_MS, line.encode(), str(path), 1)] == records
    assert [] == problems


def test_a_bad_line_is_reported_and_passed_on_in_its_place(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", [touchpoint(), "{oops", touchpoint("e2", value="much")])

    records, problems = read_all(path)

    assert [1, 2, 3] == [record.position for record in records]
    assert b"{oops" == records[1].value
    assert [NEW_YEAR_MS] * 3 == [record.occurred_at for record in records]
    assert [(2, "invalid_json"), (3, "invalid_touchpoint")] == [(p.position, p.reason) for p in problems]
    assert str(problems[1]).startswith(f"{path}:3: invalid_touchpoint: value: Input should be a valid number")


def test_empty_lines_and_windows_line_ends_are_no_records(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\r\n" + json.dumps(touchpoint()).encode() + b"\r\n\n")

    records, problems = read_all(path)

    assert [2] == [record.position for record in records]
    assert [] == problems


def test_a_byte_order_mark_before_the_whole_file_is_no_part_of_its_first_line(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(touchpoint()).encode() + b"\n")

    records, problems = read_all(path)

    assert [touchpoint()] == decoded(records)
    assert [] == problems


def test_a_compressed_file_reads_like_a_plain_one(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(touchpoint()).encode()))

    records, _ = read_all(path)

    assert [touchpoint()] == decoded(records)


def test_a_broken_archive_says_how_far_it_came(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(touchpoint()).encode() + b"\n")[:-6])

    with pytest.raises(HistoryError, match=r"a\.jsonl\.gz: cannot be read after line \d+"):
        read_all(path)


@pytest.mark.skipif(sys.platform == "darwin", reason="names of files are UTF-8 there")
def test_a_file_may_have_any_name_that_the_system_allows(tmp_path):
    path = write_lines(tmp_path / "\udcff.jsonl", [touchpoint()])

    records, _ = read_all(path)

    assert [f"{tmp_path}/\\udcff.jsonl"] == [record.origin for record in records]


def test_files_follow_one_another(tmp_path):
    first = write_lines(tmp_path / "a.jsonl", [touchpoint("e1")])
    second = write_lines(tmp_path / "b.ndjson", [touchpoint("e2")])

    records, _ = read_all(second, first)

    assert ["e2", "e1"] == [item["event_id"] for item in decoded(records)]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing.jsonl", "no such file"),
        ("folder.jsonl", "is a directory"),
        ("notes.txt", r"expected one of \.jsonl"),
    ],
)
def test_what_cannot_be_read_at_all_is_refused_before_anything_is_read(tmp_path, name, says):
    good = write_lines(tmp_path / "a.jsonl", [touchpoint()])
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "folder.jsonl").mkdir()

    with pytest.raises(HistoryError, match=says):
        read_files([good, tmp_path / name], lambda _: None)


def test_a_csv_row_becomes_a_touchpoint_with_nested_fields(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "event_id,occurred_at,channel,type,identifiers.customer_id,identifiers.email,value,currency,"
        "properties.store,properties.zip,properties.tags,note\n"
        'e1,2026-01-01T00:00:00Z,store,purchase,42,,12.50,EUR,7,0123,"[1,2]",kept\n',
    )

    records, problems = read_all(path)

    expected = {
        "event_id": "e1",
        "occurred_at": "2026-01-01T00:00:00Z",
        "channel": "store",
        "type": "purchase",
        "identifiers": {"customer_id": "42"},
        "value": 12.5,
        "currency": "EUR",
        "properties": {"store": 7, "zip": "0123", "tags": [1, 2]},
        "note": "kept",
    }
    assert [expected] == decoded(records)
    assert [] == problems


def test_csv_times_may_be_epoch_numbers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("event_id,occurred_at,channel,type,customer_id\ne1,1767225600,web,x,c\ne2,1767225600000,web,x,c\n")

    records, _ = read_all(path)

    assert [NEW_YEAR_MS, NEW_YEAR_MS] == [record.occurred_at for record in records]


def test_a_quote_that_is_not_closed_spoils_its_own_row_and_says_so(tmp_path):
    path = tmp_path / "a.csv"
    rows = [f'e{row},2026-01-01T00:00:00Z,web,x,"c{row}"' for row in range(1, 6)]
    rows[1], rows[4] = rows[1][:-1], rows[4][:-1]
    path.write_text("\n".join(["event_id,occurred_at,channel,type,customer_id", *rows]) + "\n")

    records, problems = read_all(path)

    assert [2, 3, 5, 6] == [record.position for record in records]
    assert "\n".join(rows[1:3]).encode() == records[1].value
    assert [
        (3, "not a CSV row: ',' expected after '\"'"),
        (6, "not a CSV row: a quote is opened and never closed"),
    ] == [(problem.position, problem.detail) for problem in problems]


def test_whole_columns_of_csv_may_hold_the_text_of_objects(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "event_id,occurred_at,channel,type,identifiers,properties,properties.store\n"
        'e1,2026-01-01T00:00:00Z,web,x,"{""email"":""ann@example.org"",""phone"":null}","{""a"":1}",7\n',
    )

    records, problems = read_all(path)

    [found] = decoded(records)
    assert {"email": "ann@example.org"} == found["identifiers"]
    assert {"a": 1, "store": 7} == found["properties"]
    assert [] == problems


def test_a_text_where_other_columns_add_to_an_object_is_a_bad_row_and_the_next_one_is_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "event_id,occurred_at,channel,type,customer_id,properties,properties.store\n"
        "e1,2026-01-01T00:00:00Z,web,x,c1,words,7\n"
        "e2,2026-01-01T00:00:00Z,web,x,c1,,7\n",
    )

    records, problems = read_all(path)

    assert [2, 3] == [record.position for record in records]
    assert b"e1,2026-01-01T00:00:00Z,web,x,c1,words,7" == records[0].value
    assert ["column properties holds no JSON object, so no column properties.… can add to it"] == [
        problem.detail for problem in problems
    ]


def test_a_csv_value_of_many_digits_is_a_number(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "event_id,occurred_at,channel,type,customer_id,value,properties.card\n"
        "e1,2026-01-01T00:00:00Z,web,x,c1,1234567890123456789,1234567890123456789\n",
    )

    records, problems = read_all(path)

    [found] = decoded(records)
    assert (1234567890123456789, "1234567890123456789") == (found["value"], found["properties"]["card"])
    assert [] == problems


def test_a_bad_csv_row_is_reported_with_its_line_and_field_and_keeps_its_bytes(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(
        b"event_id,occurred_at,channel,type,customer_id,value\n"
        b'e1,2026-01-01T00:00:00Z,web,"two\nlines",c1,1\n'
        b"e2,2026-01-01T00:00:00Z,web\n"
        b"e3,2026-01-01T00:00:00Z,web,x,c1,cheap\n"
        b"e4,2026-01-01T00:00:00Z,w\xff,x,c1,1\n",
    )

    records, problems = read_all(path)

    assert [2, 4, 5, 6] == [record.position for record in records]
    assert b"e2,2026-01-01T00:00:00Z,web" == records[1].value
    assert b"e4,2026-01-01T00:00:00Z,w\xff,x,c1,1" == records[3].value
    details = {problem.position: problem.detail for problem in problems}
    assert [4, 5, 6] == sorted(details)
    assert "3 cells; expected 6, as many as the header has" == details[4]
    assert details[5].startswith("value: ")
    assert "not UTF-8" == details[6]


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("", "is empty"),
        ("event_id,occurred_at,type,customer_id", "no column channel"),
        ("event_id,occurred_at,channel,type", "no column customer_id"),
        ("event_id;occurred_at;channel;type;customer_id", "separated by commas"),
        ("event_id,event_id,occurred_at,channel,type,customer_id", "event_id appears more than once"),
    ],
)
def test_a_csv_header_that_cannot_make_touchpoints_is_refused(tmp_path, header, says):
    path = tmp_path / "a.csv"
    path.write_text(header + "\n" if header else "")

    with pytest.raises(HistoryError, match=says):
        read_all(path)


def test_parquet_rows_read_like_csv_rows(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    table = arrow.table(
        {
            "event_id": ["e1", "e2"],
            "occurred_at": arrow.array(
                [datetime(2026, 1, 1, tzinfo=UTC)] * 2, arrow.timestamp("ns", tz="Europe/Paris")
            ),
            "channel": ["web", "store"],
            "type": ["page_view", "purchase"],
            "identifiers": [{"customer_id": "1", "email": None}, {"customer_id": None, "email": "ann@example.org"}],
            "value": [None, 2.5],
            "properties.store": [7, None],
        },
    )
    parquet.write_table(table, path)

    records, problems = read_all(path)

    assert [] == problems
    assert [(NEW_YEAR_MS, 1), (NEW_YEAR_MS, 2)] == [(record.occurred_at, record.position) for record in records]
    first, second = decoded(records)
    assert {"store": 7} == first["properties"]
    assert {"customer_id": "1"} == first["identifiers"]
    assert "value" not in first
    assert {"email": "ann@example.org"} == second["identifiers"]
    assert 2.5 == second["value"]


def parquet_file(path, **columns):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    count = len(next(iter(columns.values())))
    table = {
        "event_id": [f"e{row}" for row in range(1, count + 1)],
        "occurred_at": ["2026-01-01T00:00:00Z"] * count,
        "channel": ["web"] * count,
        "type": ["page_view"] * count,
        "customer_id": ["c1"] * count,
    }
    parquet.write_table(arrow.table(table | columns), path)
    return path


def test_bytes_in_parquet_are_text_where_a_touchpoint_has_text(tmp_path):
    path = parquet_file(
        tmp_path / "a.parquet",
        customer_id=[b"c9", b"\xff"],
        **{"properties.sku": [b"A1", b"B2"], "properties.hash": [b"\xff\x00", None]},
    )

    records, problems = read_all(path)

    assert ("c9", {"sku": "A1", "hash": "/wA="}) == (
        json.loads(records[0].value)["customer_id"],
        json.loads(records[0].value)["properties"],
    )
    assert [(2, "cannot be written as JSON: column customer_id is not UTF-8")] == [
        (problem.position, problem.detail) for problem in problems
    ]


def test_objects_in_parquet_may_be_text(tmp_path):
    path = parquet_file(tmp_path / "a.parquet", properties=['{"store":7}'])

    records, problems = read_all(path)

    assert [{"store": 7}] == [found["properties"] for found in decoded(records)]
    assert [] == problems


@pytest.mark.filterwarnings("error")
def test_of_a_key_that_a_parquet_map_has_twice_the_last_one_counts(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    maps = arrow.array([[("store", "1"), ("store", "2")]], arrow.map_(arrow.string(), arrow.string()))
    path = parquet_file(tmp_path / "a.parquet", properties=maps)

    records, _ = read_all(path)

    assert [{"store": "2"}] == [found["properties"] for found in decoded(records)]


@pytest.mark.parametrize(("unit", "too_far"), [("ms", 2**55), ("us", 2**62), ("us", -(2**62))])
def test_a_parquet_time_too_far_away_is_a_bad_row_and_spoils_no_other(tmp_path, unit, too_far):
    arrow = pytest.importorskip("pyarrow")
    good = {"ms": NEW_YEAR_MS, "us": NEW_YEAR_MS * 1000}[unit]
    times = arrow.array([good, too_far, good, good], arrow.timestamp(unit, tz="UTC"))
    path = parquet_file(tmp_path / "a.parquet", occurred_at=times)

    records, problems = read_all(path)

    assert [1, 2, 3, 4] == [record.position for record in records]
    assert [NEW_YEAR_MS] * 4 == [record.occurred_at for record in records]
    assert [2] == [problem.position for problem in problems]
    assert b"out of range" in records[1].value


def test_a_parquet_timestamp_without_a_zone_is_refused(tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    row = {"event_id": ["e"], "channel": ["web"], "type": ["x"], "customer_id": ["c"]}
    parquet.write_table(arrow.table(row | {"occurred_at": arrow.array([0], arrow.timestamp("ms"))}), path)

    with pytest.raises(HistoryError, match=r"column occurred_at is .* without a time zone"):
        read_all(path)


def test_parquet_without_its_library_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)

    with pytest.raises(HistoryError, match=r"pip install 'journey-stream\[parquet\]'"):
        read_all(path)


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"not parquet")

    with pytest.raises(HistoryError, match="not a readable Parquet file"):
        read_all(path)


def test_a_problem_reads_as_place_reason_and_detail():
    problem = Problem("a.csv", 3, "invalid_touchpoint", "value: expected a number")

    assert "a.csv:3: invalid_touchpoint: value: expected a number" == str(problem)
