"""The parts of a model file that move customers: rules and inactivity."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from journey_stream.journey.conditions import read_when, read_where
from journey_stream.journey.cursor import Cursor
from journey_stream.journey.model import ANY, Inactivity, Moves, Rule
from journey_stream.journey.reachability import can_ever_move
from journey_stream.journey.words import say_inactivity, say_rule


@dataclass(frozen=True, slots=True)
class Names:
    """What rules may refer to. `moves` is None when the policy itself is a mistake: then no move is judged.

    `rule_lines` are the ids of rules and inactivity so far, each with its line. They share one space of names, because
    a reason names its rule by the id alone.
    """

    stages: Sequence[str]
    kinds: Sequence[str]
    moves: Moves | None
    rule_lines: dict[str, int] = field(default_factory=dict)


def read_rules(cursor: Cursor, names: Names) -> list[Rule]:
    rules = [_read_rule(item, names) for item in cursor.items("rules") or []]
    return [rule for rule in rules if rule is not None]


def read_inactivity(cursor: Cursor, names: Names) -> list[Inactivity]:
    silences = [_read_silence(item, names) for item in cursor.items("inactivity rules", least=0) or []]
    return [silence for silence in silences if silence is not None]


def _read_rule(cursor: Cursor, names: Names) -> Rule | None:
    fields = cursor.fields(("id", "to", "after", "when", "text"), required=("id", "to", "when")) or {}
    rule_id = fields["id"].new_name(names.rule_lines) if "id" in fields else None
    to = _read_stage(fields["to"], names) if "to" in fields else None
    after = _read_sources(fields["after"], names, to, by_inactivity=False) if "after" in fields else None
    clauses = read_when(fields["when"], names.kinds) if "when" in fields else None
    text = fields["text"].text() if "text" in fields else ""
    if rule_id is None or to is None or clauses is None or text is None:
        return None
    rule = Rule(rule_id, to, after, clauses, text)
    return rule if text else Rule(rule_id, to, after, clauses, say_rule(rule))


def _read_silence(cursor: Cursor, names: Names) -> Inactivity | None:
    known = ("id", "in", "nothing_for", "of", "where", "to", "text")
    fields = cursor.fields(known, required=("id", "in", "nothing_for", "to")) or {}
    rule_id = fields["id"].new_name(names.rule_lines) if "id" in fields else None
    to = _read_stage(fields["to"], names) if "to" in fields else None
    stages = _read_sources(fields["in"], names, to, by_inactivity=True) if "in" in fields else None
    nothing_for_ms = fields["nothing_for"].duration_ms() if "nothing_for" in fields else None
    kind = fields["of"].one_of(names.kinds, "a kind of touchpoint") if "of" in fields else ANY
    where = read_where(fields["where"]) if "where" in fields else ()
    text = fields["text"].text() if "text" in fields else ""
    if not (rule_id and stages and nothing_for_ms and kind) or to is None or where is None or text is None:
        return None
    silence = Inactivity(rule_id, stages, kind, where, nothing_for_ms, to, text)
    return silence if text else Inactivity(rule_id, stages, kind, where, nothing_for_ms, to, say_inactivity(silence))


def _read_stage(cursor: Cursor, names: Names) -> int | None:
    stage = cursor.one_of(names.stages, "a stage")
    return None if stage is None else names.stages.index(stage)


def _read_sources(cursor: Cursor, names: Names, to: int | None, *, by_inactivity: bool) -> frozenset[int]:
    """The stages that customers come from. One from which the moves never let them go is a mistake."""
    sources: set[int] = set()
    for item in cursor.one_or_more("stages") or []:
        source = _read_stage(item, names)
        if source is None:
            continue
        if source in sources:
            item.wrong("each stage once")
        elif to is not None and names.moves is not None:
            _judge_move(item, names, names.moves, source, to, by_inactivity=by_inactivity)
        sources.add(source)
    return frozenset(sources)


def _judge_move(cursor: Cursor, names: Names, moves: Moves, source: int, to: int, *, by_inactivity: bool) -> None:
    if can_ever_move(moves, source, to, len(names.stages), by_inactivity=by_inactivity):
        return
    route = f"{names.stages[source]!r} to {names.stages[to]!r}"
    if source == to:
        cursor.wrong("another stage than the one it leads to", found=f"a move from {route}")
    elif to < source:
        cursor.wrong(
            "a move that `moves` can allow", found=f"a move back from {route}", hint=f"moves.back is {moves.back!r}"
        )
    else:
        hint = f"moves.forward is {moves.forward!r} and moves.win_back is {moves.win_back!r}"
        cursor.wrong("a move that `moves` can allow", found=f"a move forward from {route}", hint=hint)
