"""What fitting and judging complain about."""


class FitError(Exception):
    """The data does not carry what was asked of it; the message says what is missing."""
