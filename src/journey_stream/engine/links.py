"""What an identifier knows of others: observations of higher ones, what people have said, and who is linked to it.

A touchpoint that the identifier names belongs to the higher one that it was last seen with. The answer depends on the
set of observations alone, so neither their order nor their repetition can change it.
"""

from bisect import bisect_right, insort
from collections.abc import Collection
from typing import Final

import msgspec

from journey_stream.engine.packing import encode
from journey_stream.engine.touches import LONG_AGO, NEVER, Touch
from journey_stream.events.erasures import Spans, united
from journey_stream.events.times import HOUR_MS
from journey_stream.journey.model import Identity

CHILDREN_MAX: Final = 200
"""So many of the identifiers linked to one are remembered by name."""

LinksRow = tuple[
    dict[str, list[int]], dict[str, int], dict[str, list[list[int]]], int, list[str], list[str], list[Touch], int, int,
    int,
]  # fmt: skip
"""The fields of links in the order in which they are packed."""


class Ranking:
    """How well identifiers identify, and the bounds of an identity policy; lengths of time in ms."""

    __slots__ = ("_ranks", "customers_max", "look_back_ms", "parents_max", "reach_ms", "top")

    def __init__(self, identity: Identity, lateness_ms: int) -> None:
        self.top = len(identity.ranks)
        self._ranks = {kind: self.top - place for place, kind in enumerate(identity.ranks)}
        self.look_back_ms = identity.look_back_ms
        self.customers_max = identity.customers_max
        self.parents_max = identity.parents_max
        self.reach_ms = lateness_ms + identity.look_back_ms
        """What happened longer before its arrival no link can move any more."""

    def of(self, profile_id: str) -> int:
        """The rank of an identifier; more is better. The highest type is written without its name."""
        kind, colon, _ = profile_id.partition(":")
        return self._ranks.get(kind, self.top) if colon else self.top


