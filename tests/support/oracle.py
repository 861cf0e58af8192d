"""What the history must be, computed the slow and obvious way: all touchpoints at once, nothing incremental.

It shares the model's data with the engine and nothing else: no plan, no memories, no timeline.
"""

import operator
from collections.abc import Iterable
from typing import Any, NamedTuple

from journey_stream.events.log import TouchpointRecord
from journey_stream.journey.model import Inactivity, Kind, Model
from journey_stream.journey.where import Where

_COMPARE: dict[str, Any] = {
    name: getattr(operator, name.replace("gte", "ge").replace("lte", "le"))
    for name in ("eq", "ne", "gte", "gt", "lte", "lt")
}


class Entry(NamedTuple):
    """One change of the true history."""

    at: int
    before: str | None
    after: str
    rule: str
    evidence: tuple[str, ...]


def true_history(model: Model, records: Iterable[TouchpointRecord], as_of: int) -> list[Entry]:
    """The history of one profile whose admissible touchpoints are `records`, decided up to `as_of` (ms)."""
    return _Walk(model).through(sorted({r.event_id: r for r in records}.values(), key=_order), as_of)


def _order(record: TouchpointRecord) -> tuple[int, str]:
    return record.occurred_at, record.event_id


class _Walk:
    def __init__(self, model: Model) -> None:
        self.model = model
        self.stage: int | None = None
        self.peak: int | None = None
        self.entered_at = 0
        self.seen: list[TouchpointRecord] = []
        self.history: list[Entry] = []

    def through(self, records: list[TouchpointRecord], as_of: int) -> list[Entry]:
        for record in records:
            while (move := self._silence()) is not None and move[0] < record.occurred_at:
                self._enter(*move)
            self.seen.append(record)
            self._fire(record)
        while (move := self._silence()) is not None and move[0] <= as_of:
            self._enter(*move)
        return self.history

    def _fire(self, record: TouchpointRecord) -> None:
        for rule in self.model.rules:
            if rule.to == self.stage or (rule.after is not None and self.stage not in rule.after):
                continue
            if not self.model.moves.allows(self.stage, rule.to, self.peak, by_inactivity=False):
                continue
            for clause in rule.clauses:
                evidence: set[tuple[int, str]] = set()
                for atom in clause:
                    recent = [r for r in self.seen if self._is(r, atom.kind, atom.where)][-atom.count :]
                    in_window = [
                        r
                        for r in recent
                        if atom.within_ms is None or r.occurred_at >= record.occurred_at - atom.within_ms
                    ]
                    if len(in_window) < atom.count:
                        break
                    evidence.update(_order(r) for r in recent)
                else:
                    if _order(record) in evidence:
                        ids = tuple(event_id for _, event_id in sorted(evidence))
                        self._enter(record.occurred_at, rule.to, rule.id, ids)
                        return

    def _silence(self) -> tuple[int, int, str, tuple[str, ...]] | None:
        if self.stage is None:
            return None
        due = [self._due(rule) for rule in self.model.inactivity if self.stage in rule.stages and rule.to != self.stage]
        allowed = [move for move in due if self.model.moves.allows(self.stage, move[1], self.peak, by_inactivity=True)]
        return min(allowed, key=lambda move: move[0], default=None)

    def _due(self, rule: Inactivity) -> tuple[int, int, str, tuple[str, ...]]:
        breaking = [r for r in self.seen if self._is(r, rule.kind, rule.where)]
        since = max([self.entered_at, *(r.occurred_at for r in breaking[-1:])])
        reset = tuple(r.event_id for r in breaking[-1:] if r.occurred_at == since)
        return since + rule.nothing_for_ms, rule.to, rule.id, reset

    def _enter(self, at: int, to: int, rule: str, evidence: tuple[str, ...]) -> None:
        stages = self.model.stages
        before = None if self.stage is None else stages[self.stage].id
        self.history.append(Entry(at, before, stages[to].id, rule, evidence))
        self.stage, self.entered_at = to, at
        self.peak = to if self.peak is None else max(self.peak, to)

    def _is(self, record: TouchpointRecord, kind: str, where: tuple[Where, ...]) -> bool:
        if not all(meets(w, record) for w in where):
            return False
        return kind == "any" or is_of_kind(self.model.kinds, kind, record)


def is_of_kind(kinds: Iterable[Kind], kind: str, record: TouchpointRecord) -> bool:
    """Whether a touchpoint means this."""
    return any(
        (p.channels is None or record.channel in p.channels)
        and (p.types is None or record.type in p.types)
        and all(meets(w, record) for w in p.where)
        for k in kinds
        if k.id == kind
        for p in k.patterns
    )


def meets(where: Where, record: TouchpointRecord) -> bool:
    """Whether a touchpoint meets a condition on one of its fields."""
    found: Any = record
    for part in where.field.split("."):
        found = found.get(part) if isinstance(found, dict) else getattr(found, part, None)
    if where.op == "exists":
        return (found is not None) == where.value
    if where.op == "in":
        return found in where.value  # type: ignore[operator]
    return found is not None and bool(_COMPARE[where.op](found, where.value))
