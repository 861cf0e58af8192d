import math

import pytest

from journey_stream.churn.bands import Threshold, Thresholds, log_odds

BANDS = Thresholds((Threshold(0.3, 0.25), Threshold(0.6, 0.5), Threshold(0.85, 0.8)))


@pytest.mark.parametrize(
    ("before", "probability", "after"),
    [
        (None, 0.1, 0),
        (None, 0.7, 2),
        (0, 0.29, 0),
        (0, 0.3, 1),
        (0, 0.99, 3),
        (1, 0.26, 1),
        (1, 0.24, 0),
        (3, 0.81, 3),
        (3, 0.79, 2),
        (3, 0.4, 1),
        (3, 0.27, 1),
        (3, 0.01, 0),
    ],
)
def test_a_band_is_entered_at_one_probability_and_left_at_a_lower_one(before, probability, after):
    assert after == BANDS.next(before, log_odds(probability))


def test_within_its_limits_a_band_is_kept_and_at_them_it_is_not():
    for band in range(4):
        leave, enter = BANDS.limits(band)

        if math.isfinite(leave):
            assert band == BANDS.next(band, leave)
            assert band > BANDS.next(band, math.nextafter(leave, -math.inf))
        if math.isfinite(enter):
            assert band == BANDS.next(band, math.nextafter(enter, -math.inf))
            assert band < BANDS.next(band, enter)


def test_a_score_that_trembles_at_a_threshold_does_not_flap():
    band, seen = 0, []
    for probability in (0.29, 0.31, 0.29, 0.31, 0.26, 0.31):
        band = BANDS.next(band, log_odds(probability))
        seen.append(band)

    assert [0, 1, 1, 1, 1, 1] == seen
