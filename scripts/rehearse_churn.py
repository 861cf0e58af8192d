"""Rehearse churn scores for windows longer than the history holds, within the first 39 weeks of CDNOW.

    python scripts/rehearse_churn.py

The history is cut early and the score is judged on what follows, before 1997-10-01: the rest of the data, on which
docs/churn.md judges the score, is not read. Each row compares extrapolating alone with composing, as `churn fit` does.
*Chance* is what the worst group of a perfectly calibrated score would be off on average, with so many customers.
"""

import json
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from journey_stream.churn.evaluate import probabilities
from journey_stream.churn.fit import fit
from journey_stream.churn.judge import Judgement, judge
from journey_stream.churn.load import shipped
from journey_stream.churn.panel import Panel
from journey_stream.cli.churn_history import read_panel
from journey_stream.cli.options import instant_ms
from journey_stream.events.times import DAY_MS
from journey_stream.history.datasets import dataset
from journey_stream.history.record import HistoryRecord

START = instant_ms("1997-01-01")
LEARNING_DAYS = 273
PARAMETERS = shipped("cdnow")
DRAWS, SEED = 20_000, 1997


class Rehearsal(NamedTuple):
    """Customers who first bought on days [since, before): what is known as day `cut` begins predicts `window` days."""

    since: int
    before: int
    cut: int
    window: int


# Those who came within four to six weeks are to their short history what all customers are to the 39 weeks.
REHEARSALS = (
    Rehearsal(0, 91, 91, 91),
    Rehearsal(0, 91, 112, 112),
    Rehearsal(0, 91, 136, 136),
    Rehearsal(0, 91, 91, 181),
    Rehearsal(0, 28, 91, 91),
    Rehearsal(28, 56, 119, 91),
    Rehearsal(56, 84, 147, 91),
    Rehearsal(42, 77, 154, 112),
    Rehearsal(0, 42, 136, 136),
    Rehearsal(28, 56, 119, 153),
)


def main() -> None:
    """Print the table, and the means of its columns."""
    records = [one for one in dataset("cdnow").records() if one.occurred_at < START + LEARNING_DAYS * DAY_MS]
    first = _first_days(records)
    print("customers of days  cut  window   worst group off             Brier             AUC")
    print("                                 alone  composed  chance     alone   composed   alone   composed")
    table, groups = [], []
    for one in REHEARSALS:
        chosen = [record for record in records if one.since <= first[_customer(record)] < one.before]
        row, composed = _judged(read_panel(chosen, PARAMETERS, None), one)
        table.append(row)
        groups.append([group.predicted - group.observed for group in composed.groups])
        print(f"{f'{one.since}-{one.before - 1}':>17} {one.cut:>4} {one.window:>7}   {_line(row)}")
    print(f"{'mean':>30}   {_line([float(mean) for mean in np.mean(table, axis=0)])}")
    off = " ".join(f"{mean:+.3f}" for mean in np.mean(groups, axis=0))
    print(f"composed, predicted less observed in each group, the least risky first, mean: {off}")


def _judged(panel: Panel, rehearsal: Rehearsal) -> tuple[list[float], Judgement]:
    """The numbers of a row, and the judgement of the composed score."""
    at, window_ms = START + rehearsal.cut * DAY_MS, rehearsal.window * DAY_MS
    template = replace(PARAMETERS, window_ms=window_ms)
    rows = panel.snapshot(at)
    outcome = panel.stayed_away(rows, at, window_ms)
    alone, composed = (
        judge(
            probabilities(fit(panel, template, until=at, data="cdnow", compose_long_windows=compose).parameters, rows),
            outcome,
        )
        for compose in (False, True)
    )
    row = [
        *(one.calibration_error for one in (alone, composed)),
        _by_chance(composed),
        *(one.brier for one in (alone, composed)),
        *(one.auc for one in (alone, composed)),
    ]
    return row, composed


def _by_chance(judgement: Judgement) -> float:
    """How far the worst group is off on average if every probability is right."""
    spread = [(one.predicted * (1.0 - one.predicted) / one.customers) ** 0.5 for one in judgement.groups]
    draws = np.random.default_rng(SEED).standard_normal((DRAWS, len(spread)))
    return float(np.abs(draws * spread).max(axis=1).mean())


def _line(row: list[float]) -> str:
    return f"{row[0]:.3f}  {row[1]:.3f}     {row[2]:.3f}      {row[3]:.4f}  {row[4]:.4f}     {row[5]:.4f}  {row[6]:.4f}"


def _customer(record: HistoryRecord) -> str:
    return str(json.loads(record.value)["identifiers"]["customer_id"])


def _first_days(records: list[HistoryRecord]) -> dict[str, int]:
    first: dict[str, int] = {}
    for record in records:
        day = (record.occurred_at - START) // DAY_MS
        customer = _customer(record)
        first[customer] = min(day, first.get(customer, day))
    return first


if __name__ == "__main__":
    main()
