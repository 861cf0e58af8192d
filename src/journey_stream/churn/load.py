"""Parameter files: YAML to values and back. Mistakes are told as those of a journey model are."""

from collections.abc import Callable
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import TypeVar, get_args

from journey_stream.churn.bands import BANDS, Threshold
from journey_stream.churn.bgnbd import BgNbd
from journey_stream.churn.parameters import (
    FEATURES,
    RFM_CUTS,
    Basis,
    Parameters,
    Provenance,
    Recalibration,
    Rfm,
    Signal,
    Weight,
)
from journey_stream.churn.score import Scorer
from journey_stream.churn.summary import SPENT_MAX
from journey_stream.journey.cursor import Cursor
from journey_stream.journey.declarations import read_kinds
from journey_stream.journey.errors import Mistakes, did_you_mean, quote
from journey_stream.journey.load import VERSION_MAX, read_text
from journey_stream.journey.yaml_positions import ScalarNode, read_yaml

SHIPPED = ("completejourney", "cdnow")
"""The parameters that ship with the package; the first is the default."""

SECTIONS = (
    "churn",
    "version",
    "description",
    "window",
    "time_unit",
    "occasion",
    "touchpoints",
    "event",
    "bgnbd",
    "recalibration",
    "signals",
    "bands",
    "rfm",
    "provenance",
)
OPTIONAL = frozenset({"description", "signals", "rfm"})
NONE = "none"
"""In place of a name: churn risk is not scored."""

Number = TypeVar("Number", int, float)

TINY, HUGE = 1e-9, 1e9
COUNT_MAX = 10**12


def load_parameters(path: Path | str) -> Parameters:
    """The parameters in a file. Raises ModelError with every mistake, also if the file cannot be read."""
    return parse_parameters(read_text(path, "parameter file"), str(path))


def shipped(name: str = SHIPPED[0]) -> Parameters:
    """One of SHIPPED. Raises ModelError if there is none of that name."""
    if name not in SHIPPED:
        mistakes = Mistakes("parameters")
        expected = f"one of {', '.join(SHIPPED)}"
        mistakes.add(None, "", found=quote(name), expected=expected, hint=did_you_mean(name, list(SHIPPED)))
        raise mistakes.error()
    file = files("journey_stream.churn") / "shipped" / f"{name}.yaml"
    return parse_parameters(file.read_text(encoding="utf-8"), f"{name}.yaml")


def find_parameters(name: str) -> Parameters:
    """Shipped ones by their name, or those of the file at a path. Raises ModelError."""
    is_file = name not in SHIPPED and ("/" in name or Path(name).suffix in {".yaml", ".yml"} or Path(name).is_file())
    return load_parameters(name) if is_file else shipped(name)


def find_scorer(name: str) -> Scorer | None:
    """As `find_parameters`, made ready for scoring; None for `none`."""
    return None if name == NONE else Scorer(find_parameters(name))


def parse_parameters(text: str, origin: str) -> Parameters:
    """The parameters that `text` describes; `origin` names it in messages. Raises ModelError with every mistake."""
    mistakes = Mistakes(origin)
    if not text.strip():
        mistakes.add(None, "", found="an empty file", expected="churn parameters")
        raise mistakes.error()
    root = read_yaml(text, mistakes)
    parameters = None if root is None else _read(Cursor(root, "", root.line, mistakes))
    if parameters is None or mistakes:
        raise mistakes.error()
    return parameters


def _read(root: Cursor) -> Parameters | None:
    fields = root.fields(SECTIONS, required=[name for name in SECTIONS if name not in OPTIONAL])
    if fields is None:
        return None
    name = fields["churn"].name() if "churn" in fields else None
    version = fields["version"].integer(1, VERSION_MAX) if "version" in fields else None
    description = fields["description"].text() if "description" in fields else ""
    lengths = [fields[key].duration_ms() if key in fields else None for key in ("window", "time_unit", "occasion")]
    kinds = read_kinds(fields["touchpoints"]) if "touchpoints" in fields else []
    names = [kind.id for kind in kinds]
    event = fields["event"].one_of(names, "a kind of touchpoint") if "event" in fields else None
    bgnbd = _read_bgnbd(fields["bgnbd"]) if "bgnbd" in fields else None
    recalibration = _read_recalibration(fields["recalibration"]) if "recalibration" in fields else None
    signals = _read_signals(fields["signals"], names) if "signals" in fields else ()
    bands = _read_bands(fields["bands"]) if "bands" in fields else None
    rfm = _read_rfm(fields["rfm"]) if "rfm" in fields else None
    provenance = _read_provenance(fields["provenance"]) if "provenance" in fields else None
    window_ms, unit_ms, occasion_ms = lengths
    if name is None or version is None or event is None or window_ms is None or unit_ms is None or occasion_ms is None:
        return None
    if root.mistakes or bgnbd is None or recalibration is None or bands is None or provenance is None:
        return None
    return Parameters(
        name=name,
        version=version,
        description=description or "",
        window_ms=window_ms,
        unit_ms=unit_ms,
        occasion_ms=occasion_ms,
        kinds=tuple(kinds),
        event=event,
        bgnbd=bgnbd,
        recalibration=recalibration,
        signals=signals,
        bands=bands,
        provenance=provenance,
        rfm=rfm,
    )


def _read_bgnbd(cursor: Cursor) -> BgNbd | None:
    names = ("r", "alpha", "a", "b")
    fields = cursor.fields(names, required=names) or {}
    values = [_number(fields[name], TINY, HUGE) if name in fields else None for name in names]
    good = [value for value in values if value is not None]
    return BgNbd(*good) if len(good) == len(names) else None


