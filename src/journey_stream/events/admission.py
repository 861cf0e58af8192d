"""The door: bytes of a source record in, an admitted touchpoint or a refusal with its reason out."""

from typing import Final, NamedTuple, final

import msgspec
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from journey_stream.events.body import read_body
from journey_stream.events.identifiers import owner_of
from journey_stream.events.plain import read_plain
from journey_stream.events.reasons import Reason
from journey_stream.events.times import MS_MAX, MS_MIN, to_ms
from journey_stream.events.touchpoint import Touchpoint

LOG_VALUE_BYTES_MAX: Final = 900_000
"""The largest touchpoint that fits, with its envelope, into a broker's default message limit of 1 MiB."""


@final
class Admitted:
    """A valid touchpoint: whom it changes, when it happened (ms since the epoch), and the original bytes."""

    __slots__ = ("occurred_at", "profile_id", "value")

    def __init__(self, profile_id: str, occurred_at: int, value: bytes) -> None:
        self.profile_id = profile_id
        self.occurred_at = occurred_at
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Admitted) and self._parts() == other._parts()

    def __repr__(self) -> str:
        return f"Admitted{self._parts()}"

    def _parts(self) -> tuple[str, int, bytes]:
        return self.profile_id, self.occurred_at, self.value

    __hash__ = None  # type: ignore[assignment]


class Refused(NamedTuple):
    """A record that cannot be used, and a sentence for the person who has to mend it."""

    reason: Reason
    detail: str


_validate = Touchpoint.__pydantic_validator__.validate_json


def read_touchpoint(value: bytes | None) -> Admitted | Refused:
    """Validate one source record's value."""
    if not value:
        return Refused(Reason.EMPTY_VALUE, "the value is null or empty; expected a JSON object")
    if len(value) > LOG_VALUE_BYTES_MAX:
        return Refused(Reason.RECORD_TOO_LARGE, f"{len(value)} bytes; at most {LOG_VALUE_BYTES_MAX} are accepted")
    plain = read_plain(value)
    if plain is not None:
        identifiers, occurred_at = plain
        profile_id = owner_of(identifiers)
        if profile_id is not None:
            return Admitted(profile_id, occurred_at, value)
    return read_by_contract(value)


def read_by_contract(value: bytes) -> Admitted | Refused:
    """Validate a value by the contract itself: the slower way, which takes every liberty and explains every refusal."""
    try:
        touchpoint: Touchpoint = _validate(value)
        read_body(value)
    except ValidationError as error:
        return _refusal(error)
    except msgspec.ValidationError as error:
        return Refused(Reason.INVALID_TOUCHPOINT, str(error))
    except (msgspec.DecodeError, RecursionError) as error:
        return Refused(Reason.INVALID_JSON, str(error))
    profile_id = owner_of(touchpoint.identifiers)
    if profile_id is None:
        return Refused(Reason.MISSING_IDENTIFIER, _who_is_missing(touchpoint))
    occurred_at = to_ms(touchpoint.occurred_at)
    if not MS_MIN <= occurred_at <= MS_MAX:  # an offset can push an instant of the year 1 or 9999 over the edge
        return Refused(Reason.INVALID_TOUCHPOINT, "occurred_at: outside the years 1 to 9999 in UTC")
    return Admitted(profile_id, occurred_at, value)


def _refusal(error: ValidationError) -> Refused:
    problems = error.errors(include_url=False)
    if problems[0]["type"] == "json_invalid":
        return Refused(Reason.INVALID_JSON, problems[0]["msg"])
    if problems[0]["loc"] == ("schema_version",):
        return Refused(Reason.UNSUPPORTED_VERSION, f"schema_version: {problems[0]['msg']}")
    return Refused(Reason.INVALID_TOUCHPOINT, "; ".join(_sentence(problem) for problem in problems[:5]))


def _sentence(problem: ErrorDetails) -> str:
    field = ".".join(str(part) for part in problem["loc"]) or "touchpoint"
    found = "" if problem["type"] == "missing" else f" (found {problem['input']!r:.80})"
    return f"{field}: {problem['msg']}{found}"


def _who_is_missing(touchpoint: Touchpoint) -> str:
    if not touchpoint.identifiers:
        return "identifiers: none given; expected at least one, for example customer_id"
    kinds = ", ".join(sorted(touchpoint.identifiers))
    return f"identifiers: none of {kinds:.200} is a known type with a value that names somebody"
