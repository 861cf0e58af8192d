"""The parameters of churn risk as frozen values: what a parameter file says.

Every length of time is in milliseconds, every weight in log-odds.
"""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from journey_stream.churn.bands import Threshold
from journey_stream.churn.bgnbd import BgNbd
from journey_stream.journey.model import Kind, Pattern

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


RFM_CUTS: Final = 4
"""The cut points between five scores."""


@dataclass(frozen=True, slots=True)
class Rfm:
    """Cut points of RFM scores, four of each, none smaller than the one before it.

    `recency` is the time since the last purchase in ms, `frequency` counts purchase occasions, `monetary` is what has
    been spent in all; None if the data holds no money.
    """

    recency: tuple[int, ...]
    frequency: tuple[int, ...]
    monetary: tuple[float, ...] | None


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
    thresholds of medium, high and critical. Without `rfm` nobody has RFM scores.
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
    rfm: Rfm | None = None
    fingerprint: str = field(init=False)
    """Tells apart what scores differently; texts, descriptions and where the numbers come from may change freely."""

    def __post_init__(self) -> None:
        canonical = json.dumps(_behaviour(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        object.__setattr__(self, "fingerprint", digest)


def _behaviour(parameters: Parameters) -> dict[str, Any]:
    return {
        "name": parameters.name,
        "version": parameters.version,
        "lengths_ms": [parameters.window_ms, parameters.unit_ms, parameters.occasion_ms],
        "kinds": {kind.id: [_pattern(one) for one in kind.patterns] for kind in parameters.kinds},
        "event": parameters.event,
        "bgnbd": parameters.bgnbd,
        "recalibration": [
            parameters.recalibration.intercept,
            [[one.weight, one.typical] for one in parameters.recalibration.weights],
        ],
        "signals": [[one.id, one.kind, one.weight, one.half_life_ms] for one in parameters.signals],
        "bands": parameters.bands,
        # Without it they are known by what they were known by before there was RFM.
        **(
            {}
            if parameters.rfm is None
            else {"rfm": [parameters.rfm.recency, parameters.rfm.frequency, parameters.rfm.monetary]}
        ),
    }


def _pattern(pattern: Pattern) -> list[Any]:
    return [
        None if pattern.channels is None else sorted(pattern.channels),
        None if pattern.types is None else sorted(pattern.types),
        [[where.field, where.op, where.value] for where in pattern.where],
    ]
