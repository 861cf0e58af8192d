import numpy as np

from journey_stream.churn.fold import bought, seen, signalled
from journey_stream.churn.panel import Observation, Panel
from journey_stream.events.times import DAY_MS
from tests.unit.churn.customers import GROCERY, START, panel, synthetic

UNIT_MS = GROCERY.unit_ms


def test_a_snapshot_is_what_the_engine_would_have_kept():
    observations = synthetic(60, 120)
    instant = START + 90 * DAY_MS
    kept: dict = {}
    early: dict = {}
    for one in sorted(observations, key=lambda one: one.at):
        if one.at >= instant:
            break
        if one.is_event:
            before = kept.get(one.customer)
            kept[one.customer] = bought(before, one.at, one.value, GROCERY, early.get(one.customer))
        for signal in one.signals:
            if one.customer in kept:
                kept[one.customer] = signalled(kept[one.customer], signal, one.at)
            else:
                early[one.customer] = seen(early.get(one.customer), signal, one.at)
    names = sorted({one.customer for one in observations})

    rows = panel(observations).snapshot(instant)

    assert [name for name in names if name in kept] == [names[index] for index in rows.customer]
    for position, index in enumerate(rows.customer):
        summary = kept[names[index]]
        assert summary.repeats == rows.repeats[position]
        np.testing.assert_allclose((summary.last - summary.first) / UNIT_MS, rows.t_x[position])
        np.testing.assert_allclose((instant - summary.first) / UNIT_MS, rows.age[position])
        np.testing.assert_allclose(summary.spent, rows.spent[position])
        last = (summary.signals or {}).get("coupon")
        expected = np.inf if last is None else (instant - last) / UNIT_MS
        np.testing.assert_allclose(expected, rows.signals["coupon"][position])


def test_who_comes_back_at_the_last_moment_of_the_window_has_come_back():
    rows = [("early", 0), ("early", 10), ("late", 0), ("late", 20), ("never", 0)]
    history = Panel(
        [Observation(name, START + day * DAY_MS, True, 1.0, ()) for name, day in rows],
        unit_ms=UNIT_MS,
        occasion_ms=DAY_MS,
    )
    instant = START + 10 * DAY_MS
    snapshot = history.snapshot(instant)

    assert [0, 0, 0] == list(snapshot.repeats)
    assert [False, True, True] == list(history.stayed_away(snapshot, instant, 10 * DAY_MS))
    assert [False, False, True] == list(history.stayed_away(snapshot, instant, 10 * DAY_MS + 1))


def test_somebody_with_signals_only_is_no_customer():
    history = panel([Observation("fan", START, False, 0.0, ("coupon",)), Observation("buyer", START, True, 1.0, ())])

    assert 1 == len(history.snapshot(START + DAY_MS))
    assert 2 == history.customers


def test_an_empty_history_has_an_empty_snapshot():
    assert 0 == len(panel([]).snapshot(START))


def test_silence_makes_customers_older_and_changes_nothing_else():
    now = panel(synthetic(60, 120))
    instant = START + 90 * DAY_MS
    rows = now.snapshot(instant)

    later = rows.in_silence(2.0)

    expected = panel([one for one in synthetic(60, 120) if one.at < instant]).snapshot(instant + 2 * UNIT_MS)
    np.testing.assert_array_equal(expected.repeats, later.repeats)
    np.testing.assert_array_equal(expected.t_x, later.t_x)
    np.testing.assert_array_equal(expected.spent, later.spent)
    np.testing.assert_allclose(expected.age, later.age)
    np.testing.assert_allclose(expected.signals["coupon"], later.signals["coupon"])
