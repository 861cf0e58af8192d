"""Lengths of time as people write them (`30d`) and as the engine counts them (milliseconds)."""

import re

UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}

DURATION_MS_MAX = 3_660 * UNITS_MS["d"]
"""Ten years: longer than any journey, and far from where milliseconds would overflow a timestamp."""

_WRITTEN = re.compile(r"([0-9]{1,15})(ms|s|m|h|d|w)")
_SPOKEN = re.compile(
    r"([0-9]{1,15})\s*(?:(ms|s|m|h|d|w)|(milli)[a-z]*|(sec)[a-z]*|(min)[a-z]*|(h)(?:ou)?rs?|(day)s?|(week)s?)",
)


def parse_duration(written: str) -> int | None:
    """Milliseconds of a duration such as `10m` or `30d`; None if it is not one."""
    match = _WRITTEN.fullmatch(written)
    return int(match[1]) * UNITS_MS[match[2]] if match else None


def format_duration(length_ms: int) -> str:
    """The shortest way to write a length exactly, in days at most: `parse_duration` reads the same length back."""
    for unit in ("d", "h", "m", "s"):
        if length_ms % UNITS_MS[unit] == 0 and (length_ms or unit == "s"):
            return f"{length_ms // UNITS_MS[unit]}{unit}"
    return f"{length_ms}ms"


def likely_duration(written: str) -> str | None:
    """How somebody who wrote `30 days` should have written it; None if that cannot be told."""
    match = _SPOKEN.fullmatch(written.strip().lower())
    if match is None:
        return None
    unit = next(name for name in match.groups()[1:] if name)
    return match[1] + {"milli": "ms", "sec": "s", "min": "m", "day": "d", "week": "w"}.get(unit, unit)
