from dataclasses import replace

import numpy as np
import pytest

from journey_stream.churn.errors import FitError
from journey_stream.churn.fit import refit_rfm
from journey_stream.churn.load import SHIPPED, parse_parameters, shipped
from journey_stream.churn.panel import Observation, Panel
from journey_stream.churn.parameters import Rfm
from journey_stream.churn.rfm import lasting, scores
from journey_stream.churn.summary import Summary
from journey_stream.churn.write import write_parameters
from journey_stream.events.decisions import RfmScores
from journey_stream.events.times import DAY_MS, HOUR_MS
from journey_stream.journey.errors import ModelError

RFM = Rfm((HOUR_MS, 2 * HOUR_MS, 2 * HOUR_MS, 9 * HOUR_MS), (1, 1, 3, 8), (0.0, 10.0, 20.5, 30.0))
PARAMETERS = shipped("cdnow")
TEXT = write_parameters(replace(PARAMETERS, rfm=RFM))
NO_MONEY = replace(RFM, monetary=None)


@pytest.mark.parametrize(
    ("silence_ms", "recency"), [(0, 5), (HOUR_MS - 1, 5), (HOUR_MS, 4), (2 * HOUR_MS, 2), (9 * HOUR_MS, 1)]
)
def test_recency_falls_at_each_cut(silence_ms: int, recency: int) -> None:
    assert scores(RFM, Summary(0, 5), 5 + silence_ms).recency == recency


@pytest.mark.parametrize(("purchases", "frequency"), [(1, 1), (2, 3), (3, 3), (4, 4), (9, 5)])
def test_a_value_at_a_cut_is_on_its_worse_side(purchases: int, frequency: int) -> None:
    assert lasting(RFM, Summary(0, 5, purchases - 1, 20.5)) == (frequency, 3)


def test_without_money_in_the_reference_there_is_no_score_for_it() -> None:
    assert scores(NO_MONEY, Summary(0, 5, 0, 99.0), 5) == RfmScores(5, 1, None)


@pytest.mark.parametrize("rfm", [RFM, NO_MONEY, None])
def test_a_reference_survives_being_written_and_read(rfm: Rfm | None) -> None:
    parameters = replace(PARAMETERS, rfm=rfm)

    assert parse_parameters(write_parameters(parameters), "p.yaml") == parameters


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_parameters_have_a_reference_with_money(name: str) -> None:
    rfm = shipped(name).rfm

    assert rfm is not None
    assert rfm.monetary is not None


def test_a_reference_is_part_of_the_fingerprint_and_none_leaves_it_as_it_was() -> None:
    without = replace(PARAMETERS, rfm=None)

    assert without.fingerprint == "249a8a0729d0a92f757095e7be45ad54ffbb4fb660dbf9910fbf7e9ccbe5edf6"
    assert len({without.fingerprint, *(replace(PARAMETERS, rfm=rfm).fingerprint for rfm in (RFM, NO_MONEY))}) == 3


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("[1h, 2h, 2h, 9h]", "[1h, 2h, 9h]", "rfm.recency"),
        ("[1h, 2h, 2h, 9h]", "[1h, 2h, 2h, 9h, 9h]", "rfm.recency"),
        ("[1h, 2h, 2h, 9h]", "[1h, 3h, 2h, 9h]", "rfm.recency[2]"),
        ("[1h, 2h, 2h, 9h]", "[1h, 2h, 2h, 9]", "rfm.recency[3]"),
        ("[1, 1, 3, 8]", "[1, 1, 3, 8.5]", "rfm.frequency[3]"),
        ("[1, 1, 3, 8]", "[1, 1, 0, 8]", "rfm.frequency[2]"),
        ("[0.0, 10.0, 20.5, 30.0]", "[0.0, 10.0, 20.5, much]", "rfm.monetary[3]"),
        ("  frequency: [1, 1, 3, 8]\n", "", "rfm.frequency"),
        ("  frequency:", "  often:", "rfm.often"),
    ],
)
def test_a_mistake_is_told_with_its_field(old: str, new: str, field: str) -> None:
    assert TEXT.count(old) == 1

    with pytest.raises(ModelError) as caught:
        parse_parameters(TEXT.replace(old, new), "p.yaml")

    assert field in [mistake.field for mistake in caught.value.mistakes]
    assert all(mistake.line for mistake in caught.value.mistakes)


def history(spent: float) -> Panel:
    """Customer n of 200 bought n // 2 + 1 times, a day apart, the last time n hours before day 300."""
    observations = [
        Observation(f"c{n:03}", 300 * DAY_MS - n * HOUR_MS - time * DAY_MS, True, spent, ())
        for n in range(200)
        for time in range(n // 2 + 1)
    ]
    return Panel(observations, unit_ms=7 * DAY_MS, occasion_ms=DAY_MS)


def test_the_reference_are_the_fifths_of_the_customers() -> None:
    found = refit_rfm(history(2.0), PARAMETERS, until=300 * DAY_MS + 1)

    assert found.rfm is not None
    assert found.rfm.recency == tuple(HOUR_MS * hours for hours in (39, 79, 119, 159))
    assert found.rfm.frequency == (20, 40, 60, 80)
    assert found.rfm.monetary == (40.0, 80.0, 120.0, 160.0)
    assert replace(found, rfm=PARAMETERS.rfm) == PARAMETERS
    counts = np.bincount([lasting(found.rfm, Summary(0, 0, n // 2, 2.0 * (n // 2 + 1)))[0] for n in range(200)])
    assert list(counts) == [0, 40, 40, 40, 40, 40]


def test_a_history_without_values_has_no_monetary_reference() -> None:
    found = refit_rfm(history(0.0), PARAMETERS, until=300 * DAY_MS + 1)

    assert found.rfm is not None
    assert found.rfm.monetary is None


def test_too_few_customers_are_no_reference() -> None:
    with pytest.raises(FitError, match="too little data"):
        refit_rfm(history(2.0), PARAMETERS, until=299 * DAY_MS - 150 * HOUR_MS - 70 * DAY_MS)
