"""What can be asked with: each parameter of the API is declared once, read from the address and described by that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from starlette.datastructures import QueryParams

from journey_stream.events.times import to_ms
from journey_stream.serve.api.errors import Refused
from journey_stream.serve.queries.customers import LIMIT_DEFAULT, LIMIT_MAX, UNSCORED

TEXT_LENGTH_MAX = 300
LOOK_BACK_DAYS_DEFAULT = 30
LOOK_BACK_DAYS_MAX = 3_650
KEYS = ("type", "channel", "campaign")
BANDS = ("low", "medium", "high", "critical", UNSCORED)


@dataclass(frozen=True, slots=True)
class Parameter:
    """`read` turns the text into a value or raises ValueError with what was expected in its place."""

    name: str
    description: str
    read: Callable[[str], Any]
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string", "maxLength": TEXT_LENGTH_MAX})


def read_all(parameters: Sequence[Parameter], query: QueryParams) -> dict[str, Any]:
    """The values of those parameters that are given; one with an empty value is not. Raises Refused (400)."""
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {}
    for name, text in query.multi_items():
        parameter = known.get(name)
        if parameter is None:
            expected = f"one of {', '.join(known)}" if known else "no parameter here"
            raise Refused(400, f"The parameter {name[:TEXT_LENGTH_MAX]!r} is not known; expected {expected}.")
        if not text:
            continue
        if name in values:
            raise Refused(400, f"The parameter '{name}' is given more than once; expected one value.")
        try:
            values[name] = parameter.read(_bounded(text))
        except ValueError as error:
            shown = text if len(text) <= 60 else f"{text[:60]}…"
            raise Refused(400, f"The parameter '{name}' is {shown!r}; expected {error}.") from None
    if "from" in values and "to" in values and values["from"] >= values["to"]:
        raise Refused(
            400, "The parameter 'to' is not later than 'from'; expected the end of the range, after its start."
        )
    return values


def _instant(text: str) -> int:
    expected = "a date such as 2017-01-31 (its start in UTC) or an instant such as 2017-01-31T09:30:00Z"
    try:
        if len(text) == len("2017-01-31"):
            day = date.fromisoformat(text)
            return to_ms(datetime(day.year, day.month, day.day, tzinfo=UTC))
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(expected) from None
    if instant.tzinfo is None:
        raise ValueError(f"{expected}: without Z or an offset it is no instant")
    return to_ms(instant)


def _bounded(text: str) -> str:
    if len(text) > TEXT_LENGTH_MAX:
        raise ValueError(f"at most {TEXT_LENGTH_MAX} characters")
    return text


def _text(text: str) -> str:
    if "\x00" in text:
        raise ValueError("text without null characters")
    return text


def _one_of(choices: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return text

    return read


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return read


_INSTANT = {"type": "string", "format": "date-time", "description": "RFC 3339, or a date for its start in UTC."}

FILTER = (
    Parameter("from", "Start of the range of event time, included.", _instant, _INSTANT),
    Parameter("to", "End of the range of event time, excluded.", _instant, _INSTANT),
    Parameter("channel", "Customers with a touchpoint of this channel in the range.", _text),
    Parameter(
        "campaign", "Customers with a touchpoint of this campaign in the range; of `channel` too, if given.", _text
    ),
    Parameter("segment", "Customers who are in this segment now.", _text),
)
ATTRIBUTION = (
    *FILTER,
    Parameter("goal", "The stage whose entries are the conversions.", _text),
    Parameter("by", "What gets the credit.", _one_of(KEYS), {"type": "string", "enum": list(KEYS), "default": KEYS[0]}),
    Parameter(
        "look_back_days",
        "How long before a conversion touchpoints still count.",
        _whole(1, LOOK_BACK_DAYS_MAX),
        {"type": "integer", "minimum": 1, "maximum": LOOK_BACK_DAYS_MAX, "default": LOOK_BACK_DAYS_DEFAULT},
    ),
)
SEARCH = (
    *FILTER,
    Parameter("stage", "Customers who are in this stage now.", _text),
    Parameter("band", "Customers in this band of churn risk.", _one_of(BANDS), {"type": "string", "enum": list(BANDS)}),
    Parameter("q", "A part of the profile id, or of another identifier of the customer.", _text),
    Parameter(
        "limit",
        "How many at most.",
        _whole(1, LIMIT_MAX),
        {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
    ),
)
