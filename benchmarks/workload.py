"""Touchpoints to measure with: seeded, in the contract of the source topics, four sources, never keyed by customer.

What makes them resemble real ones: customers differ in how much they do, most of it is browsing, web touchpoints come
in sessions, each source has a key of its own (session, message, till, case), and producers repeat themselves at times.

Each names its customer and one more identifier, unless a `Mix` says who is named.
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


class Mix(NamedTuple):
    """Whom touchpoints name: shares of all that name only a device, and a device together with its customer.

    These are web touchpoints; every customer has one device. All others name nothing but the customer.
    """

    anonymous: float
    logins: float

    def __str__(self) -> str:
        if not self.anonymous and not self.logins:
            return "Touchpoints carry only a customer_id."
        return (
            f"{self.anonymous:.3g} of the touchpoints carry only a device_id, {self.logins:.3g} are log-ins (device_id "
            "and customer_id), the others carry only a customer_id."
        )


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
    mix: Mix | None = None


class Made(NamedTuple):
    """One source record: index into SOURCES, source key, profile id, Kafka timestamp (ms) and JSON value."""

    source: int
    key: bytes
    owner: bytes
    timestamp_ms: int
    value: bytes


class _Kind(NamedTuple):
    weight: float
    source: int
    who: bytes
    template: bytes


_HEAD = b'{"event_id":"%b","occurred_at":"%b","channel":"'
_CUSTOMER = b'"customer_id":"c%d"'


def _kind(weight: float, source: str, type_: str, other_identifier: bytes, rest: bytes, channel: str = "") -> _Kind:
    head = _HEAD + (channel or source).encode() + b'","type":"' + type_.encode() + b'","identifiers":{%b},'
    return _Kind(weight, SOURCES.index(source), _CUSTOMER + b"," + other_identifier, head + rest + b"}")


_DEVICE = b'"device_id":"d-%x"'
_EMAIL = b'"email":"person-%x@example.org"'
_CARD = b'"loyalty_card":"%013d"'
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
_NOTE = next(kind for kind in KINDS if b'"note"' in kind.template)
_WEB = SOURCES.index("web")
_WEB_SHARE = sum(kind.weight for kind in KINDS if kind.source == _WEB) / sum(kind.weight for kind in KINDS)
_KEYS = (b"session-%x", b"message-%x", b"till-%x", b"case-%x")


def touchpoints(workload: Workload) -> Iterator[Made]:
    """The records of a workload in the order of their Kafka timestamps, which are their event times."""
    rng = random.Random(workload.seed)
    draw, bits = rng.random, rng.getrandbits
    who = _namer(workload)
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
                yield made._replace(timestamp_ms=timestamp_ms)
                index += 1
                continue
            slot = bits(12)
            customer, session, left = sessions[slot]
            made = _record(kind, who(kind, customer), session if kind.source == _WEB else index, timestamp_ms, bits)
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
    who = _namer(workload)
    weights = [kind.weight for kind in KINDS]
    step_ms = workload.span_ms / workload.events
    stride = next(number for number in range(7919, 7919 + workload.customers) if gcd(number, workload.customers) == 1)
    index = 0
    while index < workload.events:
        for kind in rng.choices(KINDS, weights, k=min(BLOCK, workload.events - index)):
            customer = index * stride % workload.customers
            yield _record(kind, who(kind, customer), index, workload.start_ms + int(index * step_ms), bits)
            index += 1


_Who = tuple[bytes, bytes]
"""The profile id of a touchpoint's owner, and its identifiers in JSON."""


def _namer(workload: Workload) -> Callable[[_Kind, int], _Who]:
    """Whom the touchpoints of a customer name. Raises ValueError if the web has too few for the mix."""
    if workload.mix is None:
        return lambda kind, customer: (b"c%d" % customer, kind.who % (customer, customer))
    # Of a generator of its own, so that the touchpoints are the same whatever they name.
    draw = random.Random(workload.seed + 1).random
    anonymous, logins = (share / _WEB_SHARE for share in workload.mix)
    if min(anonymous, logins) < 0 or anonymous + logins > 1:
        raise ValueError(f"anonymous and logins: {workload.mix}; the web has {_WEB_SHARE:.2f} of all touchpoints")

    def named(kind: _Kind, customer: int) -> _Who:
        drawn = draw() if kind.source == _WEB else 1.0
        if drawn < anonymous:
            return b"device_id:d-%x" % customer, _DEVICE % customer
        if drawn < anonymous + logins:
            return b"c%d" % customer, (_CUSTOMER + b"," + _DEVICE) % (customer, customer)
        return b"c%d" % customer, _CUSTOMER % customer

    return named


def _record(kind: _Kind, who: _Who, key: int, timestamp_ms: int, bits: Callable[[int], int]) -> Made:
    event_id = b"%016x%016x" % (bits(64), bits(64))
    owner, identifiers = who
    value = kind.template % (event_id, _rfc3339(timestamp_ms), identifiers, bits(3), bits(10))
    return Made(kind.source, _KEYS[kind.source] % key, owner, timestamp_ms, value)


def sentinel(name: str, timestamp_ms: int) -> bytes:
    """A new customer's first page view: its stage change shows that everything before it was processed."""
    return _told(KINDS[0], b"event-%b" % name.encode(), b'"customer_id":"%b"' % name.encode(), timestamp_ms)


def passed_sentinel(name: str, device: str, timestamp_ms: int) -> tuple[bytes, bytes]:
    """A note about a new customer, which changes no stage and names a device; and a page view that names it alone.

    The stage change of the customer shows that everything before was processed, by the device's task as well.
    """
    customer, seen = b'"customer_id":"%b"' % name.encode(), b'"device_id":"%b"' % device.encode()
    return (
        _told(_NOTE, b"note-%b" % device.encode(), customer + b"," + seen, timestamp_ms),
        _told(KINDS[0], b"event-%b" % device.encode(), seen, timestamp_ms),
    )


def _told(kind: _Kind, event_id: bytes, identifiers: bytes, timestamp_ms: int) -> bytes:
    return kind.template % (event_id, _rfc3339(timestamp_ms), identifiers, 1, 1)


def _somebody(draw: Callable[[], float], customers: int) -> int:
    return int(customers * draw() ** 1.6)


_second = (-1, b"")


def _rfc3339(timestamp_ms: int) -> bytes:
    global _second  # noqa: PLW0603 - a cache of one entry: times only advance
    second, ms = divmod(timestamp_ms, 1000)
    if second != _second[0]:
        _second = (second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode())
    return b"%b.%03dZ" % (_second[1], ms)
