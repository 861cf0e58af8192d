"""Numbers, instants and lengths of time as the page of the journey map says them, formatted independently of it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sept", "Oct", "Nov", "Dec")
NONE = "\N{EN DASH}"
MINUTE, HOUR, DAY = 60, 3_600, 86_400


def rounded(number: float, places: int = 0) -> Decimal:
    """Halves go up, as browsers round."""
    return Decimal(number).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def count(number: int) -> str:
    return f"{number:,}"


def decimal(number: float) -> str:
    return f"{rounded(number, 1):,}"


def plural(number: int, one: str, many: str | None = None) -> str:
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def share(part: float | None) -> str:
    if part is None:
        return NONE
    if 0 < part < 0.01:
        return "< 1 %"
    if 0.99 < part < 1:
        return "> 99 %"
    return f"{rounded(part * 100)} %"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return NONE
    if seconds < MINUTE:
        return f"{rounded(seconds)} s"
    if seconds < HOUR:
        return f"{rounded(seconds / MINUTE)} min"
    if seconds < DAY:
        hours, minutes = divmod(int(rounded(seconds / MINUTE)), 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days = seconds / DAY
    said = str(rounded(days, 1)).removesuffix(".0") if days < 10 else str(rounded(days))
    return f"{said} day" if said == "1" else f"{said} days"


def date(instant: str | None) -> str:
    if instant is None:
        return NONE
    at = datetime.fromisoformat(instant).astimezone(UTC)
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}"


def moment(instant: str | None) -> str:
    if instant is None:
        return NONE
    return f"{date(instant)}, {datetime.fromisoformat(instant).astimezone(UTC):%H:%M}"


def month(text: str) -> str:
    year, number = text.split("-")
    return f"{MONTHS[int(number) - 1]} {year}"


def words(name: str) -> str:
    return name.replace("_", " ").replace("-", " ")


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def touch(channel: str | None, kind: str | None, unnamed: str) -> str:
    return unnamed if channel is None else f"{words(channel)}: {words(kind or '')}"
