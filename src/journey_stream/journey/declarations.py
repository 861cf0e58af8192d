"""The parts of a model file that rules refer to: stages, kinds of touchpoints, moves."""

from collections.abc import Sequence
from typing import TypeVar, get_args

from journey_stream.journey.conditions import read_where
from journey_stream.journey.cursor import A_NAME, NAME, Cursor
from journey_stream.journey.errors import quote
from journey_stream.journey.model import ANY, Back, Forward, Kind, Moves, Pattern, Stage, WinBack

LABEL_LENGTH_MAX = 64
"""As long as the contract of a touchpoint lets a channel or a type be."""

_Choice = TypeVar("_Choice", bound=str)


def read_stages(cursor: Cursor) -> list[tuple[Cursor, Stage]]:
    """Every stage that has an id, with its place, even if something else of it is wrong: rules may name it."""
    stages: list[tuple[Cursor, Stage]] = []
    seen: dict[str, int] = {}
    for item in cursor.items("stages") or []:
        fields = item.fields(("id", "meaning", "settle"), required=("id", "meaning")) or {}
        stage_id = fields["id"].new_name(seen) if "id" in fields else None
        meaning = fields["meaning"].text() if "meaning" in fields else None
        settle_ms = fields["settle"].duration_ms(least_ms=0) if "settle" in fields else 0
        if stage_id is not None:
            stages.append((fields["id"], Stage(stage_id, meaning or "", settle_ms or 0)))
    return stages


def read_kinds(cursor: Cursor) -> list[Kind]:
    """Every kind that has a name, even if its patterns are wrong: rules may use it."""
    named = list(cursor.named())
    if not named:
        cursor.wrong("a mapping from each kind of touchpoint to its meaning and match")
    kinds: list[Kind] = []
    for name, inner in named:
        if name == ANY:
            inner.wrong("another name", found=f"the name {ANY!r}", hint="every touchpoint has this kind already")
        elif not NAME.fullmatch(name):
            inner.wrong(A_NAME, found=f"the name {quote(name)}")
        else:
            kinds.append(_read_kind(name, inner))
    return kinds


def read_moves(cursor: Cursor) -> Moves | None:
    """The policy, with the defaults for what is not said; None after a mistake."""
    fields = cursor.fields(("forward", "back", "win_back"))
    if fields is None:
        return None
    policy = Moves()
    forward: Forward | None = _choice(fields.get("forward"), get_args(Forward), policy.forward)
    back: Back | None = _choice(fields.get("back"), get_args(Back), policy.back)
    win_back: WinBack | None = _choice(fields.get("win_back"), get_args(WinBack), policy.win_back)
    if forward is None or back is None or win_back is None:
        return None
    return Moves(forward, back, win_back)


def _read_kind(name: str, cursor: Cursor) -> Kind:
    fields = cursor.fields(("meaning", "match"), required=("meaning", "match")) or {}
    meaning = fields["meaning"].text() if "meaning" in fields else None
    items = fields["match"].items("patterns") if "match" in fields else None
    patterns = [_read_pattern(item) for item in items or []]
    return Kind(name, meaning or "", tuple(pattern for pattern in patterns if pattern is not None))


def _read_pattern(cursor: Cursor) -> Pattern | None:
    fields = cursor.fields(("channel", "type", "where"))
    if fields is None:
        return None
    if cursor.is_empty():
        cursor.wrong("channel, type or where", found="a pattern that every touchpoint matches")
        return None
    channels = _read_labels(fields["channel"]) if "channel" in fields else None
    types = _read_labels(fields["type"]) if "type" in fields else None
    where = read_where(fields["where"]) if "where" in fields else ()
    return Pattern(channels, types, where or ())


def _read_labels(cursor: Cursor) -> frozenset[str]:
    """One channel or type, or a list of them."""
    labels: set[str] = set()
    for item in cursor.one_or_more("names") or []:
        label = item.text(length_max=LABEL_LENGTH_MAX)
        if label in labels:
            item.wrong("each name once")
        elif label is not None:
            labels.add(label)
    return frozenset(labels)


def _choice(cursor: Cursor | None, choices: Sequence[_Choice], otherwise: _Choice) -> _Choice | None:
    if cursor is None:
        return otherwise
    written = cursor.one_of(choices, "one of")
    return next((choice for choice in choices if choice == written), None)
