"""What users of other systems complain of, each as a test: it does not happen here."""

from collections import deque
from collections.abc import Iterable, Iterator

import pytest

from journey_stream.engine.limits import Limits
from journey_stream.engine.partition import Partition
from journey_stream.events.admission import Admitted, Refused, read_touchpoint
from journey_stream.events.decisions import Decision, Forward, ProfileChanged, ProfileGone, StageChanged
from journey_stream.events.log import Message, TouchpointRecord, links_of
from journey_stream.events.operations import Operation
from journey_stream.events.reasons import Reason
from journey_stream.events.times import DAY_MS, HOUR_MS, MINUTE_MS
from journey_stream.journey.model import Identity
from tests.support.cluster import said_as_json
from tests.support.identity_models import ledger
from tests.support.identity_oracle import Said
from tests.support.journeys import START, net_history

LIMITS = Limits()
RECORD_BYTES_MAX = 900_000
"""What fits into a record of a broker that is set up as it comes, with something to spare."""

Name = tuple[str, str]


class Company:
    """A door and one task, which hears at once what it tells itself."""

    def __init__(self) -> None:
        self.model = ledger(Identity())
        self.task = Partition(self.model, LIMITS)
        self.changes: list[StageChanged] = []
        self.views: dict[str, ProfileChanged] = {}
        self.told_at_once = 0
        """The most messages that one touchpoint has brought about."""
        self._policy = self.model.policy()
        self._heard = 0

    def hears(self, said: Iterable[Said]) -> "Company":
        """Everything arrives when it happens."""
        for one in said:
            found = read_touchpoint(said_as_json(one), self._policy)
            assert not isinstance(found, Refused), found
            told = self._loop(deque(self._first(found, one)))
            self.told_at_once = max(self.told_at_once, told)
            self._heard += 1
            if self._heard % 500 == 0:
                self.task.drain_state()
        self.task.drain_state()
        return self

    def history(self) -> dict[str, list[str]]:
        """The touchpoints of every profile, in order."""
        return {who: [entry.evidence[0] for entry in found] for who, found in net_history(self.changes).items()}

    def bytes_of(self, profile: str) -> int:
        """What one profile takes. Raises AssertionError if one of its records is too large for a broker."""
        sizes = [len(value) for key, value in self.task.snapshot() if key.endswith(profile.encode())]
        assert max(sizes) < RECORD_BYTES_MAX
        return sum(sizes)

    def _first(self, found: Admitted | Operation, said: Said) -> Iterator[TouchpointRecord | Message]:
        if isinstance(found, Operation):
            yield self._arrived(found.message, said.at)
            return
        yield TouchpointRecord(found.profile_id, said.at, said.at, said.event_id, said.channel, said.type, said.value)
        for link in links_of(found):
            yield self._arrived(link, said.at)

    def _loop(self, waiting: deque[TouchpointRecord | Message]) -> int:
        told = 0
        while waiting:
            record = waiting.popleft()
            for message in self._note(self.task.apply(record)):
                waiting.append(self._arrived(message, record.arrived_at))
                told += 1
        return told

    def _note(self, decisions: list[Decision]) -> Iterator[Message]:
        for decision in decisions:
            if isinstance(decision, Forward):
                yield decision.message
            elif isinstance(decision, StageChanged):
                self.changes.append(decision)
            elif isinstance(decision, ProfileChanged):
                self.views[decision.profile_id] = decision
            elif isinstance(decision, ProfileGone):
                self.views.pop(decision.profile_id, None)

    @staticmethod
    def _arrived(message: Message, at: int) -> Message:
        message.arrived_at = at
        return message


def say(event_id: str, at: int, *names: Name) -> Said:
    return Said(event_id, at, "web", "view", names)


def customer(name: str) -> Name:
    return "customer_id", name


def cookie(number: int) -> Name:
    return "anonymous_id", f"cookie{number}"


PLACEHOLDERS: dict[str, tuple[str, ...]] = {
    "null": ("null", "NULL", "None", "undefined", ""),
    "all zero": ("0", "00000000-0000-0000-0000-000000000000", "0000000000", "000-000"),
}


@pytest.mark.parametrize("values", PLACEHOLDERS.values(), ids=list(PLACEHOLDERS))
@pytest.mark.parametrize("kind", ["customer_id", "email", "device_id"])
def test_a_placeholder_makes_nobody_one(kind: str, values: tuple[str, ...]) -> None:
    """Hundreds of strangers became one person, whose id was null."""
    without = [
        *[say(f"v{n}", START + n * MINUTE_MS, cookie(n)) for n in range(100)],
        *[say(f"l{n}", START + HOUR_MS * 3 + n * MINUTE_MS, cookie(n), ("loyalty_card", f"card{n}")) for n in range(9)],
        *[say(f"w{n}", START + HOUR_MS * 6 + n * MINUTE_MS, cookie(n)) for n in range(100)],
    ]
    with_it = [
        said._replace(identifiers=(*said.identifiers, (kind, values[number % len(values)])))
        for number, said in enumerate(without)
    ]

    company = Company().hears(with_it)

    assert company.history() == Company().hears(without).history()
    assert len(company.views) == 100
    alone = read_touchpoint(said_as_json(say("alone", START, (kind, values[0]))), company.model.policy())
    assert isinstance(alone, Refused)
    assert alone.reason is Reason.MISSING_IDENTIFIER


