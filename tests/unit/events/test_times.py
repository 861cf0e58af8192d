from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey_stream.events.times import MS_MAX, MS_MIN, from_ms, rfc3339, to_ms


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (1_769_851_800_123, "2026-01-31T09:30:00.123Z"),
        (MS_MIN, "0001-01-01T00:00:00.000Z"),
        (MS_MAX, "9999-12-31T23:59:59.999Z"),
    ],
)
def test_an_instant_is_written_in_utc_with_milliseconds(ms: int, text: str) -> None:
    assert rfc3339(ms) == text


@given(st.integers(MS_MIN, MS_MAX))
def test_what_was_written_reads_back(ms: int) -> None:
    assert to_ms(datetime.fromisoformat(rfc3339(ms))) == ms == to_ms(from_ms(ms))


@pytest.mark.parametrize("ms", [MS_MIN - 1, MS_MAX + 1])
def test_an_instant_outside_the_calendar_has_no_text(ms: int) -> None:
    with pytest.raises(OverflowError):
        rfc3339(ms)


def test_microseconds_are_rounded_down_even_before_the_epoch() -> None:
    assert to_ms(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1


def test_an_offset_is_taken_into_account() -> None:
    assert to_ms(datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))) == 0
