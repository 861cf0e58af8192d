"""The door: bytes of a source record in; an admitted touchpoint, an operation, or a refusal with its reason out."""

import contextlib
from typing import Final, NamedTuple, final

import msgspec
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from journey_stream.events.body import read_body
from journey_stream.events.framing import FRAME_BYTES, MAGIC, with_frame
from journey_stream.events.identifiers import DEFAULT, Policy
from journey_stream.events.operations import CHANNEL, ONE_TYPE, Misfit, Operation, read_operation
from journey_stream.events.plain import read_plain
from journey_stream.events.pseudonyms import rewritten
from journey_stream.events.reasons import Reason
from journey_stream.events.times import MS_MAX, MS_MIN, to_ms
from journey_stream.events.touchpoint import Touchpoint

LOG_VALUE_BYTES_MAX: Final = 900_000
"""The largest touchpoint that fits, with its envelope, into a broker's default message limit of 1 MiB."""


@final
class Admitted:
    """A valid touchpoint: whom it changes, when it happened (ms since the epoch), and the bytes that go on.

    Behind the bytes of a framed touchpoint stands its frame (`framing.with_frame`). `lower` are the profile ids of its
    other identifiers, the highest first, and `event_id` names it; without any, or when nothing is linked, both are
    empty.
    """

    __slots__ = ("event_id", "lower", "occurred_at", "profile_id", "value")

    def __init__(
        self, profile_id: str, occurred_at: int, value: bytes, lower: tuple[str, ...] = (), event_id: str = ""
    ) -> None:
        self.profile_id = profile_id
        self.occurred_at = occurred_at
        self.value = value
        self.lower = lower
        self.event_id = event_id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Admitted) and self._parts() == other._parts()

    def __repr__(self) -> str:
        return f"Admitted{self._parts()}"

    def _parts(self) -> tuple[str, int, bytes, tuple[str, ...], str]:
        return self.profile_id, self.occurred_at, self.value, self.lower, self.event_id

    __hash__ = None  # type: ignore[assignment]


class Refused(NamedTuple):
    """A record that cannot be used, and a sentence for the person who has to mend it."""

    reason: Reason
    detail: str


Found = Admitted | Operation | Refused

_validate = Touchpoint.__pydantic_validator__.validate_json
_FIELDS: Final = frozenset(Touchpoint.model_fields)


def read_touchpoint(value: bytes | None, policy: Policy = DEFAULT) -> Found:
    """Validate one source record's value; `policy` says who is who.

    Where it makes pseudonyms, no refusal quotes what was found.
    """
    if not value:
        return Refused(Reason.EMPTY_VALUE, "the value is null or empty; expected a JSON object")
    if len(value) > LOG_VALUE_BYTES_MAX:
        return Refused(Reason.RECORD_TOO_LARGE, f"{len(value)} bytes; at most {LOG_VALUE_BYTES_MAX} are accepted")
    if policy.pseudonyms is None:
        plain = read_plain(value)
        if plain is not None:
            touchpoint, occurred_at = plain
            identifiers = touchpoint.identifiers
            if len(identifiers) > 1 and policy.links:
                ids = policy.profile_ids_of(identifiers)
                if len(ids) > 1:
                    return Admitted(ids[0], occurred_at, value, tuple(ids[1:]), touchpoint.event_id)
                if ids:
                    return Admitted(ids[0], occurred_at, value)
            else:
                profile_id = policy.owner_of(identifiers)
                if profile_id is not None:
                    return Admitted(profile_id, occurred_at, value)
    return read_by_contract(value, policy)


def read_by_contract(value: bytes, policy: Policy = DEFAULT) -> Found:
    """Validate a value by the contract itself: the slower way, which takes every liberty and explains every refusal."""
    return _read_framed(value, policy) if value[:1] == MAGIC else _read_by_contract(value, policy)


def _read_framed(value: bytes, policy: Policy) -> Found:
    """A touchpoint behind the frame of a schema registry's client. Where the original is kept, its frame is, too."""
    frame, touchpoint = value[:FRAME_BYTES], value[FRAME_BYTES:]
    if not touchpoint:
        return Refused(Reason.EMPTY_VALUE, "nothing stands behind the frame of a schema registry; expected JSON")
    # Never a second frame within the first, however many there are.
    found = _read_by_contract(touchpoint, policy) if touchpoint[:1] == MAGIC else read_touchpoint(touchpoint, policy)
    if isinstance(found, Admitted) and policy.pseudonyms is None:
        found.value = with_frame(found.value, frame)
    elif isinstance(found, Refused) and found.reason is Reason.INVALID_JSON:
        detail = f"{found.detail}, behind the frame of a schema registry: of those, JSON is read and nothing else"
        return Refused(found.reason, detail)
    return found