def test_an_alias_of_two_known_people_is_refused_and_says_what_to_send() -> None:
    """One call made two customers one for ever."""
    ann, bob, tablet = customer("ann"), customer("bob"), ("device_id", "tablet")
    box = ("email", "family@example.org")
    company = Company().hears(
        [
            say("a1", START, ann, tablet, box),
            say("t1", START + HOUR_MS, tablet),
            say("b1", START + 2 * HOUR_MS, bob, tablet),
            say("t2", START + 3 * HOUR_MS, tablet),
            say("b2", START + 4 * HOUR_MS, bob, box),
            say("m1", START + 5 * HOUR_MS, box),
            Said("op1", START + 6 * HOUR_MS, "identity", "link", (tablet, ann)),
            say("t3", START + 7 * HOUR_MS, tablet),
        ]
    )

    assert company.history() == {"ann": ["a1", "t1", "t3"], "bob": ["b1", "t2", "b2", "m1"]}

    alias = Said("op2", START + DAY_MS, "identity", "link", (bob,))
    refused = read_touchpoint(said_as_json(alias), company.model.policy())
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.UNSUPPORTED_ALIAS
    assert "higher type" in refused.detail


def test_a_bot_with_ten_thousand_cookies_on_one_address_stays_small() -> None:
    """One address with ever new cookies made a record that no broker took, and everybody waited."""
    box = ("email", "bot@example.org")
    other = [say(f"o{n}", START + n * HOUR_MS, customer("ann"), ("device_id", "phone")) for n in range(24)]
    bot = [say(f"b{n}", START + n * 8_000, cookie(n), box) for n in range(10_000)]
    later = [say(f"c{n}", START + DAY_MS + n * 8_000, cookie(n)) for n in range(0, 10_000, 50)]
    login = [say("login", START + 2 * DAY_MS, box, customer("owner"))]

    company = Company().hears(sorted([*other, *bot, *later, *login], key=lambda said: said.at))

    assert company.history()["ann"] == [said.event_id for said in other]
    for profile in ("email:bot@example.org", "owner"):
        assert company.bytes_of(profile) < 2 * RECORD_BYTES_MAX
        assert len(company.views[profile].identifiers if profile in company.views else ()) <= 200
    assert company.told_at_once < 20
    assert company.task.state_bytes < 10_000 * 500 + 4 * RECORD_BYTES_MAX


def kiosk(count: int) -> Iterator[Said]:
    """Thirty days on one device: every twentieth touchpoint somebody else logs in. Beside it somebody has a life."""
    place = ("device_id", "kiosk")
    step = 30 * DAY_MS // count
    for number in range(count):
        at = START + number * step
        names = (place, customer(f"c{number // 20 % 500}")) if number % 20 == 19 else (place,)
        yield say(f"k{number}", at, *names)
        if number % (count // 50) == 0:
            yield say(f"o{number}", at, customer("ann"), ("device_id", "phone"))


def show_that_a_kiosk_stays_small(count: int) -> None:
    logins = Company().hears(said for said in kiosk(count) if len(said.identifiers) > 1)
    company, said = Company(), kiosk(count)
    company.hears(one for _, one in zip(range(count // 5), said, strict=False))
    early = company.bytes_of("device_id:kiosk")
    company.hears(said)

    anonymous = count - count // 20
    assert company.task.counters.shared > anonymous - 200
    assert company.bytes_of("device_id:kiosk") == pytest.approx(early, rel=0.1)
    assert company.bytes_of("device_id:kiosk") < 10_000
    assert company.task.state_bytes < logins.task.state_bytes + 10_000
    assert company.told_at_once < 10
    assert company.history()["ann"] == logins.history()["ann"]
    assert len(company.history()["ann"]) == 50


def test_a_kiosk_stays_small() -> None:
    """A device in a shop took all memory, and each log-in there moved everything that it had ever seen."""
    show_that_a_kiosk_stays_small(50_000)


@pytest.mark.soak
def test_a_kiosk_with_a_million_touchpoints_stays_small() -> None:
    show_that_a_kiosk_stays_small(1_000_000)


def test_a_kiosk_that_nobody_logs_in_at_stays_small() -> None:
    """Nor does the first log-in after all move more than a profile may hold."""
    place, count = ("device_id", "kiosk"), 20_000
    company = Company().hears(say(f"k{n}", START + n * MINUTE_MS, place) for n in range(count))
    assert company.bytes_of("device_id:kiosk") < RECORD_BYTES_MAX

    company.hears([say("login", START + count * MINUTE_MS, place, customer("ann"))])

    assert company.told_at_once < 20
    assert company.views["ann"].last_touchpoint_at == START + count * MINUTE_MS
    assert company.bytes_of("ann") < RECORD_BYTES_MAX
