from journey_stream.churn.fold import bought, seen, signalled
from journey_stream.churn.summary import SPENT_MAX, Summary
from journey_stream.events.times import DAY_MS, HOUR_MS
from tests.unit.churn.customers import GROCERY, SCORER, START


def test_purchases_of_one_day_are_one_occasion():
    summary = bought(None, START + HOUR_MS, 5.0, GROCERY)
    summary = bought(summary, START + 2 * HOUR_MS, 7.0, GROCERY)
    summary = bought(summary, START + DAY_MS, None, GROCERY)

    assert Summary(START + HOUR_MS, START + DAY_MS, repeats=1, spent=12.0) == summary


def test_a_refund_booked_as_a_negative_purchase_is_no_spending():
    summary = bought(bought(None, START, 5.0, GROCERY), START + DAY_MS, -5.0, GROCERY)

    assert 5.0 == summary.spent


def test_values_beyond_all_money_leave_a_score_that_is_a_number():
    summary = None
    for day in range(3):
        summary = bought(summary, START + day * DAY_MS, 1e308, GROCERY)

    assert summary is not None
    assert SPENT_MAX == summary.spent
    assert 0.0 < SCORER.probability(summary, START + 3 * DAY_MS) < 1.0


def test_a_signal_from_before_the_first_purchase_counts_afterwards():
    early = seen(None, "complaint", START)

    summary = bought(None, START + DAY_MS, 5.0, GROCERY, early)

    assert {"complaint": START} == summary.signals


def test_the_last_of_several_equal_signals_counts():
    summary = signalled(Summary(START, START), "complaint", START + HOUR_MS)
    summary = signalled(summary, "ticket", START + HOUR_MS)

    summary = signalled(summary, "complaint", START + DAY_MS)

    assert {"complaint": START + DAY_MS, "ticket": START + HOUR_MS} == summary.signals
