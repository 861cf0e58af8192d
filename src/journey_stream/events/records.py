"""The records of journey.log, and the shapes of their JSON."""

from typing import Annotated, Any, NamedTuple

import msgspec

from journey_stream.events.body import Body
from journey_stream.events.times import MS_MAX, MS_MIN

Instant = Annotated[int, msgspec.Meta(ge=MS_MIN, le=MS_MAX)]
"""In ms. A clock that a stray record had set beyond the year 9999 could never be written as a date again."""


class Source(NamedTuple):
    """Where a touchpoint came from."""

    topic: str
    partition: int
    offset: int


class TouchpointRecord(msgspec.Struct, frozen=True, gc=False):
    """One touchpoint in the log; instants in ms since the epoch."""

    profile_id: str
    arrived_at: int
    occurred_at: int
    event_id: str
    channel: str
    type: str
    value: float | None = None
    currency: str | None = None
    campaign: str | None = None
    properties: dict[str, Any] | None = None


class Tick(msgspec.Struct, frozen=True, gc=False):
    """The log was quiet, and time went on to `at`."""

    at: int


class AsOf(msgspec.Struct, frozen=True, gc=False):
    """The end of a replay: everything due until `at` is decided."""

    at: int


class Link(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag="link"):
    """An observation: at `at` (ms) the identifier `profile_id` was seen together with a higher one, `parent`.

    `event_id` names what showed it: a touchpoint, or an operation by hand (`manual`), which was decided at `decided_at`
    (ms) and of which `by` and `why` tell more.
    """

    profile_id: str = ""
    arrived_at: int = 0
    at: Instant
    parent: str
    event_id: str
    manual: bool = False
    decided_at: Instant | None = None
    by: str = ""
    why: str = ""


class Unlink(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag="unlink"):
    """An operation by hand: up to `at` (ms), and from `since` on, the identifier `profile_id` was not `parent`.

    Without `since` it never was.
    """

    profile_id: str = ""
    arrived_at: int = 0
    at: Instant
    parent: str
    event_id: str
    since: Instant | None = None
    by: str = ""
    why: str = ""


class Block(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag="block"):
    """An operation by hand: the identifier `profile_id` identifies nobody."""

    profile_id: str = ""
    arrived_at: int = 0
    at: Instant
    event_id: str
    by: str = ""
    why: str = ""


_Whole = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""An integer that the state can hold."""


class Passed(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """A touchpoint on its way from one identifier to another; `at` in ms."""

    at: Instant
    event_id: str
    channel: str
    type: str
    facts: dict[str, str | _Whole | float | bool | None] | None = None


_Run = Annotated[list[Passed], msgspec.Meta(min_length=1)]


class Deliver(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag="deliver"):
    """Touchpoints of the identifier `via`, passed on to the higher one that they belong to, `profile_id`.

    `at` (ms) is when the last of them happened. `moved` says that they were somewhere else before.
    """

    profile_id: str = ""
    arrived_at: int = 0
    at: Instant
    via: str
    touchpoints: _Run
    moved: bool = False


class Retract(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag="retract"):
    """The opposite of the deliveries of these touchpoints."""

    profile_id: str = ""
    arrived_at: int = 0
    at: Instant
    via: str
    touchpoints: _Run


class Attach(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag="attach"):
    """The identifier `child` is linked to `profile_id` by at least one observation in force; or, if `gone`, no more.

    `former` says of one that is gone that it was linked, which people have undone: it may hold what was `profile_id`'s.
    """

    profile_id: str = ""
    arrived_at: int = 0
    at: Instant
    child: str
    gone: bool = False
    former: bool = False


class Erase(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="kind", tag="erase"):
    """An operation by hand: what the identifier `profile_id` did up to `at` (ms) is to be forgotten.

    With `parent`, a task says that the higher identifier `parent` is erased, and the identifier loses what was that
    one's: all, if it is linked to nobody else. `spans` (from, to; ms) are those in which `parent` is erased; None for
    all up to `at`.
    """

    profile_id: str = ""
    arrived_at: int = 0
    at: Instant
    event_id: str = ""
    parent: str | None = None
    spans: list[tuple[Instant, Instant]] | None = None
    by: str = ""
    why: str = ""


Message = Link | Unlink | Block | Deliver | Retract | Attach | Erase
"""What is said of identifiers: by routers, by people, and by tasks to one another.

`profile_id` is the record's key and `arrived_at` its timestamp: neither is written into the value.
"""


class Unreadable(msgspec.Struct, frozen=True, gc=False):
    """A record that no router wrote."""

    detail: str


Record = TouchpointRecord | Tick | AsOf | Message

Content = TouchpointRecord | Body
"""What rules read of a touchpoint. In a `Body`, an integer stands for its digits where the contract says text."""


class Envelope(msgspec.Struct, gc=False):
    """The value of a log record, as far as a task reads it."""

    kind: str
    at: Instant
    touchpoint: Body | None = None


class Original(msgspec.Struct):
    """The value of a log record, as a dead letter gives it back."""

    source: Source
    touchpoint: msgspec.Raw
    key: bytes | None = None
    frame: bytes | None = None


decode_envelope = msgspec.json.Decoder(Envelope).decode
decode_message = msgspec.json.Decoder(Message).decode
decode_original = msgspec.json.Decoder(Original).decode
