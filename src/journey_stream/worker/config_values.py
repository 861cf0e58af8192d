"""How single values of the configuration are written. Each function raises ValueError saying what it expected."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from journey_stream.journey.durations import DURATION_MS_MAX, likely_duration, parse_duration

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_BROKER = re.compile(r"(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")


def duration(written: object) -> object:
    """`30d` → milliseconds. A number is taken as milliseconds: only code writes one, the file's reader refuses it."""
    if not isinstance(written, str):
        return written
    length_ms = parse_duration(written)
    if length_ms is None:
        meant = likely_duration(written)
        raise ValueError(
            "a length of time such as 30d, 12h, 5m or 10s" + (f"; did you mean {meant!r}?" if meant else "")
        )
    if length_ms > DURATION_MS_MAX:
        raise ValueError("a length of time of at most ten years")
    return length_ms


def topic_name(written: object) -> str:
    if not isinstance(written, str) or not _TOPIC.fullmatch(written) or written in {".", ".."}:
        raise ValueError("a Kafka name: 1 to 249 of the characters A-Z a-z 0-9 . _ -")
    return written


def topic_names(written: object) -> tuple[str, ...]:
    names = tuple(topic_name(name) for name in listed(written, "topic names"))
    if not names:
        raise ValueError("at least one topic to read touchpoints from")
    if len(set(names)) < len(names):
        raise ValueError("each topic once")
    return names


def names_of(what: str) -> Callable[[object], tuple[str, ...]]:
    """A reader of lists of `what`, which may be empty."""

    def names(written: object) -> tuple[str, ...]:
        found = listed(written, what)
        if not all(isinstance(name, str) and name.strip() for name in found):
            raise ValueError(f"a list of {what}, each a text")
        if len(set(found)) < len(found):
            raise ValueError(f"a list of {what}, each of them once")
        return tuple(map(str, found))

    return names


def brokers(written: object) -> tuple[str, ...]:
    servers = listed(written, "brokers as host:port")
    for server in servers:
        matched = _BROKER.fullmatch(server) if isinstance(server, str) else None
        if matched is None or not 0 < int(matched[2]) < 65_536:
            raise ValueError(f"brokers as host:port, which {server!r} is not")
    if not servers:
        raise ValueError("at least one broker as host:port")
    return tuple(str(server) for server in servers)


def listed(written: object, what: str) -> list[object]:
    """A YAML list, or a string with commas as a variable holds it."""
    if isinstance(written, str):
        return [part.strip() for part in written.split(",") if part.strip()]
    if isinstance(written, list | tuple):
        return list(written)
    raise ValueError(f"a list of {what}, or a string with commas")


def networks(written: object) -> tuple[str, ...]:
    """Addresses and networks, such as 10.0.0.5 and 10.1.0.0/16."""
    found = listed(written, "addresses or networks")
    for one in found:
        try:
            ipaddress.ip_network(str(one))
        except ValueError:
            raise ValueError(f"addresses or networks such as 10.0.0.5 or 10.1.0.0/16, which {one!r} is not") from None
    return tuple(map(str, found))


def header_name(written: object) -> str:
    if not isinstance(written, str) or not _HEADER.fullmatch(written):
        raise ValueError("the name of an HTTP header, such as X-Forwarded-User")
    return written


def endpoint_url(written: object) -> str:
    """An address that a secret may be sent to: nobody must read it on its way."""
    expected = "an address that begins with https://, or with http:// on this machine"
    found = _url(written, expected)
    if not keeps_secrets(found):
        raise ValueError(expected)
    return found


def base_url(written: object) -> str:
    """The address of a server, to which paths are added."""
    return _url(written, "an address that begins with https:// or http://").rstrip("/")


def keeps_secrets(url: str) -> bool:
    """Whether nobody can read what is sent to the address."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in _LOOPBACK


def _url(written: object, expected: str) -> str:
    if not isinstance(written, str):
        raise ValueError(expected)  # noqa: TRY004 - pydantic makes a complaint of a ValueError only
    try:
        url = urlsplit(written)
        _ = url.port
    except ValueError:
        raise ValueError(expected) from None
    if url.username or url.password:
        raise ValueError("an address without a user and a password in it")
    if not url.hostname or url.scheme not in {"https", "http"}:
        raise ValueError(expected)
    return written
