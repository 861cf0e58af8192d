from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from journey_stream.churn.bands import Threshold
from journey_stream.churn.bgnbd import BgNbd
from journey_stream.churn.parameters import Recalibration, Weight
from journey_stream.churn.score import Scorer
from journey_stream.churn.silence import Crossing, crossing_by, look, next_crossing, still_quiet
from journey_stream.churn.summary import Summary
from journey_stream.events.times import DAY_MS, HOUR_MS
from tests.support.risks import nervous_scorer
from tests.unit.churn.customers import GROCERY, REGULAR, SCORER, START

HORIZON_DAYS = 3_650
HORIZON_MS = 120 * DAY_MS
SLOW = nervous_scorer()


def brute_force(scorer: Scorer, summary: Summary, after: int, band: int) -> Crossing | None:
    last_seen = max(summary.last, *(summary.signals or {}).values())
    for hour in range(after // HOUR_MS + 1, (last_seen + HORIZON_MS) // HOUR_MS + 1):
        reached = scorer.bands.next(band, scorer.score(summary, hour * HOUR_MS))
        if reached != band:
            return Crossing(hour * HOUR_MS, reached)
    return None


weights = st.floats(-3.0, 3.0)
scorers = st.builds(
    lambda model, intercept, parts, signals, bands: Scorer(
        replace(
            GROCERY,
            bgnbd=BgNbd(*model),
            recalibration=Recalibration(intercept, tuple(Weight(one, 0.0) for one in parts)),
            signals=tuple(
                replace(old, weight=weight, half_life_ms=length)
                for old, (weight, length) in zip(GROCERY.signals, signals, strict=False)
            ),
            bands=tuple(Threshold(enter, enter - 0.05) for enter in sorted(bands)),
        )
    ),
    st.tuples(st.floats(0.2, 3.0), st.floats(0.5, 5.0), st.floats(0.05, 2.0), st.floats(0.5, 20.0)),
    weights,
    st.lists(weights, min_size=6, max_size=6),
    st.lists(st.tuples(weights, st.integers(HOUR_MS, 60 * DAY_MS)), min_size=3, max_size=3),
    st.lists(st.floats(0.1, 0.95), min_size=3, max_size=3, unique=True),
)
summaries = st.builds(
    lambda length, repeats, first, second: Summary(
        START, START + length, repeats, 100.0, {"campaign": START + first, "coupon": START + second}
    ),
    st.integers(0, 300 * DAY_MS),
    st.integers(0, 40),
    st.integers(0, 300 * DAY_MS),
    st.integers(0, 300 * DAY_MS),
)


@settings(max_examples=60)
@given(scorers, summaries, st.integers(0, 30 * DAY_MS))
def test_the_next_crossing_is_the_one_that_trying_every_hour_finds(scorer, summary, silence):
    after = max(summary.last, *(summary.signals or {}).values()) + silence
    band = scorer.bands.next(None, scorer.score(summary, after))

    found = next_crossing(scorer, summary, after, band, HORIZON_MS)

    assert brute_force(scorer, summary, after, band) == found


@settings(max_examples=60)
@given(scorers, summaries, st.sampled_from([None, 0, 1, 2, 3]), st.integers(0, 40 * DAY_MS))
def test_until_then_it_is_quiet(scorer, summary, before, silence):
    at = max(summary.last, *(summary.signals or {}).values()) + silence

    score, band, quiet_until = look(scorer, summary, at, before)

    assert scorer.score(summary, at) == score
    assert scorer.bands.next(before, score) == band
    assert at < quiet_until
    found = brute_force(scorer, summary, at, band)
    assert found is None or found.at >= quiet_until


@settings(max_examples=60)
@given(scorers, summaries, st.integers(0, 30 * DAY_MS), st.integers(0, 40 * DAY_MS))
def test_when_the_time_has_come_it_may_still_be_quiet_for_long(scorer, summary, silence, length):
    after = max(summary.last, *(summary.signals or {}).values()) + silence
    band = scorer.bands.next(None, scorer.score(summary, after))

    until = still_quiet(scorer, summary, after, after + length, band)

    found = brute_force(scorer, summary, after, band)
    assert until is None or (until > after + length and (found is None or found.at >= until))


@settings(max_examples=60)
@given(scorers, summaries, st.integers(0, 30 * DAY_MS), st.integers(0, 60 * DAY_MS))
def test_a_crossing_by_an_instant_is_the_first_unless_that_comes_later(scorer, summary, silence, length):
    after = max(summary.last, *(summary.signals or {}).values()) + silence
    band = scorer.bands.next(None, scorer.score(summary, after))

    found = crossing_by(scorer, summary, after, after + length, band)

    first = brute_force(scorer, summary, after, band)
    assert found == (first if first is not None and first.at <= after + length else None)


def test_from_where_one_searches_does_not_decide_how_far_ahead():
    # The risk of this customer rises for ever: a band may begin at any time.
    customer, ten_years = Summary(START, START + 20 * DAY_MS, 1, 20.0), HORIZON_DAYS * DAY_MS
    end = customer.last + ten_years
    beyond, within = _entered_between(customer, end, end + 40 * DAY_MS), _entered_between(customer, end - DAY_MS, end)

    for since in (customer.last, customer.last + ten_years // 2, end - 2 * DAY_MS, end, end + DAY_MS):
        assert next_crossing(beyond, customer, since, 2) is None
        assert crossing_by(beyond, customer, since, end + 400 * DAY_MS, 2) is None
        if since < end - DAY_MS:
            found = next_crossing(within, customer, since, 2)
            assert found is not None
            assert end - DAY_MS < found.at <= end
            assert found == crossing_by(within, customer, since, end + 400 * DAY_MS, 2)


def test_a_signal_in_a_silence_of_many_years_still_fades():
    at = REGULAR.last + 2 * HORIZON_DAYS * DAY_MS
    angry = Summary(REGULAR.first, REGULAR.last, 28, 1_000.0, {"complaint": at})
    scorer = Scorer(
        replace(
            GROCERY,
            signals=tuple(replace(one, weight=-30.0, half_life_ms=DAY_MS) for one in GROCERY.signals),
        )
    )

    assert next_crossing(scorer, angry, at, scorer.bands.next(None, scorer.score(angry, at))) is not None


def _entered_between(customer: Summary, start: int, end: int) -> Scorer:
    """Somebody in silence becomes critical within that time."""
    threshold = (SLOW.probability(customer, start) + SLOW.probability(customer, end)) / 2
    bands = (*SLOW.parameters.bands[:2], Threshold(threshold, threshold - 1e-3))
    return Scorer(replace(SLOW.parameters, bands=bands))


def test_a_complaint_is_forgiven_before_silence_makes_the_risk_rise_again():
    at = REGULAR.last
    angry = Summary(REGULAR.first, at, 28, 1_000.0, {"complaint": at})
    scorer = Scorer(
        replace(
            GROCERY,
            signals=tuple(replace(one, weight=8.0, half_life_ms=DAY_MS) for one in GROCERY.signals),
        )
    )
    band = scorer.bands.next(None, scorer.score(angry, at))

    bands, when = [band], [at]
    while (crossing := next_crossing(scorer, angry, when[-1], bands[-1])) is not None:
        when.append(crossing.at)
        bands.append(crossing.band)

    lowest = bands.index(0)
    assert sorted(bands[: lowest + 1], reverse=True) == bands[: lowest + 1]
    assert bands[lowest:] == sorted(bands[lowest:])
    assert bands[0] > 0 < bands[-1]
    assert all(one % HOUR_MS == 0 for one in when[1:])


def test_a_regular_customer_becomes_critical_in_silence_and_stays_so():
    bands, at = [0], REGULAR.last
    while (crossing := next_crossing(SCORER, REGULAR, at, bands[-1])) is not None:
        at = crossing.at
        bands.append(crossing.band)

    assert [0, 1, 2, 3] == bands
    assert REGULAR.last + 14 * DAY_MS < at < REGULAR.last + 200 * DAY_MS
