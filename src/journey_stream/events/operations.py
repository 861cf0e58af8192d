"""Operations by hand on identifiers, which come as touchpoints of a kind of their own: channel `identity`.

    {"event_id": "…", "occurred_at": "…", "channel": "identity", "type": "unlink",
     "identifiers": {"device_id": "d7", "customer_id": "c42"},
     "properties": {"who": "kim", "why": "sold the tablet", "since": "2026-01-31T00:00:00Z"}}

So they go the way of all touchpoints, and a replay of the sources keeps them.
"""

from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from journey_stream.events.identifiers import Policy
from journey_stream.events.reasons import Reason
from journey_stream.events.records import Block, Erase, Link, Unlink
from journey_stream.events.times import MS_MAX, MS_MIN, to_ms
from journey_stream.events.touchpoint import Instant, Touchpoint

CHANNEL: Final = "identity"
TYPES: Final = ("link", "unlink", "block", "erase")

WHO_LENGTH_MAX: Final = 256
WHY_LENGTH_MAX: Final = 1_000

ONE_TYPE: Final = (
    "two identifiers of one type are never joined with one another; link each of them to the same identifier of a "
    "higher type, such as their customer_id"
)

_read_instant = TypeAdapter(Instant).validate_python


class Operation(NamedTuple):
    """A valid operation, as the log says it. `occurred_at` (ms) is when it was decided."""

    message: Link | Unlink | Block | Erase
    occurred_at: int

    @property
    def kind(self) -> str:
        """`link`, `unlink`, `block` or `erase`."""
        return type(self.message).__name__.lower()

    @property
    def profile_id(self) -> str:
        """The identifier that it is about: for a link or an unlink, the lower one."""
        return self.message.profile_id


class Misfit(Exception):
    """An operation that cannot be carried out; why, and a sentence that quotes nothing of it."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def read_operation(touchpoint: Touchpoint, occurred_at: int, policy: Policy) -> Operation:
    """What a touchpoint of the channel `identity` asks for. Raises Misfit."""
    kind = touchpoint.type
    if kind not in TYPES:
        raise Misfit(Reason.INVALID_TOUCHPOINT, f"type: on the channel {CHANNEL} expected {', '.join(TYPES)}")
    if not policy.links and kind != "erase":
        raise Misfit(Reason.UNSUPPORTED_ALIAS, "the journey model has `identity: off`, so nothing is linked or blocked")
    by = _text(touchpoint, "who", WHO_LENGTH_MAX)
    why = _text(touchpoint, "why", WHY_LENGTH_MAX)
    at, since = _instant(touchpoint, "at"), _instant(touchpoint, "since")
    named = policy.usable(touchpoint.identifiers)
    if not named:
        raise Misfit(Reason.MISSING_IDENTIFIER, "identifiers: none of them is of a known type and names somebody")
    ids = [policy.profile_id(name, value) for name, value in named.items()]
    event_id = touchpoint.event_id
    if kind in {"block", "erase"}:
        if len(touchpoint.identifiers) > 1:
            raise Misfit(Reason.UNSUPPORTED_ALIAS, f"identifiers: {kind} takes one; send one operation for each")
        if kind == "erase":
            return Operation(Erase(profile_id=ids[0], at=occurred_at, event_id=event_id, by=by, why=why), occurred_at)
        return Operation(Block(profile_id=ids[0], at=occurred_at, event_id=event_id, by=by, why=why), occurred_at)
    if len(touchpoint.identifiers) != 2:
        many = (
            f"{kind} takes two of different types and joins the lower to the higher; send one operation for each pair"
        )
        one = f"{kind} takes two of different types; {ONE_TYPE}"
        raise Misfit(Reason.UNSUPPORTED_ALIAS, f"identifiers: {many if len(touchpoint.identifiers) > 2 else one}")
    if len(ids) < 2:
        others = ", ".join(sorted(set(policy.ranks) & (touchpoint.identifiers.keys() - named)))
        wrong = f"that of the type {others} names nobody" if others else "one of them is of no type that the model has"
        raise Misfit(Reason.UNSUPPORTED_ALIAS, f"identifiers: {wrong}; the types are {', '.join(policy.ranks)}")
    parent, child = ids
    if kind == "unlink":
        unlink = Unlink(profile_id=child, at=occurred_at, parent=parent, event_id=event_id, since=since, by=by, why=why)
        return Operation(unlink, occurred_at)
    link = Link(
        profile_id=child,
        at=occurred_at if at is None else at,
        parent=parent,
        event_id=event_id,
        manual=True,
        decided_at=occurred_at,
        by=by,
        why=why,
    )
    return Operation(link, occurred_at)


def _text(touchpoint: Touchpoint, name: str, length_max: int) -> str:
    value: Any = touchpoint.properties.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > length_max:
        raise Misfit(
            Reason.INVALID_TOUCHPOINT, f"properties.{name}: expected a text of at most {length_max} characters"
        )
    return value


def _instant(touchpoint: Touchpoint, name: str) -> int | None:
    value: Any = touchpoint.properties.get(name)
    if value is None:
        return None
    at = _read_ms(value)
    if at is None:
        expected = "RFC 3339 with an offset, or seconds or milliseconds since the epoch"
        raise Misfit(Reason.INVALID_TOUCHPOINT, f"properties.{name}: expected an instant: {expected}")
    return at


def _read_ms(written: Any) -> int | None:
    if isinstance(written, bool) or not isinstance(written, str | int | float):
        return None
    try:
        at = to_ms(_read_instant(written))
    except ValidationError:
        return None
    return at if MS_MIN <= at <= MS_MAX else None
