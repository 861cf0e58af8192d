"""Who a touchpoint belongs to.

Identifier types have a strict order. A touchpoint belongs to its highest identifier; the profile that it changes is
named by it. Kafka keys are profile ids, so a subscriber's own table keyed by customer id joins without a re-key.
"""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, final

from journey_stream.events.normalisation import normalised
from journey_stream.events.pseudonyms import Pseudonyms, is_pseudonym

RANKS: Final[tuple[str, ...]] = ("customer_id", "loyalty_card", "email", "phone", "device_id", "anonymous_id")
"""Known identifier types, the one that identifies best first, unless a journey model says otherwise."""

BLOCKED: Final[frozenset[str]] = frozenset(
    {"", "null", "none", "nil", "undefined", "nan", "n/a", "na", "-1", "anonymous", "unknown", "guest", "test"},
)
"""Values (lower case) that systems write when they know nobody; they never identify a person."""

NORMALISATION: Final[dict[str, tuple[str, ...]]] = {"email": ("trim", "lower"), "phone": ("e164",)}
"""What is done to the values of a type unless a journey model says otherwise."""

TRIMMED: Final = ("trim",)
"""The same for all other types."""


class IdentifierRule(NamedTuple):
    """How the values of one identifier type are read: `steps` of normalisation, and values that name nobody.

    `calling_code` is that of phone numbers without one; empty if there is none to assume. `blocked` adds to BLOCKED.
    """

    kind: str
    steps: tuple[str, ...] = TRIMMED
    calling_code: str = ""
    blocked: frozenset[str] = frozenset()

    @classmethod
    def default(cls, kind: str) -> "IdentifierRule":
        """How a type is read about which a journey model says nothing but its rank."""
        return cls(kind, NORMALISATION.get(kind, TRIMMED))


@final
class _Kind:
    """An identifier type made ready for use."""

    __slots__ = (
        "_blocked",
        "_blocked_length_max",
        "_blocked_normalised",
        "_calling_code",
        "_is_bare",
        "_is_trimmed",
        "_prefix",
        "_prefixes",
        "_pseudonyms",
        "_steps",
        "name",
        "reads_phones",
    )

    def __init__(
        self, rule: IdentifierRule, *, is_bare: bool, prefixes: tuple[str, ...], pseudonyms: Pseudonyms | None
    ) -> None:
        self.name = rule.kind
        self._steps = rule.steps
        self._calling_code = rule.calling_code
        self._is_trimmed = rule.steps == TRIMMED and pseudonyms is None
        self._blocked = BLOCKED | {value.strip().lower() for value in rule.blocked}
        self._blocked_length_max = max(map(len, self._blocked))
        self._blocked_normalised = self._blocked | {
            normalised(value, rule.steps, rule.calling_code) for value in rule.blocked
        }
        self._prefix = f"{rule.kind}:"
        self._prefixes = prefixes
        self._is_bare = is_bare
        self._pseudonyms = pseudonyms
        self.reads_phones = "e164" in rule.steps

    def read(self, written: str) -> str | None:
        """The profile id of what somebody wrote; None if it names nobody."""
        value = written.strip()
        rest = value.strip("0-")
        # Nearly all values are longer than any placeholder.
        if len(rest) <= self._blocked_length_max and (not rest or value.lower() in self._blocked):
            return None
        if "\x00" in value:
            return None  # which is no text to some databases, and in no real identifier
        if not self._is_trimmed:
            normal = self._normalised(written)
            if normal is None:
                return None
            value = normal
        if self._is_bare and ":" not in value:
            return value
        return self.profile_id_of(value)

    def value_in(self, profile_id: str) -> str:
        """The value that a profile id names."""
        return profile_id.removeprefix(self._prefix)

    def profile_id_of(self, value: str) -> str:
        """The profile id of a normalised value."""
        # One that looks like the prefixed form of another type gets its own prefix: no two people share an id.
        if self._is_bare and (":" not in value or not value.startswith(self._prefixes)):
            return value
        return self._prefix + value

    def _normalised(self, written: str) -> str | None:
        if self._pseudonyms is not None and is_pseudonym(written.strip()):
            return written.strip()
        value = normalised(written, self._steps, self._calling_code)
        if not value.strip("0-") or value in self._blocked_normalised:
            return None
        return value if self._pseudonyms is None else self._pseudonyms.of(self.name, value)


@final
class Policy:
    """Who is who: identifier types in the order of their rank, and how their values are read.

    A profile id is a value of the highest type as it is, such as `c42`; of another type it is `email:ann@example.org`.

    With `links`, a touchpoint links its lower identifiers to the highest one.
    """

    __slots__ = ("_by_name", "_kinds", "links", "pseudonyms", "ranks")

    def __init__(
        self, rules: Iterable[IdentifierRule], *, links: bool = True, pseudonyms: Pseudonyms | None = None
    ) -> None:
        rules = tuple(rules)
        self.ranks = tuple([rule.kind for rule in rules])
        self.links = links
        self.pseudonyms = pseudonyms
        prefixes = _prefixes(self.ranks)
        kinds = [
            _Kind(
                rule,
                is_bare=rule.kind == self.ranks[0],
                prefixes=prefixes,
                pseudonyms=pseudonyms if pseudonyms is not None and rule.kind in pseudonyms.kinds else None,
            )
            for rule in rules
        ]
        self._kinds = tuple([(kind.name, kind) for kind in kinds])
        self._by_name = dict(self._kinds)

    def owner_of(self, identifiers: Mapping[str, str]) -> str | None:
        """The profile id of the highest usable identifier; None when nobody is identified."""
        for name, kind in self._kinds:
            written = identifiers.get(name)
            if written is not None:
                profile_id = kind.read(written)
                if profile_id is not None:
                    return profile_id
        return None

    def profile_ids_of(self, identifiers: Mapping[str, str]) -> list[str]:
        """The profile ids of all usable identifiers, the highest first."""
        found: list[str] = []
        for name, kind in self._kinds:
            written = identifiers.get(name)
            if written is not None:
                profile_id = kind.read(written)
                if profile_id is not None:
                    found.append(profile_id)
        return found

    def usable(self, identifiers: Mapping[str, str]) -> dict[str, str]:
        """The identifiers that name somebody, the highest first, with their values as profile ids name them."""
        found: dict[str, str] = {}
        for name, kind in self._kinds:
            written = identifiers.get(name)
            profile_id = None if written is None else kind.read(written)
            if profile_id is not None:
                found[name] = kind.value_in(profile_id)
        return found

    def reads_phones(self, identifiers: Mapping[str, str]) -> bool:
        """Whether any of them is of a type whose values are read as phone numbers."""
        return any(kind.reads_phones for name, kind in self._kinds if name in identifiers)

    def profile_id(self, name: str, value: str) -> str:
        """The profile id of an identifier as `usable` gives it. Raises KeyError if the type is not known."""
        return self._by_name[name].profile_id_of(value)


def _prefixes(ranks: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({f"{kind}:" for kind in (*RANKS, *ranks)}))


DEFAULT: Final = Policy([IdentifierRule.default(kind) for kind in RANKS], links=False)
"""Where no journey model says otherwise; nothing is linked."""
