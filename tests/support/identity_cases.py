"""Small cases of identity in which everything that may happen to a few identifiers happens at once."""

from random import Random
from typing import NamedTuple

from journey_stream.engine.limits import Limits
from journey_stream.events.times import HOUR_MS
from journey_stream.journey.model import Identity
from tests.support.identity_oracle import Arrived, Said, is_admitted, usable
from tests.support.journeys import START

RANKS = ("customer_id", "email", "device_id", "anonymous_id")
_NOON = START // HOUR_MS * HOUR_MS

Name = tuple[str, str]


class Case(NamedTuple):
    """Rules, bounds, and what arrives."""

    identity: Identity
    limits: Limits
    arrived: list[Arrived]


def draw_case(rng: Random) -> Case:
    """A few touchpoints of a few identifiers, with operations by hand, repeats and contents that conflict."""
    identity = Identity(
        ranks=RANKS,
        look_back_ms=rng.choice([0, 3, 10, 40]) * HOUR_MS,
        customers_max=rng.choice([1, 1, 2, 3]),
        parents_max=rng.choice([1, 2, 3, 50]),
    )
    limits = Limits(
        lateness_ms=rng.choice([2, 10, 40]) * HOUR_MS,
        allowance_ms=rng.choice([0, 1, 5]) * HOUR_MS,
        skew_ms=rng.choice([0, HOUR_MS // 4]),
    )
    arrived = _arrivals(rng, limits, _said(rng, identity, limits))
    return Case(identity, limits, _while_rivals_are_held(identity, limits, arrived))


def _said(rng: Random, identity: Identity, limits: Limits) -> list[Said]:
    hours, grain = rng.choice([3, 12, 60, 200]), rng.choice([HOUR_MS, HOUR_MS // 2, HOUR_MS // 4, 1])
    names = {
        "customer_id": [f"c{number}" for number in range(rng.randint(1, 3))],
        "email": ["x@example.org", "y@example.org"][: rng.randint(1, 2)],
        "device_id": ["d1", "d2"][: rng.randint(1, 2)],
        "anonymous_id": ["a1", "null"][: rng.randint(1, 2)],
    }

    def instant() -> int:
        return _NOON + rng.randrange(hours * HOUR_MS // grain + 1) * grain

    def touchpoint(event_id: str) -> Said:
        chosen = [(kind, rng.choice(values)) for kind, values in names.items() if rng.random() < 0.5]
        who = chosen if usable(identity, chosen) else [("device_id", "d1")]
        return Said(event_id, instant(), "web", rng.choice(["view", "cart"]), tuple(who))

    said = [touchpoint(f"e{number}") for number in range(rng.choice([rng.randint(2, 9), rng.randint(2, 9), 24]))]
    farthest = limits.lateness_ms + limits.skew_ms
    for _ in range(rng.choice([0, 0, 1, 2])):  # one event_id for two things, or three
        one = rng.choice(said)
        apart = rng.choice([0, 0, grain, -grain, rng.randint(-farthest, farthest), farthest])
        other = touchpoint(one.event_id)._replace(at=one.at + apart)
        said.append(other._replace(identifiers=one.identifiers) if rng.random() < 0.4 else other)
    for number in range(rng.choice([0, 1, 1, 2, 3])):
        high, low = sorted(rng.sample(range(len(RANKS)), 2))
        kind = rng.choice(["unlink", "unlink", "unlink", "link", "block"])
        pair = [(RANKS[low], names[RANKS[low]][0]), (RANKS[high], rng.choice(names[RANKS[high]]))]
        at = instant()
        since = None if rng.random() < 0.5 else min(instant(), at)
        said.append(Said(f"o{number}", at, "identity", kind, tuple(pair[: 1 + (kind != "block")]), None, since))
    return said


def _arrivals(rng: Random, limits: Limits, said: list[Said]) -> list[Arrived]:
    """Up to the bound late, one in four beyond it or from the future; some twice, and then not at the same time."""
    arrived = []
    for one in said:
        late = rng.choice([0, rng.random(), 1]) * limits.lateness_ms
        if one.channel != "identity":
            late *= rng.choice([1, 1, 1, 1.2])
            late = -limits.skew_ms * rng.choice([1, 1, 1.2]) if rng.random() < 0.1 else late
        times = [late, late * rng.random()] if rng.random() < 0.2 else [late]
        arrived += [Arrived(one.at + int(each), one) for each in times]
    return arrived


def _while_rivals_are_held(identity: Identity, limits: Limits, arrived: list[Arrived]) -> list[Arrived]:
    """Without rivals that may come when the earliest is held no longer: they are touchpoints of their own.

    Those of one identifier come from sources, within the lateness bound of the earliest; others may come by a link.
    """
    lateness, look_back = limits.lateness_ms, identity.look_back_ms
    apart = max(max(lateness, look_back) + HOUR_MS, lateness + limits.skew_ms) - look_back - HOUR_MS
    rivals: dict[str, list[Said]] = {}
    for arrived_at, said in arrived:
        if is_admitted(limits, arrived_at, said.at):
            rivals.setdefault(said.event_id, []).append(said)

    def is_held(arrived_at: int, said: Said) -> bool:
        group = rivals[said.event_id]
        earliest = min(one.at for one in group)
        is_alone = all(one.identifiers == said.identifiers for one in group)
        return arrived_at - earliest <= lateness and (is_alone or said.at - earliest <= apart)

    return [one for one in arrived if not is_admitted(limits, one.arrived_at, one.said.at) or is_held(*one)]
