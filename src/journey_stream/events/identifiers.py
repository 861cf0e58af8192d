"""Who a touchpoint belongs to.

Identifier types have a strict order. A touchpoint belongs to its highest identifier; the profile that it changes is
named by it. Kafka keys are profile ids, so a subscriber's own table keyed by customer id joins without a re-key.
"""

from collections.abc import Mapping
from typing import Final

RANKS: Final[tuple[str, ...]] = ("customer_id", "loyalty_card", "email", "phone", "device_id", "anonymous_id")
"""Known identifier types, the one that identifies best first."""

BLOCKED: Final[frozenset[str]] = frozenset(
    {"", "null", "none", "nil", "undefined", "nan", "n/a", "na", "-1", "anonymous", "unknown", "guest", "test"},
)
"""Values (lower case) that systems write when they know nobody; they never identify a person."""

_BLOCKED_LENGTH_MAX: Final = max(map(len, BLOCKED))
_PREFIXES: Final = tuple(f"{kind}:" for kind in RANKS)


def is_blocked(value: str) -> bool:
    """Whether a value names nobody: a known placeholder, or nothing but zeros and separators."""
    bare = value.strip()
    rest = bare.strip("0-")
    if len(rest) > _BLOCKED_LENGTH_MAX:
        return False  # nearly all: no placeholder is that long
    return not rest or bare.lower() in BLOCKED


def owner_of(identifiers: Mapping[str, str]) -> str | None:
    """The profile id of the highest usable identifier; None when nobody is identified."""
    for kind in RANKS:
        value = identifiers.get(kind)
        if value is not None and not is_blocked(value):
            return profile_id(kind, value)
    return None


def profile_id(kind: str, value: str) -> str:
    """`c42` for a customer_id, `email:ann@example.org` for any other type.

    A customer_id that looks like one of the prefixed forms gets its own prefix, so that no two people share an id.
    """
    if kind == RANKS[0] and (":" not in value or not value.startswith(_PREFIXES)):
        return value
    return f"{kind}:{value}"
