"""Every number of the live map's API from its definition, from files and in plain Python: no database, no projection.

What was told is read from files as `simulate` writes them, and so are the touchpoints: as a source carries them, each
with when it arrived. Whom a touchpoint belongs to is what the oracle of identity says.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from journey_stream.engine.limits import Limits
from journey_stream.journey.model import Model
from tests.support.attribution_oracle import credits_of
from tests.support.identity_oracle import Arrived, Oracle, Said, usable

DAY_MS = 86_400_000
BANDS = ("low", "medium", "high", "critical", "unscored")
MODELS = ("first", "last", "linear", "position", "time_decay", "markov", "shapley")
CURRENT = ("stage", "entered_at", "previous_stage", "rule", "last_touchpoint_at", "updated_at", "overflow")

Json = dict[str, Any]


class Arrival(NamedTuple):
    """A record of a source, and when it came there (ms)."""

    at: int
    value: bytes


@dataclass(frozen=True)
class Asked:
    """The filter of the API; instants in ms."""

    from_: int | None = None
    to: int | None = None
    channel: str | None = None
    campaign: str | None = None
    segment: str | None = None

    def holds(self, at: int) -> bool:
        return (self.from_ is None or at >= self.from_) and (self.to is None or at < self.to)

    @property
    def query(self) -> dict[str, str]:
        named = {"from": self.from_, "to": self.to}
        found = {name: written(at) for name, at in named.items() if at is not None}
        texts = {"channel": self.channel, "campaign": self.campaign, "segment": self.segment}
        return found | {name: text for name, text in texts.items() if text is not None}


class Met(NamedTuple):
    """A touchpoint that counts."""

    at: int
    event_id: str
    channel: str
    type: str
    campaign: str | None
    value: float | None
    currency: str | None
    owner: str


class MapOracle:
    """`folder` holds what was told, `arrivals` are all records of the sources."""

    def __init__(self, folder: Path, arrivals: Iterable[Arrival], model: Model, limits: Limits) -> None:
        self.model, self.arrivals = model, list(arrivals)
        self.messages, self.risk_messages, self.identity_messages, views, self.dead_letters = (
            [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]
            for name in ("stage-changes", "churn-risk", "identity-changes", "profiles", "dead-letters")
        )
        self.views: dict[str, Json] = {view["profile_id"]: view for view in views}
        self.standing = [one for one in _winners(self.messages, "change_id") if one["kind"] == "entered"]
        self.met = _met(self.arrivals, model, limits)
        self.now = max(ms(view["updated_at"]) for view in self.views.values())

    # --- the questions

    def map(self, asked: Asked) -> Json:
        people = self.customers_in(asked)
        changes = [one for one in self.standing if one["profile_id"] in people and asked.holds(ms(one["entered_at"]))]
        return {
            "now": written(self.now),
            "totals": self._totals(asked, people, changes),
            "stages": [self._stage(stage.id, stage.meaning, people, changes) for stage in self.model.stages],
            "flows": self._flows(changes),
            "stalls": self._stalls(people, changes),
            "drop_offs": self._drop_offs(changes),
            "bands": self._bands(people),
            "options": self._options(),
        }

    def cohorts(self, asked: Asked) -> Json:
        people = self.customers_in(asked)
        first: dict[str, int] = {}
        for one in self.standing:
            who, at = one["profile_id"], ms(one["entered_at"])
            first[who] = min(at, first.get(who, at))
        born: dict[int, set[str]] = defaultdict(set)
        for who in people & first.keys():
            born[_month(first[who])].add(who)
        active = {who: {_month(met.at) for met in self.met.get(who, ())} for who in people}
        last = _month(self.now)
        return {
            "months": [_name(month) for month in sorted(born)],
            "cohorts": [
                {
                    "month": _name(month),
                    "size": len(born[month]),
                    "retained": [
                        sum(month + k in active[who] for who in born[month]) for k in range(12) if month + k <= last
                    ],
                }
                for month in sorted(born)
            ],
        }

    def attribution(self, asked: Asked, goal: str, by: str, look_back_days: int) -> Json:
        won: list[list[tuple[int, str]]] = []
        lost: list[list[tuple[int, str]]] = []
        empty = 0
        for who in self.customers_in(asked):
            steps = [(met.at, _key(met, by)) for met in self.met.get(who, ())]
            reached = sorted(
                ms(one["entered_at"])
                for one in self.standing
                if one["profile_id"] == who and one["to_stage"] == goal
            )  # fmt: skip
            reached = [at for at in reached if asked.to is None or at < asked.to]
            for number, at in enumerate(reached):
                before = reached[number - 1] if number else None
                path = [
                    step
                    for step in steps
                    if at - look_back_days * DAY_MS <= step[0] <= at and (before is None or step[0] > before)
                ]
                if asked.from_ is None or at >= asked.from_:
                    empty += not path
                    won += [path] if path else []
            end = self.now if asked.to is None else min(self.now, asked.to - 1)
            rest = [step for step in steps if asked.holds(step[0])]
            if reached:
                rest = [step for step in rest if step[0] > reached[-1] and step[0] >= end - look_back_days * DAY_MS]
            lost += [rest] if rest else []
        found = credits_of(won, lost)
        keys = sorted({key for path in won + lost for _, key in path})
        return {
            "goal": goal,
            "by": by,
            "look_back_days": look_back_days,
            "conversions": len(won) + empty,
            "unattributed": empty,
            "keys": [key or None for key in keys],
            "models": {name: [found[name][key] for key in keys] for name in MODELS},
        }

    def customers(self, asked: Asked = Asked(), limit: int = 50, **wanted: str) -> Json:
        people = self.customers_in(asked)

        def fits(view: Json) -> bool:
            parts = [view["profile_id"], *view.get("identifiers", [])]
            return (
                view["profile_id"] in people
                and wanted.get("stage", view["stage"]) == view["stage"]
                and wanted.get("band", _band(view)) == _band(view)
                and any(wanted.get("q", "").lower() in part.lower() for part in parts)
            )

        found = sorted(filter(fits, self.views.values()), key=lambda view: view["profile_id"])
        found.sort(key=lambda view: view["last_touchpoint_at"], reverse=True)
        return {
            "customers": [
                {
                    **{name: view[name] for name in ("profile_id", "stage", "entered_at")},
                    **{name: (view["risk"] or {}).get(name) for name in ("band", "probability")},
                    **{name: view[name] for name in ("segment", "last_touchpoint_at")},
                }
                for view in found[:limit]
            ]
        }

    def person(self, who: str) -> Json | None:
        changes, risks = (_of(who, messages) for messages in (self.messages, self.risk_messages))
        known = [one for one in self.identity_messages if who in {one["profile_id"], one["parent"]}]
        known.sort(key=lambda one: (-ms(one["at"]), one["profile_id"], -one["revision"]))
        own = max((one for one in known if one["profile_id"] == who), key=lambda one: one["revision"], default=None)
        view = self.views.get(who)
        if not (changes or risks or known or view or self.met.get(who)):
            return None
        standing = {one["revision"] for one in self.standing if one["profile_id"] == who}
        bands = {one["revision"] for one in _winners(risks, "risk_id") if one["kind"] == "entered"}
        return {
            "profile_id": who,
            "merged_into": own["merged_into"] if own is not None and view is None else None,
            "view": None if view is None else _current(view),
            "changes": [_change(one, standing=one["revision"] in standing) for one in changes],
            "risks": [_risk(one, standing=one["revision"] in bands) for one in risks],
            "identities": known,
            "touchpoints": [_touchpoint(met) for met in reversed(self.met.get(who, []))],
        }

    def everybody(self) -> list[str]:
        """All of whom anything is known."""
        told = (*self.messages, *self.risk_messages, *self.identity_messages)
        return sorted({*self.views, *self.met, *(one["profile_id"] for one in told)})

    def goal(self) -> str:
        ids = [stage.id for stage in self.model.stages]
        return "purchase" if "purchase" in ids else ids[-1]

    # --- the definitions

    def customers_in(self, asked: Asked) -> set[str]:
        return {
            who
            for who, view in self.views.items()
            if asked.segment in {None, view["segment"]}
            and (
                (asked.channel is None and asked.campaign is None)
                or any(asked.holds(met.at) and _fits(met, asked) for met in self.met.get(who, ()))
            )
        }

    def _totals(self, asked: Asked, people: set[str], changes: Sequence[Json]) -> Json:
        return {
            "customers": len(people),
            "touchpoints": sum(
                asked.holds(met.at) and _fits(met, asked) for who in people for met in self.met.get(who, ())
            ),
            "changes": len(changes),
            "corrections": sum(
                one["kind"] == "retracted" and one["profile_id"] in people and asked.holds(ms(one["entered_at"]))
                for one in self.messages
            ),
            "dead_letters": len(self.dead_letters),
            "newest_touchpoint_at": written(max(met.at for who in self.views for met in self.met.get(who, ()))),
        }

    def _stage(self, stage: str, meaning: str, people: set[str], changes: Sequence[Json]) -> Json:
        entered = [one for one in changes if one["to_stage"] == stage]
        left = [one for one in changes if one["from_stage"] == stage]
        return {
            "id": stage,
            "meaning": meaning,
            "customers_now": sum(self.views[who]["stage"] == stage for who in people),
            "entered": len(entered),
            "left": len(left),
            "median_seconds": median(one["seconds_in_previous"] for one in left) if left else None,
            "brought_by": self._triggers(one for one in entered if not _is_silence(one)),
            "left_after": self._triggers(one for one in left if _is_silence(one)),
        }

    def _triggers(self, changes: Iterable[Json]) -> list[Json]:
        counter: Counter[tuple[str | None, str | None]] = Counter()
        for one in changes:
            cited = set(one["because"]["evidence"])
            # Those of a customer are in order of time.
            found = [met for met in self.met.get(one["profile_id"], ()) if met.event_id in cited]
            counter[(found[-1].channel, found[-1].type) if found else (None, None)] += 1
        ranked = sorted(counter.items(), key=lambda item: (-item[1], item[0][0] is None, item[0]))
        return [{"channel": channel, "type": kind, "count": count} for (channel, kind), count in ranked]

    def _flows(self, changes: Sequence[Json]) -> list[Json]:
        lengths: dict[tuple[str | None, str], list[float | None]] = defaultdict(list)
        for one in changes:
            lengths[one["from_stage"], one["to_stage"]].append(one["seconds_in_previous"])
        ranked = sorted(lengths.items(), key=lambda item: (-len(item[1]), item[0][0] or "", item[0][1]))
        return [
            {
                "from": before,
                "to": after,
                "count": len(found),
                "median_seconds": None if before is None else median(one for one in found if one is not None),
            }
            for (before, after), found in ranked
        ]

    def _stalls(self, people: set[str], changes: Sequence[Json]) -> list[Json]:
        known, unknown = [], []
        for stage in [stage.id for stage in self.model.stages]:
            left = sorted(one["seconds_in_previous"] for one in changes if one["from_stage"] == stage)
            if len(left) < 5:
                unknown.append({"stage": stage, "count": None, "share": None, "threshold_seconds": None})
                continue
            longest = left[ceil(0.9 * len(left)) - 1]
            here = [self.views[who] for who in people if self.views[who]["stage"] == stage]
            stuck = sum((self.now - ms(view["entered_at"])) / 1000 > longest for view in here)
            share = stuck / len(here) if here else 0
            known.append({"stage": stage, "count": stuck, "share": share, "threshold_seconds": longest})
        return sorted(known, key=lambda one: -one["count"]) + unknown

    @staticmethod
    def _drop_offs(changes: Sequence[Json]) -> list[Json]:
        left = Counter(one["from_stage"] for one in changes)
        silent = Counter((one["from_stage"], one["to_stage"]) for one in changes if _is_silence(one))
        ranked = sorted(silent.items(), key=lambda item: (-item[1], item[0]))
        return [{"from": a, "to": b, "count": count, "share": count / left[a]} for (a, b), count in ranked]

    def _bands(self, people: set[str]) -> list[Json]:
        counter = Counter((self.views[who]["stage"], _band(self.views[who])) for who in people)
        return [
            {"stage": stage.id, **{band: counter[stage.id, band] for band in BANDS}} for stage in self.model.stages
        ]  # fmt: skip

    def _options(self) -> Json:
        met = [one for who in self.views for one in self.met.get(who, ())]
        return {
            "channels": sorted({one.channel for one in met}),
            "campaigns": sorted({one.campaign for one in met if one.campaign is not None}),
            "segments": sorted({view["segment"] for view in self.views.values() if view["segment"] is not None}),
        }


def _met(arrivals: Iterable[Arrival], model: Model, limits: Limits) -> dict[str, list[Met]]:
    """The counted touchpoints of every profile, in the order of (occurred_at, event_id)."""
    assert model.identity is not None
    arrived, documents = [], {}
    for at, value in arrivals:
        try:
            document = json.loads(value)
        except ValueError:
            continue
        said = _said(document)
        arrived.append(Arrived(at, said))
        documents[said.event_id, said.at, said.channel, said.type] = document, said
    found = {}
    for who, contents in Oracle(model.identity, limits, arrived).profiles().items():
        found[who] = []
        for content in contents:
            document, said = documents[content.event_id, content.at, content.channel, content.type]
            owner = usable(model.identity, said.identifiers)[0]
            extra = (document.get("campaign"), document.get("value"), document.get("currency"))
            found[who].append(Met(content.at, content.event_id, content.channel, content.type, *extra, owner))
        found[who].sort(key=lambda met: (met.at, met.event_id))
    return found


def _said(document: Json) -> Said:
    # The policy of the model: trimmed, and e-mail addresses in lower case.
    named = {kind: value.strip() for kind, value in document["identifiers"].items()}
    if "email" in named:
        named["email"] = named["email"].lower()
    properties = document.get("properties", {})
    since = properties.get("at", properties.get("since")) if document["channel"] == "identity" else None
    at = document["occurred_at"]
    value = document.get("value")
    return Said(document["event_id"], at, document["channel"], document["type"], tuple(named.items()), value, since)


def _winners(messages: Iterable[Json], name: str) -> list[Json]:
    """Per profile and id, the message of the highest revision."""
    last: dict[tuple[str, str], Json] = {}
    for one in messages:
        key = one["profile_id"], one[name]
        if key not in last or last[key]["revision"] < one["revision"]:
            last[key] = one
    return list(last.values())


def _of(who: str, messages: Iterable[Json]) -> list[Json]:
    return sorted((one for one in messages if one["profile_id"] == who), key=lambda one: -one["revision"])


def _fits(met: Met, asked: Asked) -> bool:
    return asked.channel in {None, met.channel} and asked.campaign in {None, met.campaign}


def _key(met: Met, by: str) -> str:
    keys = {"type": f"{met.channel} {met.type}", "channel": met.channel, "campaign": met.campaign or ""}
    return keys[by]


def _is_silence(change: Json) -> bool:
    return change["because"].get("silent_since") is not None


def _band(view: Json) -> str:
    return view["risk"]["band"] if view["risk"] else "unscored"


def _current(view: Json) -> Json:
    risk, rfm = view["risk"] or {}, view["rfm"] or {}
    return {
        **{name: view[name] for name in CURRENT},
        "identifiers": view.get("identifiers", []),
        "band": risk.get("band"),
        "probability": risk.get("probability"),
        "risk_since": risk.get("since"),
        "segment": view["segment"],
        **{f"rfm_{name}": rfm.get(name) for name in ("recency", "frequency", "monetary")},
        "revision": view["revision"],
    }


def _message(one: Json, names: Sequence[str], because: Sequence[str], *, standing: bool) -> Json:
    return {
        **{name: one[name] for name in names},
        **{name: one["because"].get(name) for name in because},
        "model_name": one["model"]["name"],
        "model_version": one["model"]["version"],
        "standing": standing,
    }


def _change(one: Json, *, standing: bool) -> Json:
    names = ("revision", "change_id", "kind", "from_stage", "to_stage", "entered_at", "seconds_in_previous")
    because = ("rule", "text", "evidence", "silent_since", "window_seconds")
    return _message(one, (*names, "current", "cause"), because, standing=standing)


def _risk(one: Json, *, standing: bool) -> Json:
    names = ("revision", "risk_id", "kind", "band", "previous_band", "probability", "window_days", "entered_at")
    more = ("current", "cause", "typical_log_odds", "contributions")
    return _message(one, (*names, *more), ("text", "evidence", "silent_since"), standing=standing)


def _touchpoint(met: Met) -> Json:
    named = {"event_id": met.event_id, "occurred_at": written(met.at), "channel": met.channel, "type": met.type}
    return named | {"campaign": met.campaign, "value": met.value, "currency": met.currency, "owner_id": met.owner}


def ms(instant: str) -> int:
    return round(datetime.fromisoformat(instant).timestamp() * 1000)


def written(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _month(at: int) -> int:
    day = datetime.fromtimestamp(at / 1000, UTC)
    return day.year * 12 + day.month - 1


def _name(month: int) -> str:
    return f"{month // 12}-{month % 12 + 1:02d}"


def differences(expected: Any, actual: Any, place: str = "", tolerance: float = 1e-6) -> list[str]:
    """Where two JSON values are not the same, numbers to within the tolerance."""
    if isinstance(expected, dict) and isinstance(actual, dict) and expected.keys() == actual.keys():
        return _join(lambda key: differences(expected[key], actual[key], f"{place}.{key}", tolerance), expected)
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return _join(lambda n: differences(expected[n], actual[n], f"{place}[{n}]", tolerance), range(len(expected)))
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        same = abs(expected - actual) <= tolerance
    else:
        same = expected == actual
    return [] if same else [f"{place}: expected {expected!r}, got {actual!r}"]


def _join(compare: Callable[[Any], list[str]], places: Iterable[Any]) -> list[str]:
    return [one for place in places for one in compare(place)]
