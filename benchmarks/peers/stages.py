"""The six-stage journey as plain code, for the Python peers; `kafka-streams/` has the same in Java.

The rules are those of the preset `six-stages`. Stages are attributed in the order of arrival: a late touchpoint
corrects nothing, silence is noticed with the next touchpoint only, and the reason of a change is the rule and the
touchpoint that fired it. The state is as small as is reasonable: 64 bits for an event id.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec

LOWER = ("loyalty_card", "email", "phone", "device_id", "anonymous_id")
"""Identifiers below the customer id, the one that identifies best first."""

IDS = ("awareness", "consideration", "decision", "purchase", "retention", "advocacy")
REACHED, ENGAGEMENT, INTEREST, LEAD, INTENT, PURCHASE, COUPON, PART, RECOMMENDATION = (1 << bit for bit in range(9))
MEANING = {
    ("email", "sent"): REACHED,
    ("email", "opened"): ENGAGEMENT,
    ("email", "clicked"): ENGAGEMENT | INTEREST,
    ("web", "page_view"): ENGAGEMENT,
    ("web", "product_view"): ENGAGEMENT | INTEREST,
    ("web", "search"): ENGAGEMENT | INTEREST,
    ("web", "add_to_cart"): ENGAGEMENT | INTENT,
    ("web", "checkout_started"): ENGAGEMENT | INTENT,
    ("web", "purchase"): ENGAGEMENT | PURCHASE,
    ("store", "purchase"): ENGAGEMENT | PURCHASE,
    ("store", "visit"): ENGAGEMENT | INTEREST,
    ("store", "coupon_redeemed"): ENGAGEMENT | COUPON | PART,
    ("crm", "lead_created"): ENGAGEMENT | LEAD,
    ("crm", "quote_requested"): ENGAGEMENT | INTENT,
    ("survey", "review_posted"): ENGAGEMENT | PART,
    ("survey", "referral"): ENGAGEMENT | PART | RECOMMENDATION,
}
DAY_MS = 86_400_000
KEEP_MS = 90 * DAY_MS
HELD_MAX = 2000
# For each stage: after this silence, of this kind, back to this stage.
INACTIVITY = {
    5: (120 * DAY_MS, PART, 4, "advocate-gone-quiet"),
    4: (45 * DAY_MS, PURCHASE, 3, "regular-stopped-buying"),
    3: (90 * DAY_MS, ENGAGEMENT, 1, "customer-gone-quiet"),
    2: (14 * DAY_MS, ENGAGEMENT, 1, "order-abandoned"),
    1: (30 * DAY_MS, ENGAGEMENT, 0, "lost-interest"),
}


class Touchpoint(msgspec.Struct, gc=False):
    """The fields of a source record that the job reads."""

    event_id: str
    occurred_at: datetime
    channel: str
    type: str
    identifiers: dict[str, str]
    properties: dict[str, Any] = {}


class Customer(msgspec.Struct, array_like=True, gc=False):
    """One customer's state: the stage, when it was entered (ms), and the touchpoints of the last 90 days."""

    stage: int = -1
    entered_at: int = 0
    last_at: int = 0
    times: list[int] = []
    ids: list[int] = []
    meanings: list[int] = []

    def count(self, meaning: int, at: int, within_ms: int) -> int:
        """How many touchpoints with a meaning happened in (at - within, at]."""
        after = at - within_ms
        return sum(1 for t, m in zip(self.times, self.meanings, strict=True) if m & meaning and after < t <= at)

    def last(self, meaning: int) -> int:
        """When the last touchpoint with a meaning happened, or 0."""
        return max((t for t, m in zip(self.times, self.meanings, strict=True) if m & meaning), default=0)

    def add(self, at: int, event: int, meaning: int) -> None:
        """Append a touchpoint and let go of those that are too old."""
        self.last_at = max(self.last_at, at)
        self.times.append(at)
        self.ids.append(event)
        self.meanings.append(meaning)
        while self.times[0] < self.last_at - KEEP_MS or len(self.times) > HELD_MAX:
            del self.times[0], self.ids[0], self.meanings[0]


