"""One spelling for each identifier: the same person writes an e-mail address or a phone number in many ways.

What is normal already stays as it is, so that an identifier may be normalised again, wherever it was read.
"""

from typing import Final

STEPS: Final[tuple[str, ...]] = ("trim", "lower", "digits", "e164")
"""What may be done to a value: cut white space at its ends, make it lower case, keep its digits alone, or write it as
an international phone number."""

_DIGITS_MIN: Final = 7
_DIGITS_MAX: Final = 15
_NUMERALS: Final = frozenset("0123456789")
_FORMATTING: Final = str.maketrans(dict.fromkeys(" \t-./()\u00a0\u2007\u2009\u2010\u2011\u2012\u2013\u202f"))

_TRUNKS: Final[dict[str, tuple[str, int]]] = {
    "1": ("1", 11),
    "7": ("8", 11),
    "36": ("06", 0),
    "39": ("", 0),
    "225": ("", 0),
    "241": ("", 0),
    "242": ("", 0),
    "378": ("", 0),
}
"""By calling code: the prefix of a number that is dialled within the country, and the digits that it must have with it.
Nearly everywhere else it is a 0; here 0 is a part of the number, or something else is dialled."""


def normalised(value: str, steps: tuple[str, ...], calling_code: str) -> str:
    """The value after all steps, in their order; empty if it cannot be what its type says."""
    for step in steps:
        if step == "trim":
            value = value.strip()
        elif step == "lower":
            value = value.lower()
        elif step == "digits":
            value = "".join(letter for letter in value if letter in _NUMERALS)
        else:
            value = e164(value, calling_code)
    return value


def e164(written: str, calling_code: str) -> str:
    """`+4930123456` for `+49 (0)30 / 123-456`; empty if it is no phone number.

    A number without `+` or `00` is one of the country with `calling_code`; without that nobody can tell whose it is.
    """
    text = written.strip().removeprefix("tel:")
    if text.startswith(("+", "00")):
        # As many write it: "(0)" is dialled within the country only.
        text = text.replace("(0)", "", 1)
    digits = text.translate(_FORMATTING)
    if digits.startswith("+"):
        digits = digits[1:]
    elif digits.startswith("00"):
        digits = digits[2:]
    elif calling_code:
        digits = calling_code + _without_trunk(digits, calling_code)
    else:
        return ""
    if _DIGITS_MIN <= len(digits) <= _DIGITS_MAX and digits[0] != "0" and _NUMERALS.issuperset(digits):
        return "+" + digits
    return ""


def _without_trunk(digits: str, calling_code: str) -> str:
    prefix, least = _TRUNKS.get(calling_code, ("0", 0))
    return digits.removeprefix(prefix) if len(digits) >= least else digits
