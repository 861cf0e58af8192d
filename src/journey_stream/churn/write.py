"""Parameters as the text of a parameter file; `load.parse_parameters` reads equal ones from it."""

import json
from typing import Any

import yaml

from journey_stream.churn.bands import BANDS
from journey_stream.churn.parameters import FEATURES, Parameters, Rfm
from journey_stream.journey.durations import format_duration
from journey_stream.journey.model import Kind, Model, Stage

HEADER = "# Written by `journey-stream churn fit`. Weights are log-odds; docs/churn.md explains every field.\n"


def write_parameters(parameters: Parameters) -> str:
    """The file's text."""
    document = to_document(parameters)
    return HEADER + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)


def to_document(parameters: Parameters) -> dict[str, Any]:
    """The parameters as plain values, in the order of the file."""
    one = parameters
    return {
        "churn": one.name,
        "version": one.version,
        **({"description": one.description} if one.description else {}),
        "window": format_duration(one.window_ms),
        "time_unit": format_duration(one.unit_ms),
        "occasion": format_duration(one.occasion_ms),
        "touchpoints": _kinds(one.kinds),
        "event": one.event,
        "bgnbd": one.bgnbd._asdict(),
        "recalibration": {
            "intercept": one.recalibration.intercept,
            **{
                name: {"weight": part.weight, "typical": part.typical}
                for name, part in zip(FEATURES, one.recalibration.weights, strict=True)
            },
        },
        "signals": [
            {
                "id": signal.id,
                "touchpoint": signal.kind,
                "weight": signal.weight,
                "half_life": format_duration(signal.half_life_ms),
                "basis": signal.basis,
                "text": signal.text,
            }
            for signal in one.signals
        ],
        "bands": {
            name: {"enter": band.enter, "leave": band.leave} for name, band in zip(BANDS[1:], one.bands, strict=True)
        },
        **({} if one.rfm is None else {"rfm": _rfm(one.rfm)}),
        "provenance": {
            "data": one.provenance.data,
            "since": one.provenance.since,
            "until": one.provenance.until,
            "customers": one.provenance.customers,
            "purchases": one.provenance.purchases,
            **({"notes": one.provenance.notes} if one.provenance.notes else {}),
        },
    }


def _rfm(rfm: Rfm) -> dict[str, Any]:
    cuts: dict[str, Any] = {
        "recency": [format_duration(cut) for cut in rfm.recency],
        "frequency": list(rfm.frequency),
    }
    return cuts if rfm.monetary is None else {**cuts, "monetary": list(rfm.monetary)}


def _kinds(kinds: tuple[Kind, ...]) -> dict[str, Any]:
    """As a journey model writes them; through JSON, because YAML would write a repeated list as an alias."""
    document = Model("churn", 1, "", (Stage("any", ""),), kinds, ()).to_document()["touchpoints"]
    copied: dict[str, Any] = json.loads(json.dumps(document))
    return copied