_touchpoint = msgspec.json.Decoder(Touchpoint).decode
_customer = msgspec.msgpack.Decoder(Customer).decode
_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode


def owner_of(value: bytes) -> bytes | None:
    """The key to repartition by, the highest identifier; None for a record that is not a valid touchpoint."""
    try:
        identifiers = _touchpoint(value).identifiers
    except (msgspec.MsgspecError, ValueError):
        return None
    customer = identifiers.get("customer_id")
    if customer:
        return customer.encode()
    for kind in LOWER:
        if found := identifiers.get(kind):
            return f"{kind}:{found}".encode()
    return None


def step(key: bytes, value: bytes, packed: bytes | None) -> tuple[bytes | None, list[bytes]]:
    """One touchpoint of one customer: the new state (None: unchanged) and the stage changes."""
    read = _touchpoint(value)
    customer = _customer(packed) if packed else Customer()
    event = int.from_bytes(read.event_id.encode()[-16:], "big") & 0x7FFF_FFFF_FFFF_FFFF
    if event in customer.ids:
        return None, []
    at = int(read.occurred_at.timestamp() * 1000)
    changes: list[bytes] = []
    while move := _silence(customer, at):
        changes.append(_change(key, customer, read.event_id, move))
    meaning = _meaning(read)
    customer.add(at, event, meaning)
    if move := _decide(customer, meaning, at):
        changes.append(_change(key, customer, read.event_id, move))
    return _pack(customer), changes


class _Move(msgspec.Struct, gc=False):
    rule: str
    to: int
    at: int
    cause: str = "touchpoint"


def _meaning(read: Touchpoint) -> int:
    meaning = MEANING.get((read.channel, read.type), 0)
    return meaning | RECOMMENDATION if read.type == "review_posted" and read.properties["score"] >= 4 else meaning


def _silence(customer: Customer, at: int) -> _Move | None:
    """The move that was due before `at` because nothing happened; noticed only now."""
    if customer.stage < 1:
        return None
    nothing_for_ms, meaning, to, rule = INACTIVITY[customer.stage]
    if customer.entered_at + nothing_for_ms >= at:
        return None
    due = max(customer.last(meaning), customer.entered_at) + nothing_for_ms
    return _Move(rule, to, due, "timer") if due < at else None


def _decide(customer: Customer, meaning: int, at: int) -> _Move | None:
    """The first rule in order of priority that fires for a touchpoint just added."""
    stage = customer.stage
    if meaning & RECOMMENDATION and 3 <= stage < 5:
        return _Move("recommends-us", 5, at)
    if stage == 4 and customer.count(COUPON, at, 90 * DAY_MS) >= 3 and customer.count(PURCHASE, at, 90 * DAY_MS) >= 12:
        return _Move("engaged-regular", 5, at)
    if stage == 3 and customer.count(PURCHASE, at, 60 * DAY_MS) >= 3:
        return _Move("repeat-purchase", 4, at)
    if stage < 3 and meaning & PURCHASE:
        return _Move("bought", 3, at)
    if stage < 2 and meaning & INTENT:
        return _Move("shows-intent", 2, at)
    if stage < 1 and (meaning & LEAD or customer.count(INTEREST, at, 14 * DAY_MS) >= 3):
        return _Move("looks-closer", 1, at)
    return _Move("first-contact", 0, at) if stage < 0 and meaning & (ENGAGEMENT | REACHED) else None


def _change(key: bytes, customer: Customer, event_id: str, move: _Move) -> bytes:
    """Make the move, and say so."""
    before = customer.stage
    change = {
        "change_id": f"{event_id}-{move.to}",
        "kind": "entered",
        "profile_id": key.decode(),
        "from_stage": None if before < 0 else IDS[before],
        "to_stage": IDS[move.to],
        "entered_at": datetime.fromtimestamp(move.at / 1000, UTC),
        "seconds_in_previous": None if before < 0 else (move.at - customer.entered_at) / 1000,
        "cause": move.cause,
        "because": {"rule": move.rule, "evidence": [event_id]},
    }
    customer.stage, customer.entered_at = move.to, move.at
    return _json(change)
