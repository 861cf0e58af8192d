"""The parameters of churn risk as frozen values: what a parameter file says.

Every length of time is in milliseconds, every weight in log-odds.
"""

from dataclasses import dataclass
from typing import Literal

from journey_stream.churn.bands import Threshold
from journey_stream.churn.bgnbd import BgNbd
from journey_stream.journey.model import Kind

Basis = Literal["fitted", "judged"]
"""Whether a signal's weight was estimated from the data named in the provenance, or is somebody's judgement."""

FEATURES = ("model", "pace", "active", "once", "quiet", "basket")
"""The recalibrated parts of the score, in the order of their weights; `features.py` defines them."""


@dataclass(frozen=True, slots=True)
class Weight:
    """The weight of a feature, and its value for a typical customer, against which contributions are counted."""

    weight: float
    typical: float


@dataclass(frozen=True, slots=True)
class Recalibration:
    """log-odds = intercept + the sum of weight · feature over FEATURES."""

    intercept: float
    weights: tuple[Weight, ...]


@dataclass(frozen=True, slots=True)
class Signal:
    """Touchpoints of `kind` add `weight` to the log-odds, and half of it after each `half_life_ms`."""

    id: str
    kind: str
    weight: float
    half_life_ms: int
    basis: Basis
    text: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the numbers come from; `since` and `until` are dates (UTC), `until` exclusive."""

    data: str
    since: str
    until: str
    customers: int
    purchases: int
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Parameters:
    """Everything that scoring needs.

    `window_ms` is the prediction window: the score is the probability of no touchpoint of the kind `event` within it.
    `kinds` says what touchpoints mean, as in a journey model. `unit_ms` is the time unit of `bgnbd`. `bands` are the
    thresholds of medium, high and critical.
    """

    name: str
    version: int
    description: str
    window_ms: int
    unit_ms: int
    occasion_ms: int
    kinds: tuple[Kind, ...]
    event: str
    bgnbd: BgNbd
    recalibration: Recalibration
    signals: tuple[Signal, ...]
    bands: tuple[Threshold, ...]
    provenance: Provenance
