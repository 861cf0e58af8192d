"""Made-up people and what they do, with the truth of who did what: for tests of identity.

People have several devices and cookies, share tablets and mailboxes, use kiosks, browse for months before they log in,
log in with somebody else's account, and give placeholders where an identifier is asked for.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from journey_stream.events.times import DAY_MS, HOUR_MS, MINUTE_MS
from tests.support.identity_oracle import Arrived, Said
from tests.support.journeys import START

PLACEHOLDERS = ("null", "0", "-1", "anonymous", "00000000-0000-0000-0000-000000000000", "undefined", "")
KIOSK = ("device_id", "kiosk")

Identifier = tuple[str, str]


@dataclass
class Person:
    """One person: what they identify themselves with, and when they tell a website who they are."""

    customer: Identifier
    mailbox: Identifier
    phone: Identifier | None
    card: Identifier | None
    devices: list[Identifier]
    logs_in: float
    from_day: float
    """Before this day they never log in anywhere."""
    cookies: dict[Identifier, Identifier] = field(default_factory=dict)


@dataclass
class World:
    """What happened, when it arrived, and who did it."""

    people: list[Person]
    said: list[Said]
    who: dict[str, int]
    operations: list[Said]
    days: int

    def arrivals(self, rng: Random, late_days: float) -> list[Arrived]:
        """Everything arrives late by up to the bound, one in fifty later; one in twenty comes twice."""
        arrived = []
        for said in [*self.said, *self.operations]:
            for _ in range(1 + (rng.random() < 0.05)):
                late = rng.choice([0, 0, 0, rng.random(), 1]) * late_days
                if rng.random() < 0.02:
                    late = late_days + 3
                if said.channel == "identity":
                    late = 0
                arrived.append(Arrived(said.at + int(late * DAY_MS), said))
        return sorted(arrived)

    def anonymous(self) -> Iterable[Said]:
        """The touchpoints that carry no customer_id."""
        return (said for said in self.said if not any(kind == "customer_id" for kind, _ in said.identifiers))


def make_world(rng: Random, people: int, sessions: int, days: int) -> World:
    """`people` people with about `sessions` sessions altogether, of up to 5 touchpoints each."""
    crowd = _people(rng, people, days)
    world = World(crowd, [], {}, [], days)
    for _ in range(sessions):
        number = rng.randrange(people)
        _session(rng, world, number, START + int(rng.random() * days * DAY_MS))
    for _ in range(max(1, people // 4)):
        _operation(rng, world)
    world.said.sort(key=lambda said: (said.at, said.event_id))
    return world


def _people(rng: Random, count: int, days: int) -> list[Person]:
    found: list[Person] = []
    for number in range(count):
        family = found[-1] if found and rng.random() < 0.3 else None
        shared_box = family is not None and rng.random() < 0.6
        mailbox = family.mailbox if family is not None and shared_box else ("email", f"box{number}@example.org")
        devices = [("device_id", f"phone{number}")]
        if rng.random() < 0.5:
            devices.append(("device_id", f"laptop{number}"))
        if family is not None:  # a tablet in the living room
            tablet = ("device_id", f"tablet{number}")
            family.devices.append(tablet)
            devices.append(tablet)
        found.append(
            Person(
                customer=("customer_id", f"c{number}"),
                mailbox=mailbox,
                phone=("phone", f"+49170{number:06d}") if rng.random() < 0.3 else None,
                card=("loyalty_card", f"card{number}") if rng.random() < 0.4 else None,
                devices=devices,
                logs_in=rng.choice([0.1, 0.3, 0.6, 0.9]),
                from_day=rng.random() * days * 0.7 if rng.random() < 0.25 else 0.0,
            )
        )
    return found


def _session(rng: Random, world: World, number: int, at: int) -> None:
    person = world.people[number]
    knows = at >= START + person.from_day * DAY_MS
    kind = rng.choices(["web", "app", "kiosk", "email", "store", "call"], [5, 4, 1, 2, 1.5, 0.5])[0]
    if kind == "kiosk":
        _say(rng, world, number, at, "web", [KIOSK])
        if knows and rng.random() < 0.7:
            _say(rng, world, number, at + MINUTE_MS, "web", [KIOSK, _account(rng, world, person)])
            _say(rng, world, number, at + 2 * MINUTE_MS, "web", [KIOSK])
    elif kind == "email":
        _say(rng, world, number, at, "email", [person.mailbox, _cookie(rng, person, at)])
    elif kind == "store" and person.card is not None:
        known = [person.customer] if rng.random() < 0.4 else []
        _say(rng, world, number, at, "store", [person.card, *known])
    elif kind == "call" and person.phone is not None:
        known = [rng.choice([person.customer, person.mailbox])] if rng.random() < 0.5 else []
        _say(rng, world, number, at, "call", [person.phone, *known])
    else:
        names = [rng.choice(person.devices) if kind == "app" else _cookie(rng, person, at)]
        if kind == "web" and rng.random() < 0.2:
            names.append(rng.choice(person.devices))
        logs_in = rng.randrange(4) if knows and rng.random() < person.logs_in else None
        account = _account(rng, world, person)
        for step in range(rng.randrange(1, 5)):
            extra = [account] if step == logs_in else []
            if step == 0 and knows and rng.random() < 0.1:
                extra.append(person.mailbox)
            _say(rng, world, number, at + step * rng.randrange(1, 40) * MINUTE_MS, "web", [*names, *extra])


def _cookie(rng: Random, person: Person, at: int) -> Identifier:
    """A browser forgets its cookies every few weeks."""
    device = rng.choice(person.devices)
    if device not in person.cookies or rng.random() < 0.05:
        person.cookies[device] = ("anonymous_id", f"{device[1]}-{at:x}")
    return person.cookies[device]


def _account(rng: Random, world: World, person: Person) -> Identifier:
    """Now and then one logs in with the wrong account."""
    return person.customer if rng.random() > 0.02 else rng.choice(world.people).customer


def _say(rng: Random, world: World, number: int, at: int, channel: str, names: list[Identifier]) -> None:
    if rng.random() < 0.03:
        names = [*names, (rng.choice(["customer_id", "email", "phone", "anonymous_id"]), rng.choice(PLACEHOLDERS))]
    event_id = f"e{len(world.said):06d}"
    type_ = rng.choices(["view", "cart", "buy", "note"], [5, 3, 2, 1])[0]
    value = rng.choice([None, 10.0, 50.0, 80.5]) if type_ == "buy" else None
    identifiers = dict(reversed(names))  # a placeholder never displaces what is known
    world.said.append(Said(event_id, at, channel, type_, tuple(sorted(identifiers.items())), value))
    world.who[event_id] = number


def _names(said: Said) -> dict[str, str]:
    return {kind: value for kind, value in said.identifiers if value not in PLACEHOLDERS}


def _operation(rng: Random, world: World) -> None:
    """Somebody in the office undoes a link, blocks a device or joins two identifiers."""
    linked = [(said, names) for said in world.said if len(names := _names(said)) > 1]
    if not linked:
        return
    said, names = rng.choice(linked)
    at = said.at + int(rng.random() * 15 * DAY_MS)
    kind = rng.choices(["unlink", "link", "block"], [5, 2, 1])[0]
    lowest = next(one for one in ("anonymous_id", "device_id", "phone", "email", "loyalty_card") if one in names)
    highest = next(one for one in ("customer_id", "loyalty_card", "email", "phone", "device_id") if one in names)
    child = (lowest, names[lowest])
    parent = world.people[world.who[said.event_id]].customer if kind == "link" else (highest, names[highest])
    chosen = (child,) if kind == "block" else (child, parent)
    since = None if rng.random() < 0.6 else said.at - rng.randrange(48) * HOUR_MS
    event_id = f"op{len(world.operations):03d}"
    world.operations.append(Said(event_id, at, "identity", kind, tuple(sorted(chosen)), None, since))
