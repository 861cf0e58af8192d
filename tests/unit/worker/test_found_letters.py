from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from journey_stream.events.log import Source
from journey_stream.events.reasons import Reason
from journey_stream.worker.dead_letters import DeadLetter, Header
from journey_stream.worker.found_letters import FoundLetter, Wanted, message_of, obstacle, read_letter
from journey_stream.worker.outbox import Message, dead_letter_message

INPUTS, LOG = ("touchpoints.web",), "journey.log"
LETTER = DeadLetter(
    Reason.INVALID_JSON,
    "no JSON",
    "router",
    Source("touchpoints.web", 2, 17),
    1_000,
    b"k",
    b"{oops",
    [("shop", b"\xff")],
)


class Record(NamedTuple):
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[Header, ...]


def found(letter: DeadLetter = LETTER, bytes_max: int = 10_000, at: int = 5_000) -> FoundLetter:
    message = dead_letter_message(letter, bytes_max)
    return read_letter(Record(3, 9, at, message.key, message.value, tuple(message.headers)))


def test_what_was_written_is_what_is_found() -> None:
    assert found() == FoundLetter(
        *(3, 9, 5_000, "invalid_json", "no JSON", "router", LETTER.source, 1_000),
        *(b"k", b"{oops", [("shop", b"\xff")], None, None),
    )


def test_the_original_is_put_together_again_without_our_headers() -> None:
    assert Message(b"k", b"{oops", [("shop", b"\xff")], 1_000) == message_of(found(), timestamp=1_000)


def test_letters_about_one_record_name_the_same_original_and_another_value_names_another() -> None:
    again = found(LETTER._replace(stage="task", reason=Reason.TOO_LATE), at=9_000)

    assert found().original == again.original
    assert found().original != found(LETTER._replace(value=b"{else")).original
    assert found().original != found(LETTER._replace(source=Source("touchpoints.web", 2, 18))).original


@pytest.mark.parametrize(
    ("letter", "bytes_max", "expected"),
    [
        (LETTER, 10_000, None),
        (LETTER._replace(value=None), 10_000, None),
        (LETTER._replace(value=b"x" * 5_000), 1_000, "is cut: 5000 bytes of value are missing"),
        (LETTER._replace(key=None, value=None, withheld=True), 10_000, "has no key, value and headers of the original"),
        (LETTER._replace(source=Source("journey.log", 0, 1)), 10_000, "came from no source but from journey.log"),
        (LETTER._replace(source=Source("touchpoints.fax", 0, 1)), 10_000, "came from touchpoints.fax, which no router"),
    ],
)
def test_each_obstacle_to_a_replay_is_told(letter: DeadLetter, bytes_max: int, expected: str | None) -> None:
    told = obstacle(found(letter, bytes_max), INPUTS, LOG)

    assert told == expected if expected is None else str(told).startswith(expected)


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("dead_letter_reason", b"too_late"), ("dead_letter_topic", b"web"), ("dead_letter_partition", b"x")),
        (("dead_letter_reason", None), ("dead_letter_offset", b"\xff")),
    ],
)
def test_what_somebody_else_wrote_to_the_topic_is_no_letter_of_ours(headers: tuple[Header, ...]) -> None:
    letter = read_letter(Record(0, 1, 2, None, b"hello", headers))

    assert letter.original is None
    assert "was not written by a worker" == obstacle(letter, INPUTS, LOG)


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({}, True),
        ({"reasons": ["too_late", "invalid_json"]}, True),
        ({"reasons": ["too_late"]}, False),
        ({"sources": ["touchpoints.web"]}, True),
        ({"sources": ["touchpoints.email"]}, False),
        ({"stage": "router"}, True),
        ({"stage": "task"}, False),
        ({"since": 5_000}, True),
        ({"since": 5_001}, False),
        ({"until": 5_001}, True),
        ({"until": 5_000}, False),
        ({"reasons": ["invalid_json"], "stage": "task"}, False),
    ],
)
def test_a_letter_is_meant_if_it_fits_everything_that_is_given(wanted: dict[str, Any], fits: bool) -> None:
    assert fits == Wanted(**wanted).fits(found())
