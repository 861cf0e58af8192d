import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey_stream.churn import bgnbd
from journey_stream.churn.bgnbd import BgNbd

PUBLISHED = BgNbd(0.243, 4.414, 0.793, 2.426)
positive = st.floats(0.05, 20.0)
models = st.builds(BgNbd, positive, positive, positive, positive)
histories = st.tuples(st.integers(0, 60), st.floats(0.0, 1.0), st.floats(0.1, 120.0)).map(
    lambda drawn: (drawn[0], drawn[1] * drawn[2] if drawn[0] else 0.0, drawn[2])
)


@given(models, histories, st.floats(0.01, 60.0))
def test_no_purchase_is_the_same_history_over_a_longer_age(model, history, t):
    x, t_x, age = history

    by_likelihood = math.exp(bgnbd.log_likelihood(model, x, t_x, age + t) - bgnbd.log_likelihood(model, x, t_x, age))

    assert by_likelihood == pytest.approx(bgnbd.p_no_purchase(model, x, t_x, age, t), rel=1e-9, abs=1e-12)


@given(models, histories)
def test_who_never_bought_again_has_not_dropped_out(model, history):
    assert 1.0 == bgnbd.p_active(model, 0, 0.0, history[2])


@given(models, histories, st.floats(0.01, 60.0))
def test_expected_purchases_are_those_of_the_published_equation(model, history, t):
    special = pytest.importorskip("scipy.special")
    x, t_x, age = history
    r, alpha, a, b = model
    if abs(a - 1.0) < 1e-3:
        return

    z = t / (alpha + age + t)
    factor = special.hyp2f1(r + x, b + x, a + b + x - 1, z) * ((alpha + age) / (alpha + age + t)) ** (r + x)
    published = (a + b + x - 1) / (a - 1) * (1 - factor) * bgnbd.p_active(model, x, t_x, age)

    assert published == pytest.approx(bgnbd.expected_purchases(model, x, t_x, age, t), rel=1e-6, abs=1e-9)


def test_expected_purchases_pass_smoothly_through_a_equal_to_one():
    near, at = BgNbd(0.5, 4.0, 1.0 + 1e-7, 2.0), BgNbd(0.5, 4.0, 1.0, 2.0)

    assert bgnbd.expected_purchases(near, 3, 20.0, 30.0, 13.0) == pytest.approx(
        bgnbd.expected_purchases(at, 3, 20.0, 30.0, 13.0), rel=1e-6
    )


@pytest.mark.filterwarnings("ignore")
def test_lifetimes_expects_the_same_purchases_and_survivors():
    lifetimes = pytest.importorskip("lifetimes")
    fitter = lifetimes.BetaGeoFitter()
    fitter.params_ = dict(zip(BgNbd._fields, PUBLISHED, strict=True))
    for x, t_x, age in ((0, 0.0, 38.86), (2, 30.43, 38.86), (26, 30.86, 31.0), (5, 3.0, 38.0)):
        oracle = float(fitter.conditional_expected_number_of_purchases_up_to_time(39.0, x, t_x, age))
        alive = float(fitter.conditional_probability_alive(x, t_x, age)[0])

        assert oracle == pytest.approx(bgnbd.expected_purchases(PUBLISHED, x, t_x, age, 39.0), rel=1e-9)
        assert alive == pytest.approx(bgnbd.p_active(PUBLISHED, x, t_x, age), rel=1e-9)


def test_the_customer_of_the_published_example_is_expected_to_buy_1_226_times():
    assert 1.226 == round(bgnbd.expected_purchases(PUBLISHED, 2, 30.43, 38.86, 39.0), 3)


@pytest.mark.parametrize("x", [0, 1, 1_000, 1_000_000])
@pytest.mark.parametrize("silence", [0.0, 1.0, 1e6])
def test_extreme_customers_have_finite_scores(x, silence):
    t_x = 500.0 if x else 0.0
    age = t_x + silence

    assert 0.0 <= bgnbd.p_no_purchase(PUBLISHED, x, t_x, age, 4.0) <= 1.0
    assert math.isfinite(bgnbd.log_likelihood(PUBLISHED, x, t_x, age))
    assert math.isfinite(bgnbd.expected_purchases(PUBLISHED, x, t_x, age, 4.0))


def test_a_window_far_beyond_all_experience_is_refused_rather_than_guessed():
    with pytest.raises(ArithmeticError, match="has not ended"):
        bgnbd.expected_purchases(PUBLISHED, 1, 1.0, 2.0, 1e9)
