"""Whoever says what to whom in whatever order: every touchpoint ends where the slow oracle puts it."""

import os
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from journey_stream.engine.limits import Limits
from journey_stream.events.times import HOUR_MS, MINUTE_MS
from journey_stream.journey.model import Identity
from tests.support.cluster import Cluster, said_as_json
from tests.support.identity_cases import RANKS, Case, draw_case
from tests.support.identity_models import ledger
from tests.support.identity_oracle import Arrived, Oracle, Said
from tests.support.journeys import START, net_history


@given(seed=st.integers(0, 2**32), partitions=st.sampled_from([1, 2, 5]), work_share=st.sampled_from([0.05, 0.3, 0.9]))
@settings(max_examples=int(os.environ.get("JOURNEY_EXAMPLES", "800")), deadline=None)
def test_every_touchpoint_ends_where_the_oracle_puts_it(seed: int, partitions: int, work_share: float) -> None:
    rng = Random(seed)
    case = draw_case(rng)
    as_of = max(arrival.arrived_at for arrival in case.arrived) + rng.choice([1, 24, 400]) * HOUR_MS

    cluster = run(case, as_of, rng, partitions, work_share, fault_rate=0.1)

    oracle, model = Oracle(case.identity, case.limits, case.arrived), ledger(case.identity)
    histories, profiles = oracle.histories(model, as_of), oracle.profiles()
    assert net_history(cluster.published()) == histories
    children = oracle.children()
    assert {p: (v.stage, v.last_touchpoint_at, v.identifiers) for p, v in cluster.views().items()} == {
        profile: (entries[-1].after, profiles[profile][-1].at, children.get(profile, ()))
        for profile, entries in histories.items()
    }
    in_order_and_alone = run(case, as_of, Random(0), 1, 0.9, fault_rate=0)
    assert cluster.state_hash() == in_order_and_alone.state_hash()


def run(case: Case, as_of: int, rng: Random, partitions: int, work_share: float, *, fault_rate: float) -> Cluster:
    cluster = Cluster(
        ledger(case.identity), None, case.limits, rng, partitions=partitions, workers=2, work_share=work_share
    )
    arrivals = [(arrival.arrived_at, said_as_json(arrival.said)) for arrival in case.arrived]
    cluster.run(arrivals, as_of, fault_rate=fault_rate)
    return cluster


def test_a_link_reaches_back_by_the_hour_that_it_is_rounded_to() -> None:
    """A log-in at 1:57 holds from 1:00 on: what happened a look-back before that is older than both bounds together."""
    bound = 2 * HOUR_MS
    case = Case(Identity(ranks=RANKS, look_back_ms=bound), Limits(lateness_ms=bound, allowance_ms=0, skew_ms=0), [])
    box, noon = ("email", "x@example.org"), START // HOUR_MS * HOUR_MS
    for number in range(40):
        at = noon - bound + HOUR_MS + number * MINUTE_MS
        case.arrived.append(Arrived(at, Said(f"e{number}", at, "web", "view", (box,))))
    login = Said("login", noon + HOUR_MS + 57 * MINUTE_MS, "web", "view", (box, ("customer_id", "c1")))
    case.arrived.append(Arrived(login.at + bound, login))
    as_of = login.at + bound
    last = Said("last", as_of - MINUTE_MS, "web", "view", (box,))
    case.arrived.append(Arrived(last.at, last))  # before the log-in comes: what is old enough folds

    cluster = run(case, as_of, Random(0), 1, 0.9, fault_rate=0)

    histories = Oracle(case.identity, case.limits, case.arrived).histories(ledger(case.identity), as_of)
    assert [len(history) for history in histories.values()] == [42]
    assert net_history(cluster.published()) == histories
