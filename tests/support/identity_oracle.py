"""Whom every touchpoint belongs to in the end, from the set of all records at once: no order, no messages, no state.

It shares the model's data with the engine and nothing else. It goes from the lowest type of identifier to the highest,
and asks of each touchpoint where it goes from there.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from journey_stream.churn.score import Scorer
from journey_stream.engine.limits import Limits
from journey_stream.events.log import TouchpointRecord
from journey_stream.events.times import HOUR_MS
from journey_stream.journey.model import Identity, Model
from tests.support.oracle import Entry, true_history
from tests.support.risk_oracle import RiskEntry, true_risks

NOBODY = frozenset({"", "null", "none", "undefined", "-1", "anonymous", "unknown", "guest", "test", "nan"})


class Said(NamedTuple):
    """A touchpoint as a source says it, or an operation by hand (channel `identity`); instants in ms.

    `since` belongs to `unlink` and `link`: from when on it holds.
    """

    event_id: str
    at: int
    channel: str
    type: str
    identifiers: tuple[tuple[str, str], ...]
    value: float | None = None
    since: int | None = None


class Arrived(NamedTuple):
    """Something said, and when it came to the source topic (ms)."""

    arrived_at: int
    said: Said


class Content(NamedTuple):
    """What a touchpoint says; of several under one event_id the smallest counts (if their texts are of one length)."""

    at: int
    channel: str
    type: str
    event_id: str
    value: float | None


class _Ban(NamedTuple):
    """An unlink: observations of `parent` up to `until` do not hold from `since` on.

    It moves nothing that happened before `floor`.
    """

    parent: str
    since: float
    until: int
    floor: int


@dataclass
class _Facts:
    """What is known of one identifier."""

    observations: set[tuple[int, str]] = field(default_factory=set)
    bans: set[_Ban] = field(default_factory=set)
    blocked_from: float = float("inf")


class Oracle:
    """The truth about a set of arrivals, in whatever order they are given."""

    def __init__(self, identity: Identity, limits: Limits, arrivals: Iterable[Arrived]) -> None:
        self.identity, self.limits = identity, limits
        self.facts: dict[str, _Facts] = defaultdict(_Facts)
        self.sent: dict[str, dict[str, set[Content]]] = defaultdict(lambda: defaultdict(set))
        """By the identifier that sources sent them to, and by event_id."""
        self._crowded: dict[str, float] = {}
        for arrival in arrivals:
            self._take(arrival)

    def profiles(self) -> dict[str, list[Content]]:
        """The touchpoints that every profile has for its own in the end, in order of time."""
        waiting = {who: {name: set(found) for name, found in sent.items()} for who, sent in self.sent.items()}
        owned: dict[str, list[Content]] = defaultdict(list)
        for kind in reversed(self.identity.ranks):
            for who in [one for one in waiting if self._type(one) == kind]:
                shared_at = self.shared_at(who)
                for name, contents in waiting[who].items():
                    usable_ = [content for content in contents if content.at < shared_at]
                    if not usable_:
                        continue
                    winner = min(usable_)
                    parent = self._parent(who, winner.at)
                    if parent is None:
                        owned[who].append(winner)
                    else:
                        waiting.setdefault(parent, {}).setdefault(name, set()).add(winner)
        return {who: sorted(found, key=_when) for who, found in owned.items()}

    def histories(self, model: Model, as_of: int) -> dict[str, list[Entry]]:
        """The stage history of every profile, folded from scratch."""
        found = {}
        for profile, owned in self.profiles().items():
            records = [_record(profile, content) for content in owned]
            if history := true_history(model, records, as_of):
                found[profile] = history
        return found

    def risks(self, scorer: Scorer, as_of: int) -> dict[str, list[RiskEntry]]:
        """The history of churn risk of every profile, scored from scratch."""
        found = {}
        for profile, owned in self.profiles().items():
            records = [_record(profile, content) for content in owned]
            if history := true_risks(scorer, records, as_of):
                found[profile] = history
        return found

    def children(self) -> dict[str, tuple[str, ...]]:
        """The lower identifiers that are linked to each one: an observation of it was not undone later."""
        found: dict[str, set[str]] = defaultdict(set)
        for who, facts in self.facts.items():
            # Where it was blocked, what lies less than a look-back behind may still be asked for.
            last = facts.blocked_from + self.identity.look_back_ms
            for hour, parent in self._counted(who):
                undone = any(ban.parent == parent and hour <= ban.until for ban in facts.bans)
                if hour <= last and not undone:
                    found[parent].add(who)
        return {who: tuple(sorted(children)) for who, children in found.items()}

    def shared_at(self, who: str) -> float:
        """From when on what the identifier alone names belongs to nobody; infinity if never."""
        return min(self.crowded_at(who), self.facts[who].blocked_from) if who in self.facts else float("inf")

    def crowded_at(self, who: str) -> float:
        """The hour of the first link too many: from it on observations count for nothing."""
        if who not in self._crowded:
            self._crowded[who] = self._find_crowded_at(who)
        return self._crowded[who]

    def _take(self, arrival: Arrived) -> None:
        arrived_at, said = arrival
        if not is_admitted(self.limits, arrived_at, said.at):
            return
        names = usable(self.identity, said.identifiers)
        if not names:
            return
        owner, *lower = names
        reach = arrived_at - self.limits.lateness_ms
        floor = reach - self.identity.look_back_ms
        if said.channel == "identity":
            if said.type == "block":
                facts = self.facts[owner]
                facts.blocked_from = min(facts.blocked_from, floor)
            elif said.type == "unlink":
                since = float("-inf") if said.since is None else said.since
                self.facts[lower[0]].bans.add(_Ban(owner, since, said.at, floor))
            else:
                at = said.at if said.since is None else said.since
                self._observe(lower[0], owner, max(at, reach))
            return
        content = Content(said.at, said.channel, said.type, said.event_id, said.value)
        self.sent[owner][said.event_id].add(content)
        for child in lower:
            self._observe(child, owner, said.at)

    def _observe(self, child: str, parent: str, at: int) -> None:
        self.facts[child].observations.add((at // HOUR_MS * HOUR_MS, parent))

    def _counted(self, who: str) -> list[tuple[int, str]]:
        """Observations before the hour of the first link too many."""
        crowded = self.crowded_at(who)
        return [(hour, parent) for hour, parent in self.facts[who].observations if hour < crowded]

    def _find_crowded_at(self, who: str) -> float:
        first: dict[str, int] = {}
        for hour, parent in self.facts[who].observations if who in self.facts else ():
            first[parent] = min(hour, first.get(parent, hour))
        highest = self.identity.ranks[0]
        customers = sorted(hour for parent, hour in first.items() if self._type(parent) == highest)
        everybody = sorted(first.values())
        too_many = [*customers[self.identity.customers_max :], *everybody[self.identity.parents_max :]]
        return min(too_many, default=float("inf"))

    def _parent(self, who: str, at: int) -> str | None:
        facts = self.facts.get(who)
        if facts is None:
            return None
        live = [
            (hour, -self.identity.ranks.index(self._type(parent)), parent)
            for hour, parent in self._counted(who)
            if not any(self._is_dead(ban, hour, parent, at) for ban in facts.bans)
        ]
        if before := [one for one in live if one[0] <= at]:
            return max(before)[2]
        if not live:
            return None
        earliest = min(hour for hour, _, _ in live)
        if earliest - at > self.identity.look_back_ms:
            return None
        return max(one for one in live if one[0] == earliest)[2]

    @staticmethod
    def _is_dead(ban: _Ban, hour: int, parent: str, at: int) -> bool:
        if ban.parent != parent or at < ban.floor:
            return False
        if hour <= ban.until:
            return max(at, hour) >= ban.since
        return at <= ban.until

    def _type(self, who: str) -> str:
        kind, colon, _ = who.partition(":")
        return kind if colon and kind in self.identity.ranks else self.identity.ranks[0]


def is_admitted(limits: Limits, arrived_at: int, at: int) -> bool:
    """Whether what happened at `at` is neither too late nor from the future."""
    return -limits.skew_ms <= arrived_at - at <= limits.lateness_ms


def _record(profile: str, content: Content) -> TouchpointRecord:
    at, channel, type_, event_id, value = content
    return TouchpointRecord(profile, at, at, event_id, channel, type_, value)


def _when(content: Content) -> tuple[int, str]:
    return content.at, content.event_id


def usable(identity: Identity, identifiers: Iterable[tuple[str, str]] | Mapping[str, str]) -> list[str]:
    """The profile ids of the identifiers that name somebody, the highest first."""
    given = dict(identifiers)
    return [
        given[kind] if kind == "customer_id" else f"{kind}:{given[kind]}"
        for kind in identity.ranks
        if kind in given and given[kind].strip().lower() not in NOBODY and given[kind].strip("0- ")
    ]
