"""Texts that a producer has sent, shown so that they cannot steer the terminal."""


def plain(text: str) -> str:
    """The text with everything that is not printable written as an escape."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