def _read_by_contract(value: bytes, policy: Policy) -> Found:
    quoting = policy.pseudonyms is None
    try:
        touchpoint: Touchpoint = _validate(value)
        read_body(value)
    except ValidationError as error:
        return _refusal(error, value, quoting=quoting)
    except msgspec.ValidationError as error:
        return Refused(Reason.INVALID_TOUCHPOINT, str(error))
    except (msgspec.DecodeError, RecursionError) as error:
        return Refused(Reason.INVALID_JSON, str(error))
    occurred_at = to_ms(touchpoint.occurred_at)
    if touchpoint.channel == CHANNEL:
        return _operation(touchpoint, occurred_at, policy)
    usable = policy.usable(touchpoint.identifiers)
    if not usable:
        return Refused(Reason.MISSING_IDENTIFIER, _who_is_missing(touchpoint, policy))
    if not MS_MIN <= occurred_at <= MS_MAX:
        return Refused(Reason.INVALID_TOUCHPOINT, _OUT_OF_TIME)
    ids = [policy.profile_id(name, found) for name, found in usable.items()]
    if policy.pseudonyms is not None:
        value = rewritten(value, usable, policy.pseudonyms.drop_properties)
    lower = tuple(ids[1:]) if policy.links else ()
    return Admitted(ids[0], occurred_at, value, lower, touchpoint.event_id if lower else "")


# An offset can push an instant of the year 1 or 9999 over the edge.
_OUT_OF_TIME: Final = "occurred_at: outside the years 1 to 9999 in UTC"


def _operation(touchpoint: Touchpoint, occurred_at: int, policy: Policy) -> Operation | Refused:
    if not MS_MIN <= occurred_at <= MS_MAX:
        return Refused(Reason.INVALID_TOUCHPOINT, _OUT_OF_TIME)
    try:
        return read_operation(touchpoint, occurred_at, policy)
    except Misfit as misfit:
        return Refused(misfit.reason, misfit.detail)


class _Channel(msgspec.Struct):
    channel: str = ""


_decode_channel: Final = msgspec.json.Decoder(_Channel).decode


def _refusal(error: ValidationError, value: bytes, *, quoting: bool) -> Refused:
    problems = error.errors(include_url=False)
    if problems[0]["type"] == "json_invalid":
        return Refused(Reason.INVALID_JSON, problems[0]["msg"])
    sentence = _sentence if quoting else _bare_sentence
    if problems[0]["loc"] == ("schema_version",):
        return Refused(Reason.UNSUPPORTED_VERSION, sentence(problems[0]))
    if any(problem["loc"][:1] == ("identifiers",) and isinstance(problem["input"], list) for problem in problems):
        # Several identifiers of one type: what somebody sends who takes them for aliases.
        with contextlib.suppress(msgspec.DecodeError):
            if _decode_channel(value).channel == CHANNEL:
                return Refused(Reason.UNSUPPORTED_ALIAS, f"identifiers: {ONE_TYPE}")
    return Refused(Reason.INVALID_TOUCHPOINT, "; ".join(sentence(problem) for problem in problems[:5]))


def _sentence(problem: ErrorDetails) -> str:
    field = ".".join(str(part) for part in problem["loc"]) or "touchpoint"
    found = "" if problem["type"] == "missing" else f" (found {problem['input']!r:.80})"
    return f"{field}: {problem['msg']}{found}"


def _bare_sentence(problem: ErrorDetails) -> str:
    """Without what was found, and without names that the producer made up: either may be what must not go on."""
    field = problem["loc"][0] if problem["loc"] else ""
    return f"{field if field in _FIELDS else 'touchpoint'}: {problem['msg']}"


def _who_is_missing(touchpoint: Touchpoint, policy: Policy) -> str:
    if not touchpoint.identifiers:
        return f"identifiers: none given; expected at least one, for example {policy.ranks[0]}"
    known = sorted(touchpoint.identifiers) if policy.pseudonyms is None else policy.ranks
    kinds = ", ".join(known)
    hint = ""
    if policy.reads_phones(touchpoint.identifiers):
        hint = (
            "; a phone number starts with + and the calling code of its country, unless the journey model has a "
            "calling_code to assume (E.164)"
        )
    return f"identifiers: none of {kinds:.200} is a known type with a value that names somebody{hint}"
