"""A journey model compiled for the fold.

What a touchpoint can do depends on its channel and type alone, but for conditions on its fields. So the plan works out
once per (channel, type) which memories it feeds and which rules it may fire, and the fold looks that up.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from journey_stream.churn.score import Scorer
from journey_stream.engine.concern import Concern, concern_of
from journey_stream.engine.predicates import Holds, any_of, both, fact_of, holds_all
from journey_stream.engine.touches import Fact, Touch
from journey_stream.events.log import TouchpointRecord
from journey_stream.journey.model import ANY, Atom, Model, Pattern, Rule, Where

_REACTIONS_MAX = 10_000
_STATIC = frozenset({"channel", "type"})

Memory = dict[int, list[Any]]
"""Slot to the last matches, flat: [at, id, at, id, …], oldest first."""


class Slot(NamedTuple):
    """A memory that a touchpoint feeds: `keep` is the length of its flat list."""

    number: int
    keep: int
    holds: Holds | None


class Need(NamedTuple):
    """One atom of a clause: at least `items / 2` matches in a slot, the oldest at most `within_ms` ago."""

    slot: int
    items: int
    within_ms: int | None


class Clause(NamedTuple):
    """All of `needs`; or, when there are none, this touchpoint itself if `holds`."""

    needs: tuple[Need, ...]
    holds: Holds | None


class Candidate(NamedTuple):
    """A rule that a touchpoint of some channel and type may fire."""

    rule: int
    to: int
    after: frozenset[int] | None
    clauses: tuple[Clause, ...]


class Reaction:
    """All that a touchpoint of one channel and type can do; `concern` is None if churn risk does not read it."""

    __slots__ = ("_candidates", "_moves", "concern", "fields", "moves_from", "slots")

    def __init__(
        self,
        fields: tuple[str, ...],
        slots: tuple[Slot, ...],
        candidates: tuple[Candidate, ...],
        moves: Callable[[int, int, int], bool],
        concern: Concern | None,
    ) -> None:
        self.fields = fields
        self.slots = slots
        self._candidates = candidates
        self._moves = moves
        self.concern = concern
        self.moves_from: dict[tuple[int, int], tuple[Candidate, ...]] = {}

    def project(self, record: TouchpointRecord) -> Touch:
        """Keep of a touchpoint what the rules for its channel and type read."""
        facts: dict[str, Fact] | None = None
        if self.fields:
            found = [(field, fact_of(record, field)) for field in self.fields]
            facts = {field: fact for field, (present, fact) in found if present} or None
        return Touch(record.occurred_at, record.event_id, record.channel, record.type, facts)

    def candidates(self, stage: int, peak: int) -> tuple[Candidate, ...]:
        """The rules, in priority order, that may move a customer from `stage` who has been as far as `peak`."""
        found = tuple(
            c
            for c in self._candidates
            if c.to != stage and (c.after is None or stage in c.after) and self._moves(stage, c.to, peak)
        )
        self.moves_from[stage, peak] = found
        return found


class Silence(NamedTuple):
    """An inactivity rule as seen from one stage; `slot` remembers the last touchpoint that breaks the silence."""

    code: int
    slot: int
    nothing_for_ms: int
    to: int


class Plan:
    """The compiled model and, if churn risk is scored, its parameters. Immutable but for its look-up tables."""

    def __init__(self, model: Model, scorer: Scorer | None = None) -> None:
        self.model = model
        self.scorer = scorer
        self._kinds = {kind.id: kind for kind in model.kinds}
        self._keep = _remembered(model)
        self._slots = {key: index for index, key in enumerate(self._keep)}
        self._reactions: dict[tuple[str, str], Reaction] = {}
        self.settle_ms = tuple(stage.settle_ms for stage in model.stages)
        self.settles = any(self.settle_ms)
        # Index -1, a customer without a stage, is the last entry: nothing is silent before the first touchpoint.
        self.silences: tuple[tuple[Silence, ...], ...] = (
            *(self._silences_in(stage) for stage in range(len(model.stages))),
            (),
        )

    def reaction(self, channel: str, kind: str) -> Reaction:
        """What a touchpoint of this channel and type can do."""
        found = self._reactions.get((channel, kind))
        if found is None:
            if len(self._reactions) >= _REACTIONS_MAX:
                self._reactions.clear()  # a producer that makes up types must not fill the memory
            found = self._reactions[channel, kind] = self._compile(channel, kind)
        return found

    def may_move(self, before: int, after: int, peak: int, by_inactivity: bool) -> bool:
        """The model's policy of moves; -1 stands for no stage."""
        return self.model.moves.allows(
            None if before < 0 else before,
            after,
            None if peak < 0 else peak,
            by_inactivity,
        )

    def _compile(self, channel: str, type_: str) -> Reaction:
        matches: dict[tuple[str, tuple[Where, ...]], Holds | None] = {}
        fields: set[str] = set()
        for kind, where in self._all_matchers():
            patterns = self._patterns(kind, channel, type_)
            if patterns:
                fields.update(w.field for p in patterns for w in (*p.where, *where) if w.field not in _STATIC)
                matches[kind, where] = both(any_of([holds_all(p.where) for p in patterns]), holds_all(where))
        slots = tuple(Slot(self._slots[key], keep, matches[key]) for key, keep in self._keep.items() if key in matches)
        candidates = tuple(
            Candidate(index, rule.to, rule.after, clauses)
            for index, rule in enumerate(self.model.rules)
            if (clauses := self._clauses(rule, matches))
        )
        concern = None if self.scorer is None else concern_of(self.scorer, channel, type_)
        if concern is not None:
            fields |= concern.fields
        return Reaction(tuple(sorted(fields)), slots, candidates, self._may_move_by_rule, concern)

    def _may_move_by_rule(self, before: int, after: int, peak: int) -> bool:
        return self.may_move(before, after, peak, by_inactivity=False)

    def _clauses(self, rule: Rule, matches: dict[tuple[str, tuple[Where, ...]], Holds | None]) -> tuple[Clause, ...]:
        found = []
        for atoms in rule.clauses:
            if not any((atom.kind, atom.where) in matches for atom in atoms):
                continue
            if _is_plain(atoms):
                found.append(Clause((), matches[atoms[0].kind, atoms[0].where]))
            else:
                needs = (Need(self._slots[a.kind, a.where], 2 * a.count, a.within_ms) for a in atoms)
                found.append(Clause(tuple(needs), None))
        return tuple(found)

    def _all_matchers(self) -> set[tuple[str, tuple[Where, ...]]]:
        atoms = {(a.kind, a.where) for rule in self.model.rules for clause in rule.clauses for a in clause}
        return atoms | {(rule.kind, rule.where) for rule in self.model.inactivity}

    def _patterns(self, kind: str, channel: str, type_: str) -> tuple[Pattern, ...]:
        """The patterns by which a touchpoint of this channel and type may be of this kind."""
        if kind == ANY:
            return (Pattern(None, None),)
        return self._kinds[kind].patterns_for(channel, type_)

    def _silences_in(self, stage: int) -> tuple[Silence, ...]:
        return tuple(
            Silence(-1 - index, self._slots[rule.kind, rule.where], rule.nothing_for_ms, rule.to)
            for index, rule in enumerate(self.model.inactivity)
            if stage in rule.stages and rule.to != stage
        )


def _is_plain(atoms: tuple[Atom, ...]) -> bool:
    """Whether the touchpoint alone decides, so that nothing has to be remembered."""
    return len(atoms) == 1 and atoms[0].count == 1


def _remembered(model: Model) -> dict[tuple[str, tuple[Where, ...]], int]:
    """What the fold must remember, and how long its flat list may grow."""
    keep: dict[tuple[str, tuple[Where, ...]], int] = {}
    for rule in model.rules:
        for atoms in rule.clauses:
            for atom in () if _is_plain(atoms) else atoms:
                key = (atom.kind, atom.where)
                keep[key] = max(keep.get(key, 2), 2 * atom.count)
    for silence in model.inactivity:
        keep.setdefault((silence.kind, silence.where), 2)
    return keep
