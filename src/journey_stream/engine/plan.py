"""A journey model compiled for the fold.

What a touchpoint can do depends on its channel and type alone, but for conditions on its fields. So the plan works out
once per (channel, type) which memories it feeds and which rules it may fire, and the fold looks that up.
"""

from collections.abc import Callable

from journey_stream.churn.score import Scorer
from journey_stream.engine.concern import Concern, concern_of
from journey_stream.engine.predicates import Holds, any_of, both, holds_all, left_open, may_match, may_meet
from journey_stream.engine.segments import Segmenter, lasts_of, tallies_of
from journey_stream.engine.standing import Memory
from journey_stream.engine.tallies import BACK, Tally
from journey_stream.journey.model import ANY, Atom, Model, Pattern, Rule
from journey_stream.journey.where import Where

_REACTIONS_MAX = 10_000

Conditions = tuple[Where, ...]
Matches = dict[tuple[str, Conditions], Holds | None]

Slot = tuple[int, int, Holds | None]
"""A memory that a touchpoint feeds: its number, the length of its flat list, and on what condition."""

Need = tuple[int, int, int | None]
"""One atom of a clause, (slot, items, within_ms): `items / 2` matches in the slot, the oldest that recent."""

Clause = tuple[tuple[Need, ...], Holds | None]
"""All of these needs; or, when there are none, this touchpoint itself if the condition holds."""


class Candidate:
    """A rule that a touchpoint of some channel and type may fire."""

    __slots__ = ("after", "clauses", "rule", "to")

    def __init__(self, rule: int, to: int, after: frozenset[int] | None, clauses: tuple[Clause, ...]) -> None:
        self.rule = rule
        self.to = to
        self.after = after
        self.clauses = clauses


class Reaction:
    """All that a touchpoint of one channel and type can do; `fields` are those that are read of it.

    `concern` is None if no score of churn risk depends on it.
    """

    __slots__ = (
        "_candidates",
        "_found",
        "_is_watched",
        "_may_move",
        "_refreshes",
        "_stages",
        "channel",
        "concern",
        "fields",
        "slots",
        "tallies",
        "type",
    )

    def __init__(
        self,
        channel: str,
        type_: str,
        fields: tuple[str, ...],
        slots: tuple[Slot, ...],
        candidates: tuple[Candidate, ...],
        stages: int,
        may_move: Callable[[int, int, int], bool],
        concern: Concern | None,
        tallies: tuple[Tally, ...],
        is_watched: bool,
        refreshes: tuple[tuple[int, int], ...],
    ) -> None:
        self.channel = channel
        self.type = type_
        self.fields = fields
        self.slots = slots
        self._candidates = candidates
        self._may_move = may_move
        self.concern = concern
        self.tallies = tallies
        self._is_watched = is_watched
        self._refreshes = refreshes
        self._stages = stages
        # A place for each stage and peak, from -1 on.
        self._found: list[tuple[Candidate, ...] | None] = [None] * (stages + 1) ** 2

    def may_change_segment(self, memory: Memory, clock: int) -> bool:
        """Whether it may put somebody with this memory into another segment, now (`clock`, ms) or sooner than known.

        Another stage or band of churn risk, which it may bring as well, comes with a view, and the segment with that.
        """
        if self._is_watched:
            return True
        for slot, within_ms in self._refreshes:
            last = memory.get(slot)
            if last is None or clock - last[-2] >= within_ms:
                return True
        return False

    def candidates(self, stage: int, peak: int) -> tuple[Candidate, ...]:
        """The rules, in priority order, that may move a customer from `stage` who has been as far as `peak`."""
        place = (stage + 1) * (self._stages + 1) + peak + 1
        found = self._found[place]
        if found is None:
            found = self._found[place] = tuple(
                [
                    c
                    for c in self._candidates
                    if c.to != stage and (c.after is None or stage in c.after) and self._may_move(stage, c.to, peak)
                ]
            )
        return found


class Silence:
    """An inactivity rule as seen from one stage; `slot` remembers the last touchpoint that breaks the silence."""

    __slots__ = ("code", "nothing_for_ms", "slot", "to")

    def __init__(self, code: int, slot: int, nothing_for_ms: int, to: int) -> None:
        self.code = code
        self.slot = slot
        self.nothing_for_ms = nothing_for_ms
        self.to = to


