"""The history depends on the touchpoints alone: not on order, repeats, restarts, workers or partitions."""

import os
from collections import Counter
from pathlib import Path
from random import Random

import msgspec
import pytest

from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition
from journey_stream.events.log import AsOf, TouchpointRecord
from journey_stream.events.outputs import ChurnRiskChange, ProfileView, StageChange
from journey_stream.events.times import DAY_MS, to_ms
from journey_stream.history.record import HistoryRecord
from journey_stream.history.simulate import simulate_records
from journey_stream.journey.load import preset
from journey_stream.journey.model import Model
from tests.support.cluster import WORK_SHARE, Cluster, as_json, hash_of
from tests.support.journeys import delayed, net_history, random_touchpoints, tricky_model
from tests.support.risks import nervous_scorer, net_risks

LATENESS_DAYS = 10
LIMITS = Limits(lateness_ms=LATENESS_DAYS * DAY_MS, allowance_ms=DAY_MS)
SCORER = nervous_scorer()
CLUSTERS = ((1, 1), (4, 3), (7, 3))
"""(partitions, workers)"""

RESTARTS_ABOUT = 50
"""In a long run; each restores all that its task holds."""


def arrivals(rng: Random, records: list[TouchpointRecord]) -> list[tuple[int, bytes]]:
    """Late by up to the bound, and one in twenty comes twice."""
    late = [(r.arrived_at, as_json(r)) for r in delayed(rng, records, LATENESS_DAYS)]
    return late + rng.sample(late, len(late) // 20)


def direct_hash(model: Model, records: list[TouchpointRecord], as_of: int) -> str:
    """The canonical state of one task that sees everything in order."""
    engine = Partition(model, LIMITS, SCORER)
    for record in records:
        engine.apply(record)
    engine.apply(AsOf(as_of))
    engine.drain_state()
    return hash_of(sorted(engine.canonical()))


def simulated_history(model: Model, records: list[TouchpointRecord], as_of: int, out: Path) -> dict[str, list[object]]:
    """The net history that `journey-stream simulate` writes for the sorted input."""
    history = [HistoryRecord(r.occurred_at, as_json(r), "input", n) for n, r in enumerate(records)]
    simulate_records(history, model, out, scorer=SCORER, limits=LIMITS, as_of=as_of)
    net: dict[str, list[StageChange]] = {}
    with (out / "stage-changes.jsonl").open("rb") as lines:
        for line in lines:
            change = StageChange.model_validate_json(line)
            entries = net.setdefault(change.profile_id, [])
            if change.kind == "entered":
                entries.append(change)
            else:
                entries.remove(next(e for e in entries if e.change_id == change.change_id))
    return {
        profile: [(round(e.entered_at.timestamp() * 1000), e.from_stage, e.to_stage, e.because.rule) for e in entries]
        for profile, entries in net.items()
        if entries
    }


def simulated_risks(out: Path) -> dict[str, list[tuple[object, ...]]]:
    """The net history of risk in the files that `simulate` wrote."""
    net: dict[str, list[ChurnRiskChange]] = {}
    with (out / "churn-risk.jsonl").open("rb") as lines:
        for line in lines:
            change = ChurnRiskChange.model_validate_json(line)
            entries = net.setdefault(change.profile_id, [])
            if change.kind == "entered":
                entries.append(change)
            else:
                entries.remove(next(e for e in entries if e.risk_id == change.risk_id))
    return {
        profile: [
            (to_ms(e.entered_at), e.previous_band, e.band, e.probability, e.cause, tuple(e.because.evidence))
            for e in entries
        ]
        for profile, entries in net.items()
        if entries
    }


def simulated_segments(out: Path) -> dict[str, tuple[object, ...]]:
    """Where everybody ends in the files that `simulate` wrote: segment, and the RFM scores that time leaves alone."""
    found = {}
    with (out / "profiles.jsonl").open("rb") as lines:
        for line in lines:
            view = ProfileView.model_validate_json(line)
            lasting = None if view.rfm is None else (view.rfm.frequency, view.rfm.monetary)
            found[view.profile_id] = view.segment, lasting
    return found


def show_same_history_everywhere(model: Model, seed: int, count: int, out: Path) -> None:
    """Raise AssertionError unless every cluster ends with the state and the history of the sorted input."""
    rng = Random(seed)
    records = random_touchpoints(rng, count, profiles=max(3, count // 25), days=120)
    as_of = records[-1].occurred_at + (LATENESS_DAYS + rng.randrange(40)) * DAY_MS
    expected_state = direct_hash(model, records, as_of)
    expected_history = simulated_history(model, records, as_of, out)
    expected_risks = simulated_risks(out)
    expected_segments = simulated_segments(out)
    restarts = 0
    for partitions, workers in CLUSTERS:
        cluster = Cluster(model, SCORER, LIMITS, Random(seed + partitions), partitions=partitions, workers=workers)

        cluster.run(arrivals(rng, records), as_of, fault_rate=min(0.05, RESTARTS_ABOUT / (WORK_SHARE * count)))

        assert cluster.state_hash() == expected_state, f"seed {seed}: {partitions} partitions, {workers} workers"
        found = {
            profile: [(e.at, e.before, e.after, e.rule) for e in entries]
            for profile, entries in net_history(cluster.published()).items()
        }
        assert found == expected_history, f"seed {seed}: {partitions} partitions, {workers} workers"
        risks = {
            profile: [tuple(entry)[:-1] for entry in entries]
            for profile, entries in net_risks(cluster.published_risks()).items()
        }
        assert risks == expected_risks, f"seed {seed}: {partitions} partitions, {workers} workers"
        segments = {
            profile: (view.segment, None if view.rfm is None else (view.rfm.frequency, view.rfm.monetary))
            for profile, view in cluster.views().items()
        }
        assert segments == expected_segments, f"seed {seed}: {partitions} partitions, {workers} workers"
        restarts += cluster.restarts
    digest = hash_of([(p, msgspec.msgpack.encode(h)) for p, h in sorted(expected_history.items())])
    risk_digest = hash_of([(p, msgspec.msgpack.encode(h)) for p, h in sorted(expected_risks.items())])
    spread = Counter(segment for segment, _ in expected_segments.values())
    print(
        f"seed {seed}: {count} touchpoints, {restarts} restarts, state {expected_state[:12]}, "
        f"history {digest[:12]}, risk {risk_digest[:12]}, segments {dict(spread)}"
    )
    assert restarts > 0


@pytest.mark.parametrize("seed", range(20))
def test_same_history_in_every_order_on_every_cluster(seed: int, tmp_path: Path) -> None:
    model = tricky_model(segments=True) if seed % 2 else preset("six-stages")
    show_same_history_everywhere(model, seed, 3_000, tmp_path)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_same_history_of_a_million_touchpoints(seed: int, tmp_path: Path) -> None:
    count = int(os.environ.get("JOURNEY_SOAK_TOUCHPOINTS", "1000000"))
    show_same_history_everywhere(tricky_model(segments=True), seed, count, tmp_path)
