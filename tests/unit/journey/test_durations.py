import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey_stream.journey.durations import format_duration, likely_duration, parse_duration


@pytest.mark.parametrize(
    ("written", "length_ms"),
    [
        ("250ms", 250),
        ("90s", 90_000),
        ("10m", 600_000),
        ("24h", 86_400_000),
        ("30d", 2_592_000_000),
        ("2w", 1_209_600_000),
        ("0s", 0),
    ],
)
def test_a_number_with_a_unit_is_a_duration(written: str, length_ms: int) -> None:
    assert parse_duration(written) == length_ms


@pytest.mark.parametrize("written", ["", "10", "d", "-3d", "1.5h", "10 m", "1h30m", "3M", "٣d", "9" * 16 + "d", "3d\n"])
def test_anything_else_is_no_duration(written: str) -> None:
    assert parse_duration(written) is None


@given(st.integers(min_value=0, max_value=10**15))
def test_a_formatted_duration_reads_back_as_the_same_length(length_ms: int) -> None:
    assert parse_duration(format_duration(length_ms)) == length_ms


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("30 days", "30d"),
        ("1 hour", "1h"),
        ("10min", "10m"),
        ("2 Weeks", "2w"),
        ("90 seconds", "90s"),
        ("5 milliseconds", "5ms"),
        ("soon", None),
    ],
)
def test_a_duration_in_words_is_understood_for_the_hint(written: str, meant: str | None) -> None:
    assert likely_duration(written) == meant
