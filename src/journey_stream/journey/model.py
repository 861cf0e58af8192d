"""What a journey model says, as frozen values: stages, meanings of touchpoints, rules, silences, moves, segments.

Stages are known by their index in the order of the journey. Every length of time is in milliseconds.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from journey_stream.events.identifiers import DEFAULT, RANKS, IdentifierRule, Policy
from journey_stream.events.pseudonyms import Pseudonyms
from journey_stream.events.times import DAY_MS
from journey_stream.journey import segments as segment_values
from journey_stream.journey.durations import format_duration
from journey_stream.journey.segments import Segment
from journey_stream.journey.where import Where, where_behaviour, where_document

ANY = "any"
"""The kind that every touchpoint has."""

Forward = Literal["any", "next"]
Back = Literal["never", "inactivity", "any"]
WinBack = Literal["any", "next", "never"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage; it is published once it has stood for `settle_ms`."""

    id: str
    meaning: str
    settle_ms: int = 0


@dataclass(frozen=True, slots=True)
class Pattern:
    """Touchpoints of one of these channels and one of these types (None = any) that meet every `where`."""

    channels: frozenset[str] | None
    types: frozenset[str] | None
    where: tuple[Where, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """What a touchpoint means: it has this kind if one of the patterns matches. It may have several kinds."""

    id: str
    meaning: str
    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Atom:
    """At least `count` touchpoints of `kind` that meet every `where`, within `within_ms` (None = ever)."""

    kind: str
    where: tuple[Where, ...] = ()
    count: int = 1
    within_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Enter stage `to` when every atom of one clause holds.

    `after` None means from any stage that the moves allow and from no stage at all; a set means only from these.
    """

    id: str
    to: int
    after: frozenset[int] | None
    clauses: tuple[tuple[Atom, ...], ...]
    text: str


@dataclass(frozen=True, slots=True)
class Inactivity:
    """Leave one of `stages` for `to` when no touchpoint of `kind` came for `nothing_for_ms`.

    Silence is counted within the stage: from the later of the last such touchpoint and the stage's entry.
    """

    id: str
    stages: frozenset[int]
    kind: str
    where: tuple[Where, ...]
    nothing_for_ms: int
    to: int
    text: str


@dataclass(frozen=True, slots=True)
class Moves:
    """The one policy about who may go where, whatever wants to move them."""

    forward: Forward = "any"
    back: Back = "inactivity"
    win_back: WinBack = "any"

    def allows(self, from_index: int | None, to_index: int, peak_index: int | None, by_inactivity: bool) -> bool:
        """Tell whether a customer in `from_index` (None = new), who has been as far as `peak_index`, may move.

        A higher index is forward; up to a peak that lies ahead it is a win-back instead. Staying is not a move.
        """
        if from_index is None:
            return not by_inactivity and (self.forward == "any" or to_index == 0)
        if to_index > from_index:
            winning_back = peak_index is not None and to_index <= peak_index
            policy = self.win_back if winning_back else self.forward
            return policy == "any" or (policy == "next" and to_index == from_index + 1)
        if to_index < from_index:
            return self.back == "any" or (self.back == "inactivity" and by_inactivity)
        return False


@dataclass(frozen=True, slots=True)
class Identity:
    """How identifiers become one customer; `ranks` are their types, the one that identifies best first.

    `rules` say how values are read, for those types where it is not `IdentifierRule.default`.

    A touchpoint before the first link of its identifier follows that link if it lies within `look_back_ms` before it.
    An identifier linked to more than `customers_max` identifiers of the highest type, or to more than `parents_max` of
    any, is shared from the first link too many on: what it alone names afterwards belongs to nobody.
    """

    ranks: tuple[str, ...] = RANKS
    look_back_ms: int = 30 * DAY_MS
    customers_max: int = 3
    parents_max: int = 50
    rules: tuple[IdentifierRule, ...] = ()

    def identifiers(self) -> tuple[IdentifierRule, ...]:
        """How each type is read, the highest first."""
        own = {rule.kind: rule for rule in self.rules}
        return tuple(own.get(kind) or IdentifierRule.default(kind) for kind in self.ranks)


@dataclass(frozen=True, slots=True)
class Model:
    """A whole journey model. Rules and segments are in the order of priority: the first that fires, or holds, wins."""

    name: str
    version: int
    description: str
    stages: tuple[Stage, ...]
    kinds: tuple[Kind, ...]
    rules: tuple[Rule, ...]
    inactivity: tuple[Inactivity, ...] = ()
    moves: Moves = Moves()
    identity: Identity | None = None
    """None: a touchpoint belongs to its highest identifier, and nothing links one to another."""
    segments: tuple[Segment, ...] = ()
    fingerprint: str = field(init=False)
    """SHA-256 of all that decides who is where and when; meanings, descriptions and texts may change freely."""

    def __post_init__(self) -> None:
        canonical = json.dumps(_behaviour(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        object.__setattr__(self, "fingerprint", hashlib.sha256(canonical.encode()).hexdigest())

    def stage_index(self, stage_id: str) -> int:
        """The index of a stage. Raises KeyError if the model has no such stage."""
        for index, stage in enumerate(self.stages):
            if stage.id == stage_id:
                return index
        raise KeyError(stage_id)

    def policy(self, pseudonyms: Pseudonyms | None = None) -> Policy:
        """Who is who, for admission."""
        if self.identity is not None:
            return Policy(self.identity.identifiers(), pseudonyms=pseudonyms)
        if pseudonyms is None:
            return DEFAULT
        return Policy(map(IdentifierRule.default, RANKS), links=False, pseudonyms=pseudonyms)

    def to_document(self) -> dict[str, Any]:
        """The model as the document that a YAML file holds; reading it gives an equal model."""
        names = [stage.id for stage in self.stages]
        document: dict[str, Any] = {
            "model": self.name,
            "version": self.version,
            "description": self.description,
            "stages": [_stage_document(stage) for stage in self.stages],
            "touchpoints": {
                kind.id: {"meaning": kind.meaning, "match": [_pattern_document(one) for one in kind.patterns]}
                for kind in self.kinds
            },
            "rules": [_rule_document(rule, names) for rule in self.rules],
            "moves": {"forward": self.moves.forward, "back": self.moves.back, "win_back": self.moves.win_back},
        }
        if self.inactivity:
            document["inactivity"] = [_inactivity_document(silence, names) for silence in self.inactivity]
        if self.segments:
            document["segments"] = [segment_values.document(segment, names) for segment in self.segments]
        document["identity"] = "off" if self.identity is None else _identity_document(self.identity)
        return document


def _behaviour(model: Model) -> list[Any]:
    """Everything that decides a move, as plain lists; a set is sorted, what only people read is left out."""
    behaviour: list[Any] = [
        [model.name, model.version],
        [[stage.id, stage.settle_ms] for stage in model.stages],
        [
            [
                kind.id,
                [[_sorted(one.channels), _sorted(one.types), where_behaviour(one.where)] for one in kind.patterns],
            ]
            for kind in model.kinds
        ],
        [
            [rule.id, rule.to, _sorted(rule.after), [[_atom_behaviour(atom) for atom in one] for one in rule.clauses]]
            for rule in model.rules
        ],
        [
            [one.id, sorted(one.stages), one.kind, where_behaviour(one.where), one.nothing_for_ms, one.to]
            for one in model.inactivity
        ],
        [model.moves.forward, model.moves.back, model.moves.win_back],
        # Without any, the model is known by what it was known by before there were segments.
        *([{"segments": segment_values.behaviour(model.segments)}] if model.segments else []),
    ]
    identity = model.identity
    if identity is not None:
        bounds = [identity.look_back_ms, identity.customers_max, identity.parents_max]
        rules = [
            [rule.kind, list(rule.steps), rule.calling_code, sorted(rule.blocked)] for rule in identity.identifiers()
        ]
        behaviour.append([rules, *bounds])
    return behaviour


def _sorted(values: Iterable[Any] | None) -> list[Any] | None:
    return None if values is None else sorted(values)


def _atom_behaviour(atom: Atom) -> list[Any]:
    return [atom.kind, where_behaviour(atom.where), atom.count, atom.within_ms]


def _stage_document(stage: Stage) -> dict[str, Any]:
    document: dict[str, Any] = {"id": stage.id, "meaning": stage.meaning}
    if stage.settle_ms:
        document["settle"] = format_duration(stage.settle_ms)
    return document


def _pattern_document(pattern: Pattern) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if pattern.channels is not None:
        document["channel"] = sorted(pattern.channels)
    if pattern.types is not None:
        document["type"] = sorted(pattern.types)
    if pattern.where:
        document["where"] = where_document(pattern.where)
    return document


def _atom_document(atom: Atom) -> dict[str, Any]:
    document: dict[str, Any] = {"touchpoint": atom.kind, "count": atom.count}
    if atom.within_ms is not None:
        document["within"] = format_duration(atom.within_ms)
    if atom.where:
        document["where"] = where_document(atom.where)
    return document


def _rule_document(rule: Rule, names: list[str]) -> dict[str, Any]:
    document: dict[str, Any] = {"id": rule.id, "to": names[rule.to]}
    if rule.after is not None:
        document["after"] = [names[index] for index in sorted(rule.after)]
    document["when"] = {"any": [{"all": [_atom_document(atom) for atom in clause]} for clause in rule.clauses]}
    document["text"] = rule.text
    return document


def _inactivity_document(silence: Inactivity, names: list[str]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": silence.id,
        "in": [names[index] for index in sorted(silence.stages)],
        "nothing_for": format_duration(silence.nothing_for_ms),
        "of": silence.kind,
        "to": names[silence.to],
        "text": silence.text,
    }
    if silence.where:
        document["where"] = where_document(silence.where)
    return document


def _identity_document(identity: Identity) -> dict[str, Any]:
    return {
        "identifiers": [_identifier_document(rule) for rule in identity.identifiers()],
        "look_back": format_duration(identity.look_back_ms),
        "shared_after": {"customers": identity.customers_max, "parents": identity.parents_max},
    }


def _identifier_document(rule: IdentifierRule) -> str | dict[str, Any]:
    default = IdentifierRule.default(rule.kind)
    if rule == default:
        return rule.kind
    document: dict[str, Any] = {"type": rule.kind}
    if rule.steps != default.steps:
        document["normalise"] = list(rule.steps)
    if rule.calling_code:
        document["calling_code"] = int(rule.calling_code)
    if rule.blocked:
        document["blocked"] = sorted(rule.blocked)
    return document
