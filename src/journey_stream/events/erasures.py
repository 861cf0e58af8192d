"""What was erased, under names that nobody can turn back into identifiers, or check a guess by, without the key.

An erasure is a set of spans of time: what an identifier did in them is dropped, whenever it comes. A person's own
identifiers are erased from the beginning of time on; of a device that somebody else uses too, only the spans go in
which it was the person's.
"""

import hmac
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any, Final, final

import msgspec

from journey_stream.events.times import MS_MIN

Span = tuple[int, int]
"""From the first to the last instant, both included (ms)."""

Spans = tuple[Span, ...]
"""In order, without overlaps."""

NAME_BYTES: Final = 16


@final
class ErasureKey:
    """Makes the names under which erasures are remembered. `secret` must not be empty."""

    __slots__ = ("_secret", "fingerprint")

    def __init__(self, secret: bytes) -> None:
        if not secret:
            raise ValueError("an empty key")
        self._secret = secret
        self.fingerprint = blake2b(b"erasures", digest_size=8, key=self._derived()).hexdigest()
        """Tells two keys apart and gives neither away."""

    def name_of(self, profile_id: str) -> bytes:
        """The first 128 bits of HMAC-SHA256 over the profile id."""
        return hmac.digest(self._secret, profile_id.encode(), "sha256")[:NAME_BYTES]

    def _derived(self) -> bytes:
        return hmac.digest(self._secret, b"fingerprint", "sha256")


UNKEYED: Final = ErasureKey(b"journey-stream")
"""Where nothing leaves the process: tests and simulations."""


@final
class Erasures:
    """All erasures that somebody knows of; `latest` is the last instant (ms) that any of them covers."""

    __slots__ = ("_spans", "key", "latest")

    def __init__(self, key: ErasureKey) -> None:
        self.key = key
        self.latest = MS_MIN - 1
        self._spans: dict[bytes, Spans] = {}

    def __len__(self) -> int:
        return len(self._spans)

    def of(self, profile_id: str) -> Spans:
        """What is erased of an identifier."""
        return self._spans.get(self.key.name_of(profile_id), ()) if self._spans else ()

    def add(self, name: bytes, spans: Iterable[Span]) -> Spans:
        """Remember more spans under a name; returns all that are erased under it now."""
        found = united([*self._spans.get(name, ()), *spans])
        if found:
            self._spans[name] = found
            self.latest = max(self.latest, found[-1][1])
        return found

    def items(self) -> Iterable[tuple[bytes, Spans]]:
        """Names and spans."""
        return self._spans.items()

    def drops(self, at: int, owner: str, lower: Sequence[str]) -> bool:
        """Whether a touchpoint at `at` (ms) is not to be: its owner is erased then, or another identifier wholly."""
        if at > self.latest:
            return False
        return covers(self.of(owner), at) or self.drops_any(at, lower)

    def drops_any(self, at: int, ids: Iterable[str]) -> bool:
        """Whether one of these identifiers is erased at `at` (ms), itself and not just in part."""
        if at > self.latest:
            return False
        return any(is_whole(spans := self.of(one)) and at <= spans[0][1] for one in ids)


def whole(until: int) -> Spans:
    """Everything up to `until` (ms)."""
    return ((MS_MIN, until),)


def is_whole(spans: Sequence[Span]) -> bool:
    """Whether an identifier with these spans is itself erased, not just what somebody did with it."""
    return bool(spans) and spans[0][0] <= MS_MIN


def covers(spans: Iterable[Span], at: int) -> bool:
    """Whether an instant (ms) lies in one of the spans."""
    return any(since <= at <= until for since, until in spans)


def united(spans: Iterable[Span]) -> Spans:
    """The same instants in spans that are in order and do not touch."""
    found: list[Span] = []
    for since, until in sorted(spans):
        if until < since:
            continue
        if found and since <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], until)
        else:
            found.append((since, until))
    return tuple(found)


def common(some: Iterable[Span], others: Iterable[Span]) -> Spans:
    """The instants that lie in both."""
    others = tuple(others)
    return united([(max(a, c), min(b, d)) for a, b in some for c, d in others])


class _Value(msgspec.Struct):
    key: str
    spans: list[Span]


_decode: Final = msgspec.json.Decoder(_Value).decode


def encode_erasure(fingerprint: str, spans: Spans) -> bytes:
    """The value of a record of journey.erasures, of which the key is a name by the key with this fingerprint."""
    document: dict[str, Any] = {"key": fingerprint, "spans": spans}
    return msgspec.json.encode(document)


def decode_erasure(value: bytes) -> tuple[str, Spans]:
    """The fingerprint of the key with which the name was made, and the spans. Raises ValueError."""
    try:
        found = _decode(value)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not an erasure: {error}") from error
    return found.key, united(found.spans)