class Links:
    """The links of one identifier.

    `observations`: per higher identifier the hours (since the epoch) in which both were seen together, ascending;
    `first`: the first such hour ever, if it is before `crowded`, the hour of the first link too many, which only falls
    and names nobody. `unlinks`: per higher identifier what people have undone, as (since, until,
    floor) in ms: nothing that happened before `floor` is moved by it. `shared_at` (ms): from then on what the
    identifier names belongs to nobody. `children`: lower identifiers linked to this one; `former`: those that
    were before it was undone, and may hold what was this one's. Of either only so many are named.
    `displaced`: touchpoints that lost their place to another content under their event_id that may yet be withdrawn.
    """

    __slots__ = (
        "_blocked_at",
        "_order",
        "_ranking",
        "_sole",
        "_sole_from",
        "children",
        "crowded",
        "crowded_by_customers",
        "displaced",
        "first",
        "former",
        "observations",
        "owned_until",
        "revision",
        "shared_at",
        "unlinks",
    )

    def __init__(self, row: LinksRow | None, ranking: Ranking) -> None:
        if row is None:
            row = ({}, {}, {}, NEVER, [], [], [], 0, LONG_AGO, NEVER)
        (
            self.observations,
            self.first,
            self.unlinks,
            self._blocked_at,
            self.children,
            self.former,
            self.displaced,
            self.revision,
            self.owned_until,
            self.crowded,
        ) = row
        self.crowded_by_customers = False
        self.shared_at = NEVER
        self._ranking = ranking
        # Nearly every identifier was seen with one higher one only: then no order is needed to say whom it belongs to.
        self._sole: str | None = None
        self._sole_from = NEVER
        self._order: list[tuple[int, int, str]] | None = None
        self._index()

    def pack(self) -> bytes:
        """The state record."""
        return encode(
            (
                self.observations,
                self.first,
                self.unlinks,
                self._blocked_at,
                self.children,
                self.former,
                self.displaced,
                self.revision,
                self.owned_until,
                self.crowded,
            )
        )

    @property
    def routes(self) -> bool:
        """Whether anything could belong elsewhere than here."""
        return bool(self.observations) or self.shared_at != NEVER

    def route(self, at: int) -> str | None:
        """Whom a touchpoint at `at` (ms) belongs to; None for the identifier itself."""
        if self._sole is not None and not self.unlinks:
            return self._sole if self._sole_from - at <= self._ranking.look_back_ms else None
        order = self._ordered()
        after = bisect_right(order, (at, _LAST_RANK, ""))
        if not self.unlinks:
            if after:
                return order[after - 1][2]
            if order and order[0][0] - at <= self._ranking.look_back_ms:
                return self._best_at(0, at)
            return None
        for place in range(after - 1, -1, -1):
            seen_at, _, parent = order[place]
            if not self._is_dead(seen_at, parent, at):
                return parent
        for place in range(after, len(order)):
            seen_at, _, parent = order[place]
            if seen_at - at > self._ranking.look_back_ms:
                return None
            if not self._is_dead(seen_at, parent, at):
                return self._best_at(place, at)
        return None

    def parent_now(self) -> str | None:
        """Whom it was last seen with, as far as that still holds."""
        return self.route(NEVER >> 1)

    def standing(self) -> dict[str, bool]:
        """The higher identifiers that observations name, and whether one that is in force links it to them."""
        found = {}
        for parent, hours in self.observations.items():
            undone = max([until for _, until, _ in self.unlinks.get(parent, [])], default=LONG_AGO)
            found[parent] = hours[-1] * HOUR_MS > undone
        return found

    def attached(self) -> set[str]:
        """The higher identifiers that at least one observation in force links it to."""
        return {parent for parent, holds in self.standing().items() if holds}

    def is_only(self, parents: Collection[str]) -> bool:
        """Whether it is linked to some of these alone, and nothing that it named was anybody else's before."""
        if self.crowded != NEVER:
            return False  # others were seen with it, although nothing of it was theirs
        attached = self.attached()
        others = self.observations.keys() - set(parents)
        return bool(attached) and not attached & others and not any(self.spans_of(one) for one in others)

    def spans_of(self, parent: str) -> Spans:
        """When (ms) that which the identifier names belongs to `parent`."""
        order = self._ordered()
        marks = {at for at, _, _ in order} | {at - self._ranking.look_back_ms for at, _, _ in order}
        for said in self.unlinks.values():
            for since, until, floor in said:
                marks |= {since, until + 1, floor}
        # Between two of these instants the answer is one and the same.
        instants = sorted([at for at in marks if at < self.shared_at])
        ends = [*instants[1:], self.shared_at][: len(instants)]
        return united([(at, end - 1) for at, end in zip(instants, ends, strict=True) if self.route(at) == parent])

    def names(self, parent: str) -> bool:
        """Whether anything is known of a higher identifier."""
        return parent in self.observations or parent in self.first or parent in self.unlinks

    def lose(self, parent: str, until: int) -> None:
        """Forget the observations of `parent` up to `until` (ms), and what people have said of both up to then."""
        self._keep_later(parent, until)
        self._index()

    def successor(self, until: int) -> "Links":
        """What of this has come about after `until` (ms) alone."""
        new = Links(None, self._ranking)
        new.observations, new.first, new.unlinks = self.observations, self.first, self.unlinks
        for parent in {*self.observations, *self.first, *self.unlinks}:
            new._keep_later(parent, until)
        new.displaced = [touch for touch in self.displaced if touch.at > until]
        if self.is_blocked and self._blocked_at + self._ranking.reach_ms > until:
            new._blocked_at = self._blocked_at
        if self.crowded * HOUR_MS > until:
            new.crowded = self.crowded
        new._index()
        return new

    def would_change(self, parent: str, hour: int) -> bool:
        """Whether one more observation could change where anything belongs."""
        if self.unlinks or not self.observations:
            return True
        at = hour * HOUR_MS
        if self._sole is not None:
            return at < self._sole_from or self._sole != parent
        order = self._ordered()
        place = bisect_right(order, (at, _LAST_RANK, ""))
        return place == 0 or order[place - 1][2] != parent

    def observe(self, parent: str, hour: int) -> bool:
        """Add an observation. Tell whether it changed anything."""
        if hour >= self.crowded:
            return False
        known, crowded = self.first.get(parent, NEVER), self.crowded
        hours = self.observations.setdefault(parent, [])
        place = bisect_right(hours, hour)
        if place and hours[place - 1] == hour:
            return False
        hours.insert(place, hour)
        self.first[parent] = min(hour, known)
        self._index()
        is_kept = parent in self.observations and hour in self.observations[parent]
        return is_kept or self.crowded != crowded or self.first.get(parent, NEVER) != known

    def undo(self, parent: str, since: int, until: int, floor: int) -> bool:
        """People say: from `since` to `until` (ms) it was not `parent`. Tell whether that is news."""
        said = [since, until, floor]
        before = self.unlinks.setdefault(parent, [])
        if said in before:
            return False
        insort(before, said)
        return True

    def block(self, floor: int) -> bool:
        """People say: it identifies nobody. Tell whether that is news."""
        if floor >= self._blocked_at:
            return False
        self._blocked_at = floor
        self._index()
        return True

    @property
    def is_blocked(self) -> bool:
        """Whether people have said that it identifies nobody."""
        return self._blocked_at != NEVER

    def adopt(self, child: str) -> bool:
        """Note that a lower identifier is linked to this one. Tell whether that is news."""
        if child in self.children or (len(self.children) >= CHILDREN_MAX and child > self.children[-1]):
            return False
        insort(self.children, child)
        del self.children[CHILDREN_MAX:]
        return True

    def release(self, child: str) -> bool:
        """The opposite of `adopt`."""
        if child not in self.children:
            return False
        self.children.remove(child)
        return True

    def note_former(self, child: str, *, is_former: bool) -> bool:
        """Note that a lower identifier was linked to this one, or no longer. Tell whether that is news."""
        if is_former is (child in self.former) or (is_former and len(self.former) >= CHILDREN_MAX):
            return False
        if is_former:
            insort(self.former, child)
        else:
            self.former.remove(child)
        return True

    def lower(self) -> tuple[str, ...]:
        """All lower identifiers that may hold what is, or was, this one's."""
        return (*self.children, *self.former)

    def forget(self, horizon: int) -> bool:
        """Drop observations that can move nothing that happened at `horizon` (ms) or later. Tell whether any was."""
        hour = horizon // HOUR_MS
        dropped = False
        for parent, hours in self.observations.items():
            old = bisect_right(hours, hour)
            if old > 1:
                self.observations[parent] = hours[old - 1 :]
                dropped = True
        if dropped:
            self._index()
        kept = [touch for touch in self.displaced if touch.at >= horizon]
        if len(kept) < len(self.displaced):
            self.displaced = kept
            dropped = True
        return dropped

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known, or no longer."""
        known = self.first or self.unlinks or self.is_blocked or self.children or self.displaced
        return not known and self.crowded == NEVER

    def canonical(self) -> list[object]:
        """What depends on nothing but the records of the log."""
        displaced = sorted([encode(touch) for touch in self.displaced])
        return [
            sorted(self.observations.items()),
            sorted(self.first.items()),
            sorted(self.unlinks.items()),
            self._blocked_at,
            self.children,
            displaced,
            self.crowded,
        ]

    def _keep_later(self, parent: str, until: int) -> None:
        hours = [hour for hour in self.observations.pop(parent, []) if hour * HOUR_MS > until]
        self.first.pop(parent, None)
        if hours:
            self.observations[parent], self.first[parent] = hours, hours[0]
        said = [one for one in self.unlinks.pop(parent, []) if one[1] > until]
        if said:
            self.unlinks[parent] = said

    def _index(self) -> None:
        """Drop what comes with the first link too many or later; what was worked out of the observations is stale."""
        ranking = self._ranking
        self.shared_at = self._blocked_at
        if len(self.first) > min(ranking.customers_max, ranking.parents_max):
            self._count()
        if self.crowded != NEVER:
            self.shared_at = min(self.shared_at, self.crowded * HOUR_MS)
        if self._blocked_at != NEVER:
            # What happened before may still follow an observation that came up to a look-back later.
            last = (self._blocked_at + ranking.look_back_ms) // HOUR_MS
            self._cut(last)
            self.first = {parent: hour for parent, hour in self.first.items() if hour <= last}
            if self.crowded > last:
                self.crowded = NEVER  # what showed it counts for nothing now
        self._order, self._sole, self._sole_from = None, None, NEVER
        if len(self.observations) == 1:
            for parent, hours in self.observations.items():
                self._sole, self._sole_from = parent, hours[0] * HOUR_MS

    def _ordered(self) -> list[tuple[int, int, str]]:
        """The observations in order: instant (ms), rank, identifier."""
        order = self._order
        if order is None:
            rank, seen = self._ranking.of, self.observations.items()
            order = sorted([(hour * HOUR_MS, rank(parent), parent) for parent, hours in seen for hour in hours])
            self._order = order
        return order

    def _count(self) -> None:
        """Find the hour of the first link too many, and keep what was before it.

        An earlier one could only come of hours that are all before this one, so no other need be known by name.
        """
        ranking = self._ranking
        everybody = sorted(self.first.values())
        customers = sorted([hour for parent, hour in self.first.items() if ranking.of(parent) == ranking.top])
        too_many = [*everybody[ranking.parents_max :], *customers[ranking.customers_max :]]
        if not too_many:
            return
        self.crowded = crowded = min(too_many)
        self.crowded_by_customers = crowded in customers[ranking.customers_max :]
        self.first = {parent: hour for parent, hour in self.first.items() if hour < crowded}
        self._cut(crowded - 1)

    def _cut(self, hour: int) -> None:
        """Drop the observations after `hour`."""
        before = {parent: hours[: bisect_right(hours, hour)] for parent, hours in self.observations.items()}
        self.observations = {parent: hours for parent, hours in before.items() if hours}

    def _best_at(self, place: int, at: int) -> str:
        """Of the live observations of one hour, from `place` on, the one that identifies best."""
        order = self._ordered()
        best = order[place]
        for following in range(place + 1, len(order)):
            seen_at, _, parent = order[following]
            if seen_at != best[0]:
                break
            if not self._is_dead(seen_at, parent, at):
                best = order[following]
        return best[2]

    def _is_dead(self, seen_at: int, parent: str, at: int) -> bool:
        """Whether an observation says nothing of a touchpoint at `at`, because people have undone it."""
        for since, until, floor in self.unlinks.get(parent, ()):
            if at < floor:
                continue
            if seen_at <= until:
                if max(at, seen_at) >= since:
                    return True
            elif at <= until:
                return True
        return False


_LAST_RANK: Final = 1 << 30

_decode: Final = msgspec.msgpack.Decoder(LinksRow).decode


def unpack_links(packed: bytes, ranking: Ranking) -> Links:
    """Back from `Links.pack`. Raises msgspec.MsgspecError for other bytes."""
    return Links(_decode(packed), ranking)


def hour_of(at: int) -> int:
    """The hour (since the epoch) in which an instant (ms) lies."""
    return at // HOUR_MS
