"""The section `segments:` of a model file."""

from collections.abc import Sequence

from journey_stream.journey.conditions import AllOf, Clauses, read_clauses, read_where
from journey_stream.journey.cursor import Cursor, listed
from journey_stream.journey.rules import Names
from journey_stream.journey.segments import (
    BANDS,
    ELAPSED_FIELDS,
    RFM_MAX,
    RFM_MIN,
    Condition,
    Counted,
    Elapsed,
    InBand,
    InStage,
    Returned,
    Score,
    Scored,
    Segment,
    Unfollowed,
)
from journey_stream.journey.where import Where

COUNT_MAX = 1_000_000
SCORES: tuple[Score, ...] = ("recency", "frequency", "monetary")
_LEAVES = ("touchpoint", "stage", "risk", "rfm")
_PAIRS = (("not_followed_by", "for"), ("back_after", "back_within"))
_TOUCHPOINT_FIELDS = (
    "touchpoint",
    "where",
    "at_least",
    "at_most",
    *ELAPSED_FIELDS.values(),
    *(name for pair in _PAIRS for name in pair),
)

_Read = Condition | AllOf[Condition] | None


def read_segments(cursor: Cursor, names: Names) -> list[Segment]:
    """The segments in their order; those with mistakes are left out."""
    seen: dict[str, int] = {}
    segments: list[Segment] = []
    for item in cursor.items("segments", least=0) or []:
        fields = item.fields(("id", "meaning", "when"), required=("id", "meaning", "when")) or {}
        name = fields["id"].new_name(seen) if "id" in fields else None
        meaning = fields["meaning"].text() if "meaning" in fields else None
        clauses = _read_when(fields["when"], names) if "when" in fields else None
        if name is not None and meaning is not None and clauses is not None:
            segments.append(Segment(name, meaning, clauses))
    return segments


def _read_when(cursor: Cursor, names: Names) -> Clauses[Condition] | None:
    return read_clauses(cursor, lambda leaf: _read_leaf(leaf, names), "split it into several segments")


def _read_leaf(cursor: Cursor, names: Names) -> _Read:
    if not cursor.is_mapping():
        kind = cursor.one_of(names.kinds, "a kind of touchpoint")
        return None if kind is None else Counted(kind, (), 1)
    written = dict(cursor.named())
    leaf = next((name for name in _LEAVES if name in written), None)
    if leaf == "touchpoint":
        return _read_touchpoint(cursor, names.kinds)
    if leaf is None:
        if cursor.is_empty():
            cursor.wrong(f"one of {listed(_LEAVES)}", found="an empty mapping")
        elif set(written) <= set(_TOUCHPOINT_FIELDS):
            cursor.wrong("a field `touchpoint` beside it", found=f"{listed(list(written))} alone")
        else:
            cursor.fields((*_LEAVES, "all", "any"))
        return None
    fields = cursor.fields((leaf,))
    if fields is None or len(written) > 1:
        return None
    if leaf == "stage":
        return _read_stages(fields[leaf], names)
    return _read_bands(fields[leaf]) if leaf == "risk" else _read_scores(fields[leaf])


def _read_touchpoint(cursor: Cursor, kinds: Sequence[str]) -> _Read:
    fields = cursor.fields(_TOUCHPOINT_FIELDS)
    if fields is None or "touchpoint" not in fields:
        return None
    known = len(cursor.mistakes)
    kind = fields["touchpoint"].one_of(kinds, "a kind of touchpoint")
    where = read_where(fields["where"]) if "where" in fields else ()
    for one, other in (*_PAIRS, *((b, a) for a, b in _PAIRS)):
        if one in fields and other not in fields:
            fields[one].wrong(f"the field `{other}` beside it", found=f"`{one}` alone")
    if kind is None or where is None:
        return None
    parts = _read_counts(fields, kind, where)
    if all(name in fields for name in _PAIRS[0]):
        by, for_ms = fields["not_followed_by"].one_of(kinds, "a kind of touchpoint"), fields["for"].duration_ms()
        parts += [Unfollowed(kind, where, by, for_ms)] if by and for_ms else []
    if all(name in fields for name in _PAIRS[1]):
        pause_ms, within_ms = fields["back_after"].duration_ms(), fields["back_within"].duration_ms()
        parts += [Returned(kind, where, pause_ms, within_ms)] if pause_ms and within_ms else []
    parts += _read_elapsed(fields, kind, where)
    if len(cursor.mistakes) > known:
        return None
    return AllOf(tuple(parts)) if parts else Counted(kind, where, 1)


