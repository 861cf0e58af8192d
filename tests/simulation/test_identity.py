"""Made-up people, and what whole clusters make of what they do, against an oracle that sees all at once."""

from collections.abc import Iterable
from itertools import combinations
from random import Random

import pytest

from journey_stream.engine.limits import Limits
from journey_stream.events.times import DAY_MS, HOUR_MS
from journey_stream.journey.model import Identity, Model
from tests.support.cluster import Cluster, said_as_json
from tests.support.identity_models import ledger, with_identity
from tests.support.identity_oracle import Arrived, Oracle, Said, usable
from tests.support.identity_truth import World, make_world
from tests.support.journeys import START, net_history, tricky_model
from tests.support.oracle import Entry

LIMITS = Limits(lateness_ms=10 * DAY_MS, allowance_ms=DAY_MS)
IDENTITY = Identity(look_back_ms=10 * DAY_MS, customers_max=3, parents_max=8)
CLUSTERS = {"tricky": ((4, 3),), "ledger": ((1, 1), (3, 2), (7, 3))}
"""(partitions, workers)"""
NEVER = float("inf")


@pytest.mark.parametrize("seed", range(20))
def test_every_cluster_finds_the_truth(seed: int) -> None:
    rng = Random(seed)
    world = make_world(rng, people=20, sessions=300, days=120)
    arrived = world.arrivals(rng, late_days=10)
    as_of = max(arrival.arrived_at for arrival in arrived) + 5 * DAY_MS
    oracle = Oracle(IDENTITY, LIMITS, arrived)

    states: dict[str, str] = {}
    for model in (with_identity(tricky_model(), IDENTITY), ledger(IDENTITY)):
        expected = oracle.histories(model, as_of)
        for partitions, workers in CLUSTERS[model.name]:
            cluster = run(model, arrived, as_of, rng, partitions, workers)
            history = net_history(cluster.published())

            where = f"seed {seed}, {model.name}: {partitions} partitions, {workers} workers"
            assert history == expected, where
            assert views(cluster) == expected_views(model, oracle, expected), where
            assert states.setdefault(model.name, cluster.state_hash()) == cluster.state_hash(), where
            assert merged_customers(world, history) == [], where

    precision, recall, anonymous = attribution(world, arrived, history)
    print(
        f"seed {seed}: {len(world.said)} touchpoints, {anonymous} of them anonymous: "
        f"precision {precision:.1%}, recall {recall:.1%}"
    )


@pytest.mark.parametrize("seed", range(20))
def test_what_is_unlinked_was_never_linked(seed: int) -> None:
    rng = Random(seed)
    model = ledger(IDENTITY)
    world = make_world(rng, people=8, sessions=60, days=60)
    arrived = [one for one in world.arrivals(rng, late_days=10) if one.said.channel != "identity"]
    link, unlink, alone = mistake(rng, world, arrived)
    as_of = max(arrival.arrived_at for arrival in arrived) + 30 * DAY_MS

    undone = run(model, [*arrived, link, unlink], as_of, rng, 4, 2)
    never = run(model, [*arrived, alone], as_of, rng, 4, 2)

    assert net_history(undone.published()) == net_history(never.published())
    assert views(undone) == views(never)


def mistake(rng: Random, world: World, arrived: list[Arrived]) -> tuple[Arrived, Arrived, Arrived]:
    """A log-in with a wrong account that moves something, its undoing, and the same visit without the log-in."""
    seen = {frozenset(pair) for one in arrived for pair in combinations(one.said.identifiers, 2)}
    while True:
        child = rng.choice([name for said in world.anonymous() for name in said.identifiers])
        customer = rng.choice(world.people).customer
        if child[0] not in ("anonymous_id", "device_id") or frozenset((child, customer)) in seen:
            continue
        at = START + int(rng.random() * world.days * DAY_MS)
        visit = Said("mistake", at, "web", "buy", (child, customer))
        until = at + 2 * HOUR_MS + int(rng.random() * 9 * DAY_MS)
        link = Arrived(at, visit)
        unlink = Arrived(until, Said("undo", until, "identity", "unlink", (child, customer)))
        alone = Arrived(at, visit._replace(identifiers=(customer,)))
        mistaken = Oracle(IDENTITY, LIMITS, [*arrived, link])
        if mistaken.shared_at(":".join(child)) < NEVER:
            continue
        if mistaken.profiles() != Oracle(IDENTITY, LIMITS, [*arrived, alone]).profiles():
            return link, unlink, alone


def run(model: Model, arrived: Iterable[Arrived], as_of: int, rng: Random, partitions: int, workers: int) -> Cluster:
    cluster = Cluster(model, None, LIMITS, rng, partitions=partitions, workers=workers, work_share=0.05)
    shuffled = [(arrival.arrived_at, said_as_json(arrival.said)) for arrival in arrived]
    rng.shuffle(shuffled)
    cluster.run(shuffled, as_of, fault_rate=0.02)
    return cluster


View = tuple[str | None, int | None, tuple[str, ...]]


def views(cluster: Cluster) -> dict[str, View]:
    """Stage, last touchpoint, identifiers. A view is told with changes of stage: in the ledger with each touchpoint."""
    return {
        profile: (view.stage, view.last_touchpoint_at if view.model == "ledger" else None, view.identifiers)
        for profile, view in cluster.views().items()
    }


def expected_views(model: Model, oracle: Oracle, histories: dict[str, list[Entry]]) -> dict[str, View]:
    last = {profile: owned[-1].at if model.name == "ledger" else None for profile, owned in oracle.profiles().items()}
    children = oracle.children()
    return {
        profile: (entries[-1].after, last[profile], children.get(profile, ())) for profile, entries in histories.items()
    }


def merged_customers(world: World, history: dict[str, list[Entry]]) -> list[tuple[str, str]]:
    """Customers, and touchpoints of theirs that say that they are somebody else's."""
    customers = {said.event_id: owner for said in world.said if (owner := customer_of(said)) is not None}
    return [
        (profile, event_id)
        for profile, entries in history.items()
        for entry in entries
        for event_id in entry.evidence
        if customers.get(event_id, profile) != profile
    ]


def customer_of(said: Said) -> str | None:
    names = usable(IDENTITY, said.identifiers)
    return names[0] if names and ":" not in names[0] else None


def attribution(world: World, arrived: list[Arrived], history: dict[str, list[Entry]]) -> tuple[float, float, int]:
    """Of the anonymous touchpoints: how many that went to a customer went to the right one, and how many did at all."""
    customers = {person.customer[1]: number for number, person in enumerate(world.people)}
    found = {entry.evidence[0]: customers[p] for p, entries in history.items() if p in customers for entry in entries}
    in_time = {one.said.event_id for one in arrived if one.arrived_at - one.said.at <= LIMITS.lateness_ms}
    anonymous = [said.event_id for said in world.anonymous() if said.event_id in in_time]
    attributed = [event_id for event_id in anonymous if event_id in found]
    right = sum(found[event_id] == world.who[event_id] for event_id in attributed)
    return right / len(attributed), right / len(anonymous), len(anonymous)
