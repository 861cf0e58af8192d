"""Churn parameters under which small lives change band all the time, and the reading of published risk messages."""

from collections.abc import Iterable

from journey_stream.churn.load import parse_parameters
from journey_stream.churn.score import Scorer
from journey_stream.events.decisions import Decision, RiskChanged
from tests.support.risk_oracle import RiskEntry

NERVOUS = """
churn: nervous
version: 2
window: 3d
time_unit: 1d
occasion: 6h
touchpoints:
  buy: {meaning: bought, match: [{type: buy}]}
  big: {meaning: spent much, match: [{type: buy, where: {value: {gte: 50}}}]}
  cart: {meaning: filled a cart, match: [{channel: web, type: cart}]}
  note: {meaning: complained, match: [{type: note}]}
event: buy
bgnbd: {r: 0.8, alpha: 0.7, a: 0.6, b: 2.5}
recalibration:
  intercept: -0.2
  model: {weight: 0.8, typical: 0.1}
  pace: {weight: 0.4, typical: -0.3}
  active: {weight: 0.7, typical: 0.8}
  once: {weight: -0.3, typical: 0.2}
  quiet: {weight: 1.5, typical: 0.3}
  basket: {weight: -0.15, typical: 3.0}
signals:
- {id: anger, touchpoint: note, weight: 3.0, half_life: 9h, basis: judged, text: complained}
- {id: hope, touchpoint: cart, weight: -1.5, half_life: 20h, basis: judged, text: filled a cart}
- {id: luxury, touchpoint: big, weight: -0.8, half_life: 5d, basis: judged, text: spent much}
bands:
  medium: {enter: 0.35, leave: 0.3}
  high: {enter: 0.55, leave: 0.5}
  critical: {enter: 0.8, leave: 0.72}
rfm:
  recency: [7h, 40h, 5d, 8d]
  frequency: [1, 2, 4, 7]
  monetary: [0, 40, 90.5, 200]
provenance: {data: made up, since: '2023-01-01', until: '2023-02-01', customers: 1, purchases: 1}
"""


def nervous_scorer(*, version: int = 2, intercept: float = -0.2) -> Scorer:
    """Bands are close, complaints strong and soon forgiven."""
    text = NERVOUS.replace("version: 2", f"version: {version}").replace("intercept: -0.2", f"intercept: {intercept}")
    return Scorer(parse_parameters(text, "nervous.yaml"))


def net_risks(decisions: Iterable[Decision]) -> dict[str, list[RiskEntry]]:
    """What a subscriber holds after applying the risk messages of each profile in the order of `revision`.

    Raises AssertionError when revisions have a gap or a repeat, when something is entered twice without having been
    retracted, or retracted without having been entered.
    """
    histories: dict[str, dict[str, RiskChanged]] = {}
    revisions: dict[str, int] = {}
    for change in decisions:
        if not isinstance(change, RiskChanged):
            continue
        profile = change.profile_id
        assert change.revision == revisions.get(profile, 0) + 1, f"{change} follows {revisions.get(profile)}"
        revisions[profile] = change.revision
        apply_risk(histories.setdefault(profile, {}), change)
    return {profile: standing_risks(history.values()) for profile, history in histories.items() if history}


def apply_risk(history: dict[str, RiskChanged], change: RiskChanged) -> None:
    """Apply one message; a retraction must state what was entered."""
    if change.kind == "entered":
        assert change.risk_id not in history, f"entered twice: {change}"
        history[change.risk_id] = change
        return
    assert not change.current, change
    entered = history.pop(change.risk_id, None)
    assert entered is not None, f"retracted but never entered: {change}"
    assert (change.probability, change.contributions) == (entered.probability, entered.contributions), change


def standing_risks(changes: Iterable[RiskChanged]) -> list[RiskEntry]:
    """The changes as the oracle writes them, oldest first."""
    signals = ("anger", "hope", "luxury")
    return [
        RiskEntry(
            c.entered_at,
            c.previous_band,
            c.band,
            c.probability,
            c.cause,
            c.evidence,
            tuple(sorted(one.factor for one in c.contributions if one.factor in signals)),
        )
        for c in sorted(changes, key=lambda c: (c.entered_at, c.revision))
    ]
