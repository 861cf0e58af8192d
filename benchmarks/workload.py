"""Touchpoints to measure with: seeded, in the contract of the source topics, four sources, never keyed by customer.

What makes them resemble real ones: customers differ in how much they do, most of it is browsing, web touchpoints come
in sessions, each source has a key of its own (session, message, till, case), and producers repeat themselves at times.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import gcd
from typing import NamedTuple

SOURCES = ("web", "email", "store", "crm")
OPEN_SESSIONS = 4096
BLOCK = 8192


@dataclass(frozen=True, slots=True)
class Workload:
    """How many touchpoints of how many customers, over which stretch of event time.

    `duplicates` is the share of touchpoints that come twice.
    """

    events: int
    customers: int
    start_ms: int
    span_ms: int
    seed: int = 7
    duplicates: float = 0.01


class Made(NamedTuple):
    """One source record: index into SOURCES, source key, customer, Kafka timestamp (ms) and JSON value."""

    source: int
    key: bytes
    customer: int
    timestamp_ms: int
    value: bytes


class _Kind(NamedTuple):
    weight: float
    source: int
    template: bytes


_HEAD = b'{"event_id":"%b","occurred_at":"%b","channel":"'
_WHO = b'","identifiers":{"customer_id":"c%d","'


def _kind(weight: float, source: str, type_: str, other_identifier: bytes, rest: bytes, channel: str = "") -> _Kind:
    head = _HEAD + (channel or source).encode() + b'","type":"' + type_.encode() + _WHO + other_identifier + b'"},'
    return _Kind(weight, SOURCES.index(source), head + rest + b"}")


_DEVICE = b'device_id":"d-%x'
_EMAIL = b'email":"person-%x@example.org'
_CARD = b'loyalty_card":"%013d'
_PAGE = b'"campaign":"spring-%d","properties":{"path":"/catalogue/item-%d","referrer":"search"}'
_MONEY = b'"campaign":"spring-%d","value":%d.5,"currency":"EUR","properties":{"items":2}'
_MAIL = b'"campaign":"newsletter-%d","properties":{"subject":"Week %d","link":"/catalogue"}'
_CASE = b'"campaign":"service-%d","properties":{"agent":"anna","topic":"delivery","case":%d}'
_ASKED = b'"properties":{"score":%d,"survey":%d,"language":"en"}'

KINDS: tuple[_Kind, ...] = (
    _kind(46.0, "web", "page_view", _DEVICE, _PAGE),
    _kind(15.0, "web", "product_view", _DEVICE, _PAGE),
    _kind(4.0, "web", "search", _DEVICE, _PAGE),
    _kind(4.0, "web", "add_to_cart", _DEVICE, _MONEY),
    _kind(1.5, "web", "checkout_started", _DEVICE, _MONEY),
    _kind(1.5, "web", "purchase", _DEVICE, _MONEY),
    _kind(6.0, "email", "sent", _EMAIL, _MAIL),
    _kind(7.0, "email", "opened", _EMAIL, _MAIL),
    _kind(3.0, "email", "clicked", _EMAIL, _MAIL),
    _kind(5.0, "store", "purchase", _CARD, _MONEY),
    _kind(3.0, "store", "visit", _CARD, _PAGE),
    _kind(1.0, "store", "coupon_redeemed", _CARD, _MONEY),
    _kind(1.6, "crm", "note", _EMAIL, _CASE),
    _kind(0.3, "crm", "lead_created", _EMAIL, _CASE),
    _kind(0.3, "crm", "quote_requested", _EMAIL, _CASE),
    _kind(0.6, "crm", "review_posted", _EMAIL, _ASKED, "survey"),
    _kind(0.2, "crm", "referral", _EMAIL, _ASKED, "survey"),
)
_KEYS = (b"session-%x", b"message-%x", b"till-%x", b"case-%x")


def touchpoints(workload: Workload) -> Iterator[Made]:
    """The records of a workload in the order of their Kafka timestamps, which are their event times."""
    rng = random.Random(workload.seed)
    draw, bits = rng.random, rng.getrandbits
    weights = [kind.weight for kind in KINDS]
    sessions = [(_somebody(draw, workload.customers), n, 1 + bits(4)) for n in range(OPEN_SESSIONS)]
    opened = OPEN_SESSIONS
    step_ms = workload.span_ms / workload.events
    made: Made | None = None
    index = 0
    while index < workload.events:
        for kind in rng.choices(KINDS, weights, k=min(BLOCK, workload.events - index)):
            timestamp_ms = workload.start_ms + int(index * step_ms)
            if made is not None and draw() < workload.duplicates:
                yield Made(made.source, made.key, made.customer, timestamp_ms, made.value)
                index += 1
                continue
            slot = bits(12)
            customer, session, left = sessions[slot]
            made = _record(kind, customer, session if kind.source == 0 else index, timestamp_ms, bits)
            yield made
            index += 1
            if left > 1:
                sessions[slot] = (customer, session, left - 1)
            else:
                sessions[slot] = (_somebody(draw, workload.customers), opened, 1 + bits(4))
                opened += 1


def evenly(workload: Workload) -> Iterator[Made]:
    """As `touchpoints`, but every customer has equally many and nothing comes twice."""
    rng = random.Random(workload.seed)
    bits = rng.getrandbits
    weights = [kind.weight for kind in KINDS]
    step_ms = workload.span_ms / workload.events
    stride = next(number for number in range(7919, 7919 + workload.customers) if gcd(number, workload.customers) == 1)
    index = 0
    while index < workload.events:
        for kind in rng.choices(KINDS, weights, k=min(BLOCK, workload.events - index)):
            customer = index * stride % workload.customers
            yield _record(kind, customer, index, workload.start_ms + int(index * step_ms), bits)
            index += 1


def _record(kind: _Kind, customer: int, key: int, timestamp_ms: int, bits: Callable[[int], int]) -> Made:
    event_id = b"%016x%016x" % (bits(64), bits(64))
    value = kind.template % (event_id, _rfc3339(timestamp_ms), customer, customer, bits(3), bits(10))
    return Made(kind.source, _KEYS[kind.source] % key, customer, timestamp_ms, value)


def sentinel(name: str, source: int, timestamp_ms: int) -> bytes:
    """A new customer's first page view: its stage change shows that everything before it was processed."""
    return KINDS[0].template.replace(b'"c%d"', b'"%b"') % (
        b"event-%b" % name.encode(),
        _rfc3339(timestamp_ms),
        name.encode(),
        source,
        1,
        1,
    )


def _somebody(draw: Callable[[], float], customers: int) -> int:
    return int(customers * draw() ** 1.6)


_second = (-1, b"")


def _rfc3339(timestamp_ms: int) -> bytes:
    global _second  # noqa: PLW0603 - a cache of one entry: times only advance
    second, ms = divmod(timestamp_ms, 1000)
    if second != _second[0]:
        _second = (second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode())
    return b"%b.%03dZ" % (_second[1], ms)
