from dataclasses import replace

import pytest

from journey_stream.churn.load import SHIPPED, load_parameters, parse_parameters, shipped
from journey_stream.churn.write import write_parameters
from journey_stream.journey.errors import ModelError
from tests.unit.churn.customers import GROCERY

TEXT = write_parameters(GROCERY)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_parameters_say_where_they_come_from_and_survive_a_round_trip(name):
    parameters = shipped(name)

    assert name == parameters.name == parameters.provenance.data
    assert parameters.provenance.customers > 2_000
    assert parameters == parse_parameters(write_parameters(parameters), "copy.yaml")


def test_a_name_that_is_not_shipped_gets_a_hint():
    with pytest.raises(ModelError, match="did you mean 'cdnow'"):
        shipped("cd-now")


@pytest.mark.parametrize(
    ("written", "instead", "message"),
    [
        ("window: 28d", "window: 28 days", "window: found '28 days'; expected a duration such as 10m"),
        ("window: 28d", "window: 0d", "window: found '0d'; expected a duration of more than nothing"),
        ("window: 28d", "windows: 28d", "windows: found an unknown field; expected one of churn"),
        ("event: purchase", "event: purchases", "event: found 'purchases'; expected a kind of touchpoint: purchase"),
        ("r: 1.39716", "r: -1", "bgnbd.r: found -1; expected a number from 1e-09 to 1e+09"),
        ("r: 1.39716", "r: true", "bgnbd.r: found true; expected a number"),
        ("r: 1.39716", "p: 1.39716", "bgnbd.p: found an unknown field; expected one of r, alpha, a, b"),
        ("enter: 0.6", "enter: 0.2", "bands.high: found enter 0.2, leave 0.55; expected thresholds above"),
        (
            "leave: 0.8",
            "leave: 0.9",
            "bands.critical.leave: found 0.9; expected a probability of at most that of enter",
        ),
        ("enter: 0.85", "enter: 1.0", "bands.critical.enter: found 1.0; expected a number from 1e-09 to 1"),
        ("id: ticket", "id: coupon", "signals[8].id: found 'coupon'; expected an id of its own"),
        ("id: ticket", "id: pace", "signals[8].id: found the name of a part of the score, 'pace'; expected another id"),
        ("touchpoint: ticket", "touchpoint: tickets", "signals[8].touchpoint: found 'tickets'; expected a kind"),
        (
            "basis: judged, text: complained",
            "basis: guessed, text: x",
            "signals[2].basis: found 'guessed'; expected one of",
        ),
        ("until: '2017-09-01'", "until: soon", "provenance.until: found 'soon'; expected a date such as 2017-09-01"),
        ("customers: 2430", "customers: many", "provenance.customers: found 'many'; expected a whole number"),
        ("version: 1", "version: 0", "version: found 0; expected a whole number from 1"),
    ],
)
def test_a_mistake_is_told_with_its_file_line_and_field(written, instead, message):
    text = TEXT.replace(written, instead, 1)
    line = TEXT[: TEXT.index(written)].count("\n") + 1

    with pytest.raises(ModelError) as caught:
        parse_parameters(text, "mine.yaml")

    assert f"mine.yaml:{line}: {message}" in str(caught.value)


def test_all_mistakes_are_told_at_once():
    text = TEXT.replace("window: 28d", "window: x").replace("event: purchase", "event: x").replace("r: 1.39716", "r: x")

    with pytest.raises(ModelError) as caught:
        parse_parameters(text, "mine.yaml")

    assert ["window", "event", "bgnbd.r"] == [one.field for one in caught.value.mistakes]


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_file_is_told_what_it_should_hold(text):
    with pytest.raises(ModelError, match=r"mine.yaml: found an empty file; expected churn parameters"):
        parse_parameters(text, "mine.yaml")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"nowhere.yaml: found no such file.*; expected a readable parameter file"):
        load_parameters(tmp_path / "nowhere.yaml")


def test_conditions_of_touchpoints_and_texts_in_any_language_survive_a_round_trip():
    [first, *others] = GROCERY.signals
    parameters = replace(GROCERY, signals=(replace(first, text="a: 'ü' #1"), *others), description="")

    assert parameters == parse_parameters(write_parameters(parameters), "copy.yaml")