def _read_recalibration(cursor: Cursor) -> Recalibration | None:
    names = ("intercept", *FEATURES)
    fields = cursor.fields(names, required=names) or {}
    intercept = _number(fields["intercept"], -HUGE, HUGE) if "intercept" in fields else None
    weights: list[Weight] = []
    for name in FEATURES:
        inner = fields[name].fields(("weight", "typical"), required=("weight", "typical")) if name in fields else None
        values = (
            [_number(inner[key], -HUGE, HUGE) if key in inner else None for key in ("weight", "typical")]
            if inner
            else []
        )
        good = [value for value in values if value is not None]
        if len(good) == 2:
            weights.append(Weight(*good))
    return None if intercept is None or len(weights) < len(FEATURES) else Recalibration(intercept, tuple(weights))


def _read_signals(cursor: Cursor, kinds: list[str]) -> tuple[Signal, ...]:
    signals: list[Signal] = []
    seen: dict[str, int] = {}
    for item in cursor.items("signals", least=0) or []:
        required = ("id", "touchpoint", "weight", "half_life", "basis", "text")
        fields = item.fields(required, required=required) or {}
        if len(fields) < len(required):
            continue
        name = fields["id"].new_name(seen)
        kind = fields["touchpoint"].one_of(kinds, "a kind of touchpoint")
        weight = _number(fields["weight"], -HUGE, HUGE)
        half_life_ms = fields["half_life"].duration_ms()
        written = fields["basis"].one_of(get_args(Basis), "one of")
        basis: Basis = "fitted" if written == "fitted" else "judged"
        text = fields["text"].text(length_max=200)
        if name in FEATURES:
            fields["id"].wrong("another id", found=f"the name of a part of the score, {name!r}")
        elif None not in (name, kind, weight, half_life_ms, written, text):
            signals.append(Signal(name or "", kind or "", weight or 0.0, half_life_ms or 1, basis, text or ""))
    return tuple(signals)


def _read_bands(cursor: Cursor) -> tuple[Threshold, ...] | None:
    names = BANDS[1:]
    fields = cursor.fields(names, required=names) or {}
    bands: list[Threshold] = []
    for name in names:
        inner = fields[name].fields(("enter", "leave"), required=("enter", "leave")) if name in fields else None
        enter = _number(inner["enter"], TINY, 1.0 - TINY) if inner and "enter" in inner else None
        leave = _number(inner["leave"], TINY, 1.0 - TINY) if inner and "leave" in inner else None
        if enter is None or leave is None:
            continue
        if inner and leave > enter:
            inner["leave"].wrong(f"a probability of at most that of enter, {enter:g}")
        if inner and bands and (enter <= bands[-1].enter or leave < bands[-1].leave):
            fields[name].wrong("thresholds above those of the band before", found=f"enter {enter:g}, leave {leave:g}")
        bands.append(Threshold(enter, leave))
    return tuple(bands) if len(bands) == len(names) else None


def _read_rfm(cursor: Cursor) -> Rfm | None:
    fields = cursor.fields(("recency", "frequency", "monetary"), required=("recency", "frequency")) or {}
    recency = _read_cuts(fields["recency"], Cursor.duration_ms) if "recency" in fields else None
    frequency = (
        _read_cuts(fields["frequency"], lambda one: one.integer(1, COUNT_MAX)) if "frequency" in fields else None
    )
    monetary = (
        _read_cuts(fields["monetary"], lambda one: _number(one, 0.0, SPENT_MAX)) if "monetary" in fields else None
    )
    return None if recency is None or frequency is None else Rfm(recency, frequency, monetary)


def _read_cuts(cursor: Cursor, read: Callable[[Cursor], Number | None]) -> tuple[Number, ...] | None:
    """The cut points of one score, none smaller than the one before it."""
    items = cursor.items("cut points", least=RFM_CUTS)
    if items is None:
        return None
    if len(items) > RFM_CUTS:
        cursor.wrong(f"{RFM_CUTS} cut points", found=f"{len(items)} cut points")
        return None
    cuts: list[Number] = []
    for item in items:
        cut = read(item)
        if cut is not None and cuts and cut < cuts[-1]:
            item.wrong("no less than the cut point before it")
        if cut is not None:
            cuts.append(cut)
    return tuple(cuts) if len(cuts) == RFM_CUTS else None


def _read_provenance(cursor: Cursor) -> Provenance | None:
    required = ("data", "since", "until", "customers", "purchases")
    fields = cursor.fields((*required, "notes"), required=required) or {}
    if any(name not in fields for name in required):
        return None
    data = fields["data"].text()
    since, until = _day(fields["since"]), _day(fields["until"])
    customers = fields["customers"].integer(0, COUNT_MAX)
    purchases = fields["purchases"].integer(0, COUNT_MAX)
    notes = fields["notes"].text() if "notes" in fields else ""
    if data is None or since is None or until is None or customers is None or purchases is None:
        return None
    return Provenance(data, since, until, customers, purchases, notes or "")


def _number(cursor: Cursor, least: float, most: float) -> float | None:
    value = cursor.node.value if isinstance(cursor.node, ScalarNode) else None
    if isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most:
        return float(value)
    cursor.wrong(f"a number from {least:g} to {most:g}")
    return None


def _day(cursor: Cursor) -> str | None:
    written = cursor.node.written if isinstance(cursor.node, ScalarNode) else ""
    try:
        return date.fromisoformat(written).isoformat()
    except ValueError:
        cursor.wrong("a date such as 2017-09-01")
        return None