def _read_counts(fields: dict[str, Cursor], kind: str, where: tuple[Where, ...]) -> list[Condition]:
    least = fields["at_least"].integer(1, COUNT_MAX) if "at_least" in fields else None
    most = fields["at_most"].integer(0, COUNT_MAX) if "at_most" in fields else None
    if least is not None and most is not None and most < least:
        fields["at_most"].wrong(f"at least {least}, as at_least says")
    found: list[Condition] = [] if least is None else [Counted(kind, where, least)]
    return found if most is None else [*found, Counted(kind, where, most + 1, negated=True)]


def _read_elapsed(fields: dict[str, Cursor], kind: str, where: tuple[Where, ...]) -> list[Condition]:
    lengths = {key: fields[name].duration_ms() for key, name in ELAPSED_FIELDS.items() if name in fields}
    for mark in ("first", "last"):
        below, least = lengths.get((mark, False)), lengths.get((mark, True))
        if below is not None and least is not None and least >= below:
            name, other = ELAPSED_FIELDS[mark, True], ELAPSED_FIELDS[mark, False]
            fields[name].wrong(f"a shorter time than {other}, or nobody is ever in between")
    return [
        Elapsed(kind, where, mark, length_ms, negated)
        for (mark, negated), length_ms in lengths.items()
        if length_ms is not None
    ]


def _read_stages(cursor: Cursor, names: Names) -> _Read:
    indices = _read_names(cursor, names.stages, "a stage", "stages")
    return None if indices is None else InStage(indices)


def _read_bands(cursor: Cursor) -> _Read:
    indices = _read_names(cursor, BANDS, "a band of churn risk", "bands")
    return None if indices is None else InBand(indices)


def _read_names(cursor: Cursor, known: Sequence[str], what: str, plural: str) -> frozenset[int] | None:
    """One name or a list of them, each once, as indices of `known`."""
    indices: set[int] = set()
    items = cursor.one_or_more(plural) or []
    for item in items:
        name = item.one_of(known, what)
        if name is None:
            continue
        if known.index(name) in indices:
            item.wrong("each name once")
        indices.add(known.index(name))
    return frozenset(indices) if indices and len(indices) == len(items) else None


def _read_scores(cursor: Cursor) -> _Read:
    fields = cursor.fields(SCORES)
    if fields is None:
        return None
    if cursor.is_empty():
        cursor.wrong(f"at least one of {listed(SCORES)}", found="an empty mapping")
        return None
    known = len(cursor.mistakes)
    found = [_read_score(name, fields[name]) for name in SCORES if name in fields]
    parts = tuple(part for part in found if part is not None)
    return AllOf(parts) if parts and len(cursor.mistakes) == known else None


def _read_score(score: Score, cursor: Cursor) -> Condition | None:
    """`5`, or `{gte: 2, lte: 4}`."""
    if not cursor.is_mapping():
        only = cursor.integer(RFM_MIN, RFM_MAX)
        return None if only is None else Scored(score, only, only)
    fields = cursor.fields(("gte", "lte"))
    if cursor.is_empty():
        cursor.wrong("gte, lte or both", found="an empty mapping")
    low = fields["gte"].integer(RFM_MIN, RFM_MAX) if fields and "gte" in fields else RFM_MIN
    high = fields["lte"].integer(RFM_MIN, RFM_MAX) if fields and "lte" in fields else RFM_MAX
    if low is None or high is None:
        return None
    if fields and high < low:
        fields["lte"].wrong(f"at least {low}, as gte says")
    return Scored(score, low, high)
