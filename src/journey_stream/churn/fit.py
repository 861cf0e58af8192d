"""Fitting parameters to a history.

BG/NBD is fitted to everybody's history up to its end. The recalibration looks back: at several earlier instants it
compares what was known then with what followed, up to the same end. Nothing after the end is used. A history may be
too short to hold the prediction window several times; then the looks back have shorter windows.

The recalibration is the mean of two logistic regressions. The anchored one adds its corrections to the log-odds of
BG/NBD, and trusts the model with how the outcome depends on the length of the window. The free one takes nothing as
given; its slopes are linear in the logarithm of the window's length. Where the window reaches beyond the data the two
err to different sides. On windows within the histories of both public data sets their mean was better than either.

Where looks back had to have shorter windows, the level and the spread of the mean are corrected to what shorter windows
make when they follow each other: to stay away for three times 91 days is to stay away for 91 days, then for 91 days
more with 91 days more silence, and so on. Each part is scored for a window that the history does hold.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import log_expit

from journey_stream.churn.bgnbd import BgNbd
from journey_stream.churn.errors import FitError
from journey_stream.churn.likelihood import Maximum, feature_matrix, maximise
from journey_stream.churn.panel import Floats, Panel, Snapshot
from journey_stream.churn.parameters import (
    FEATURES,
    RFM_CUTS,
    Parameters,
    Provenance,
    Recalibration,
    Rfm,
    Signal,
    Weight,
)
from journey_stream.churn.regression import Regression
from journey_stream.events.times import EPOCH, HOUR_MS

STEPS = 8
FIRST_STEP = 3
"""The looks back stand at these eighths of the history: 3/8 to 7/8."""
LOOKS_MIN = 3
"""With so many looks that have a whole prediction window ahead of them, shorter windows are not needed."""

RIDGE_FREE, RIDGE_ANCHORED, RIDGE_SPREAD = 1e-3, 1e-4, 1e-6
ANCHORED_SHARE = 0.5
CUSTOMERS_MIN, REPEATS_MIN, OUTCOMES_MIN, SEEN_MIN = 100, 50, 50, 50
DIGITS = 6
"""Significant digits that are kept."""


class Look(NamedTuple):
    """What was known at an instant (ms), the length of the window after it, and who stayed away for that long."""

    at: int
    rows: Snapshot
    window_ms: int
    outcome: npt.NDArray[np.bool_]


class Fitted(NamedTuple):
    """The parameters, and what a person should know about how they came about."""

    parameters: Parameters
    maximum: Maximum
    looks: tuple[Look, ...]
    outcomes: int
    remarks: tuple[str, ...]


def fit(
    panel: Panel,
    template: Parameters,
    *,
    until: int,
    data: str,
    with_signals: bool = True,
    compose_long_windows: bool = True,
) -> Fitted:
    """Fit to the history before `until` (ms). The template says everything that is not estimated.

    Without `compose_long_windows` a window that the history does not hold is only extrapolated to, for comparison.
    Raises FitError when the data is too thin, with what there is and what is needed.
    """
    rows = panel.snapshot(until)
    _check_enough(rows)
    maximum = maximise(rows.repeats, rows.t_x, rows.age)
    looks = _look_back(panel, until, template.window_ms)
    candidates = template.signals if with_signals else ()
    signals = [one for one in candidates if _times_seen(one, looks) >= SEEN_MIN]
    intercept, columns = _recalibrate(maximum, looks, signals, template)
    if compose_long_windows and any(look.window_ms != template.window_ms for look in looks):
        composed = _composed(panel, maximum, rows, signals, template, until)
        line = _log_odds(maximum, rows, signals, template, intercept, columns)
        spread = Regression(line[:, np.newaxis], composed, RIDGE_SPREAD)
        intercept, columns = spread.intercept + spread.weights[0] * intercept, spread.weights[0] * columns
    rows_now = feature_matrix(maximum.model, rows, template.window_ms / template.unit_ms)
    weights = tuple(
        Weight(_short(weight), _short(mean)) for weight, mean in zip(columns, rows_now.mean(axis=0), strict=False)
    )
    fitted = dict(zip((one.id for one in signals), map(float, columns[len(FEATURES) :]), strict=True))
    end = until - 1
    outcomes = sum(len(look.rows) for look in looks)
    parameters = replace(
        template,
        bgnbd=BgNbd(*map(_short, maximum.model)),
        recalibration=Recalibration(_short(intercept), weights),
        signals=tuple(_weighed(one, fitted) for one in candidates if one.id in fitted or one.basis == "judged"),
        rfm=_quintiles(rows, panel.unit_ms),
        provenance=Provenance(
            data,
            _day(panel.since),
            _day(end, 1),
            len(rows),
            int((rows.repeats + 1).sum()),
            f"Recalibrated on {outcomes} outcomes of {len(looks)} windows within that time.",
        ),
    )
    return Fitted(parameters, maximum, tuple(looks), outcomes, _remarks(maximum, candidates, fitted))


def refit_rfm(panel: Panel, parameters: Parameters, *, until: int) -> Parameters:
    """The parameters with the reference of RFM scores from a history up to `until` (ms), all else as it is.

    Raises FitError when the data is too thin.
    """
    rows = panel.snapshot(until)
    _check_enough(rows)
    return replace(parameters, rfm=_quintiles(rows, panel.unit_ms))


def _check_enough(rows: Snapshot) -> None:
    again = int((rows.repeats > 0).sum())
    if len(rows) < CUSTOMERS_MIN or again < REPEATS_MIN:
        raise FitError(
            f"too little data: {len(rows)} customers, of whom {again} bought again; "
            f"needed are {CUSTOMERS_MIN} and {REPEATS_MIN}"
        )


def _look_back(panel: Panel, until: int, window_ms: int) -> list[Look]:
    length = until - panel.since
    instants = [panel.since + length * step // STEPS for step in range(FIRST_STEP, STEPS)]
    whole = [at for at in instants if at + window_ms <= until]
    if len(whole) >= LOOKS_MIN:
        pairs = [(at, window_ms) for at in whole]
    else:
        windows = [length * step // STEPS for step in range(1, STEPS)]
        pairs = [(at, window) for at in instants for window in windows if at + window <= until and window <= window_ms]
    looks = [_look(panel, at, window) for at, window in pairs]
    away, back = (sum(int(look.outcome.sum()) for look in looks), sum(int((~look.outcome).sum()) for look in looks))
    if min(away, back) < OUTCOMES_MIN:
        raise FitError(
            f"too little data: in the windows within the history customers stayed away {away} times and came back "
            f"{back} times; needed are {OUTCOMES_MIN} each. A longer history or another window may help"
        )
    return looks


def _look(panel: Panel, at: int, window_ms: int) -> Look:
    rows = panel.snapshot(at)
    return Look(at, rows, window_ms, panel.stayed_away(rows, at, window_ms))


def _recalibrate(
    maximum: Maximum, looks: list[Look], signals: list[Signal], template: Parameters
) -> tuple[float, Floats]:
    """The intercept, and the weights of FEATURES and of the signals, in this order."""
    matrices = [feature_matrix(maximum.model, look.rows, look.window_ms / template.unit_ms) for look in looks]
    given = np.concatenate([matrix[:, 0] for matrix in matrices])
    parts = [
        np.column_stack([matrix[:, 1:], signal_matrix(look.rows, signals, template.unit_ms)])
        for matrix, look in zip(matrices, looks, strict=True)
    ]
    outcome = np.concatenate([look.outcome for look in looks])
    anchored = Regression(np.vstack(parts), outcome, RIDGE_ANCHORED, given)
    if any(look.window_ms != template.window_ms for look in looks):
        # These columns are zero at the prediction window, so that their weights need not be kept.
        slopes = [
            np.column_stack([part, matrix[:, 1:] * np.log(look.window_ms / template.window_ms)])
            for part, matrix, look in zip(parts, matrices, looks, strict=True)
        ]
        free = Regression(np.vstack(slopes), outcome, RIDGE_FREE)
    else:
        free = Regression(np.vstack(parts), outcome, RIDGE_FREE)
    kept = len(anchored.weights)
    mean = ANCHORED_SHARE * anchored.weights + (1.0 - ANCHORED_SHARE) * free.weights[:kept]
    intercept = ANCHORED_SHARE * anchored.intercept + (1.0 - ANCHORED_SHARE) * free.intercept
    return intercept, np.concatenate(([ANCHORED_SHARE], mean))


def _composed(
    panel: Panel, maximum: Maximum, rows: Snapshot, signals: list[Signal], template: Parameters, until: int
) -> Floats:
    """P(no purchase) of each customer at `until`, from the fewest equal parts of the window that the history holds."""
    length = until - panel.since
    last_needed = panel.since + length * (FIRST_STEP + LOOKS_MIN - 1) // STEPS
    parts = next(parts for parts in count(1) if last_needed + template.window_ms // parts <= until)
    short = replace(template, window_ms=template.window_ms // parts)
    intercept, columns = _recalibrate(maximum, _look_back(panel, until, short.window_ms), signals, short)
    stayed = np.zeros(len(rows))
    for part in range(parts):
        later = rows.in_silence(part * short.window_ms / short.unit_ms)
        stayed += log_expit(_log_odds(maximum, later, signals, short, intercept, columns))
    result: Floats = np.exp(stayed)
    return result


def _log_odds(
    maximum: Maximum, rows: Snapshot, signals: list[Signal], template: Parameters, intercept: float, columns: Floats
) -> Floats:
    """The score in log-odds, of the weights that `_recalibrate` gives."""
    matrix = feature_matrix(maximum.model, rows, template.window_ms / template.unit_ms)
    result: Floats = intercept + np.column_stack([matrix, signal_matrix(rows, signals, template.unit_ms)]) @ columns
    return result


def signal_matrix(rows: Snapshot, signals: list[Signal], unit_ms: int) -> Floats:
    """(customers, signals): 1 at the moment of the signal, halved with every half-life, 0 if never seen."""
    never = np.full(len(rows), np.inf)
    columns = [0.5 ** (rows.signals.get(one.id, never) * unit_ms / one.half_life_ms) for one in signals]
    return np.column_stack(columns) if columns else np.empty((len(rows), 0))


def _times_seen(signal: Signal, looks: list[Look]) -> int:
    """How many customers had been seen with the signal, in the look with the most of them."""
    counts = [int(np.isfinite(look.rows.signals[signal.id]).sum()) for look in looks if signal.id in look.rows.signals]
    return max(counts, default=0)


def _quintiles(rows: Snapshot, unit_ms: int) -> Rfm:
    """The reference of RFM scores: the customers as they are at the end of the history."""
    # To the hour: what is finer says nothing about other customers.
    silence_hours = (rows.age - rows.t_x) * unit_ms / HOUR_MS
    recency = tuple(max(1, round(cut)) * HOUR_MS for cut in _cuts(silence_hours))
    frequency = tuple(round(cut) for cut in _cuts(rows.repeats + 1.0))
    monetary = tuple(_short(cut) for cut in _cuts(rows.spent)) if rows.spent.any() else None
    return Rfm(recency, frequency, monetary)


def _cuts(values: Floats) -> list[float]:
    """The values of the data that part it into fifths."""
    shares = np.arange(1, RFM_CUTS + 1) / (RFM_CUTS + 1)
    return [float(cut) for cut in np.quantile(values, shares, method="inverted_cdf")]


def _weighed(signal: Signal, fitted: dict[str, float]) -> Signal:
    return replace(signal, weight=_short(fitted[signal.id]), basis="fitted") if signal.id in fitted else signal


def _remarks(maximum: Maximum, candidates: tuple[Signal, ...], fitted: dict[str, float]) -> tuple[str, ...]:
    remarks = [f"the data cannot tell how {name} should be: it ran to its bound" for name in maximum.at_bounds]
    for one in candidates:
        if one.id not in fitted:
            fate = "keeps the weight that was judged" if one.basis == "judged" else "is left out"
            remarks.append(f"signal {one.id}: fewer than {SEEN_MIN} customers had it; it {fate}")
    return tuple(remarks)


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _day(at: int, days_later: int = 0) -> str:
    instant = EPOCH + timedelta(milliseconds=at)
    return (
        (datetime(instant.year, instant.month, instant.day, tzinfo=UTC) + timedelta(days=days_later)).date().isoformat()
    )
