from pathlib import Path

from journey_stream.events.reasons import MEANING, Reason
from journey_stream.events.reasons_page import REMEDY, dead_letters_page

PAGE = Path(__file__).parents[3] / "docs" / "dead-letters.md"


def test_every_reason_has_a_meaning_and_a_remedy() -> None:
    assert set(Reason) == set(MEANING) == set(REMEDY)


def test_the_page_about_dead_letters_is_up_to_date() -> None:
    assert dead_letters_page() == PAGE.read_text(encoding="utf-8")


def test_the_words_of_the_reasons_are_those_that_dashboards_and_filters_know() -> None:
    assert sorted(Reason) == [
        "conflicting_duplicate",
        "empty_value",
        "from_the_future",
        "invalid_json",
        "invalid_touchpoint",
        "missing_identifier",
        "output_too_large",
        "record_too_large",
        "too_late",
        "unreadable_log_record",
        "unsupported_alias",
        "unsupported_version",
    ]