class Plan:
    """The compiled model and, if churn risk is scored, its parameters. Immutable but for its look-up tables."""

    def __init__(self, model: Model, scorer: Scorer | None = None) -> None:
        self.model = model
        self.scorer = scorer
        self._kinds = {kind.id: kind for kind in model.kinds}
        self._keep = _remembered(model)
        self._slots = {key: index for index, key in enumerate(self._keep)}
        self._counted_to = tallies_of(model)
        self._tallies = {key: len(self._keep) + index for index, key in enumerate(self._counted_to)}
        # None if the model has no segments.
        self.segmenter = Segmenter(model, scorer, self._slots, self._tallies) if model.segments else None
        self._reactions: dict[str, dict[str, Reaction]] = {}
        self._compiled = 0
        self.settle_ms = tuple(stage.settle_ms for stage in model.stages)
        self.settles = any(self.settle_ms)
        # Index -1, a customer without a stage, is the last entry: nothing is silent before the first touchpoint.
        self.silences: tuple[tuple[Silence, ...], ...] = (
            *(self._silences_in(stage) for stage in range(len(model.stages))),
            (),
        )

    def reaction(self, channel: str, type_: str) -> Reaction:
        """What a touchpoint of this channel and type can do."""
        of_channel = self._reactions.get(channel)
        found = None if of_channel is None else of_channel.get(type_)
        return self._compile(channel, type_) if found is None else found

    def may_move(self, before: int, after: int, peak: int, by_inactivity: bool) -> bool:
        """The model's policy of moves; -1 stands for no stage."""
        return self.model.moves.allows(
            None if before < 0 else before,
            after,
            None if peak < 0 else peak,
            by_inactivity,
        )

    def _compile(self, channel: str, type_: str) -> Reaction:
        matches: Matches = {}
        fields: set[str] = set()
        for kind, where in self._all_matchers():
            patterns = self._patterns(kind, where, channel, type_)
            if patterns:
                fields.update(w.field for p in patterns for w in left_open(p.where + where))
                found = any_of([holds_all(left_open(p.where)) for p in patterns])
                matches[kind, where] = both(found, holds_all(left_open(where)))
        slots = tuple((self._slots[key], keep, matches[key]) for key, keep in self._keep.items() if key in matches)
        candidates = tuple(
            Candidate(index, rule.to, rule.after, clauses)
            for index, rule in enumerate(self.model.rules)
            if (clauses := self._clauses(rule, matches))
        )
        if self._compiled >= _REACTIONS_MAX:  # a producer that makes up types must not fill the memory
            self._reactions.clear()
            self._compiled = 0
        self._compiled += 1
        concern = None if self.scorer is None else concern_of(self.scorer, channel, type_)
        if concern is not None:
            fields |= concern.fields
        tallies = self._tallies_fed(matches)
        reaction = Reaction(
            channel,
            type_,
            tuple(sorted(fields)),
            slots,
            candidates,
            len(self.model.stages),
            self._may_move_by_rule,
            concern,
            tallies,
            *self._of_segments(slots, tallies, concern),
        )
        self._reactions.setdefault(channel, {})[type_] = reaction
        return reaction

    def _tallies_fed(self, matches: Matches) -> tuple[Tally, ...]:
        found: list[Tally] = []
        for key, slot in self._tallies.items():
            kind, where, what, pause_ms = key
            if (kind, where) in matches:
                limit = pause_ms if what == BACK else self._counted_to[key]
                found.append(Tally(slot, what, limit, matches[kind, where]))
        return tuple(found)

    def _of_segments(
        self, slots: tuple[Slot, ...], tallies: tuple[Tally, ...], concern: Concern | None
    ) -> tuple[bool, tuple[tuple[int, int], ...]]:
        """Whether a touchpoint that feeds these may change the segment, and the memories with which it does if old."""
        if self.segmenter is None:
            return False, ()
        fed = [slot for slot, _, _ in slots]
        refreshed = self.segmenter.refreshed
        is_watched = bool(tallies) or any(slot in self.segmenter.watched for slot in fed)
        is_watched |= concern is not None and self.segmenter.reads_summary
        return is_watched, tuple([(slot, refreshed[slot]) for slot in fed if slot in refreshed])

    def _may_move_by_rule(self, before: int, after: int, peak: int) -> bool:
        return self.may_move(before, after, peak, by_inactivity=False)

    def _clauses(self, rule: Rule, matches: Matches) -> tuple[Clause, ...]:
        found: list[Clause] = []
        for atoms in rule.clauses:
            if not any((atom.kind, atom.where) in matches for atom in atoms):
                continue
            if _is_plain(atoms):
                found.append(((), matches[atoms[0].kind, atoms[0].where]))
            else:
                needs = [(self._slots[a.kind, a.where], 2 * a.count, a.within_ms) for a in atoms]
                found.append((tuple(needs), None))
        return tuple(found)

    def _all_matchers(self) -> set[tuple[str, Conditions]]:
        atoms = {(a.kind, a.where) for rule in self.model.rules for clause in rule.clauses for a in clause}
        tallied = {(kind, where) for kind, where, _, _ in self._tallies}
        return atoms | tallied | {(rule.kind, rule.where) for rule in self.model.inactivity} | {*lasts_of(self.model)}

    def _patterns(self, kind: str, where: Conditions, channel: str, type_: str) -> tuple[Pattern, ...]:
        """The patterns by which a touchpoint of this channel and type may be of this kind and meet the conditions."""
        if not may_meet(where, channel, type_):
            return ()
        if kind == ANY:
            return (Pattern(None, None),)
        return tuple(p for p in self._kinds[kind].patterns if may_match(p, channel, type_))

    def _silences_in(self, stage: int) -> tuple[Silence, ...]:
        return tuple(
            Silence(-1 - index, self._slots[rule.kind, rule.where], rule.nothing_for_ms, rule.to)
            for index, rule in enumerate(self.model.inactivity)
            if stage in rule.stages and rule.to != stage
        )


def _is_plain(atoms: tuple[Atom, ...]) -> bool:
    """Whether the touchpoint alone decides, so that nothing has to be remembered."""
    return len(atoms) == 1 and atoms[0].count == 1


def _remembered(model: Model) -> dict[tuple[str, Conditions], int]:
    """What the fold must remember, and how long its flat list may grow."""
    keep: dict[tuple[str, Conditions], int] = {}
    for rule in model.rules:
        for atoms in rule.clauses:
            for atom in () if _is_plain(atoms) else atoms:
                key = (atom.kind, atom.where)
                keep[key] = max(keep.get(key, 2), 2 * atom.count)
    for silence in model.inactivity:
        keep.setdefault((silence.kind, silence.where), 2)
    for key in lasts_of(model):
        keep.setdefault(key, 2)
    return keep
