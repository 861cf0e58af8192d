"""Dead letters as they are found on their topic: what their headers say, which of them are meant, and which can be sent
to their sources again. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from journey_stream.events.log import Source
from journey_stream.worker.dead_letters import OWN_PREFIX, Header
from journey_stream.worker.outbox import Message

DIGEST_BYTES = 8


class FoundLetter(NamedTuple):
    """A dead letter. `written_at` (ms) is when it became one; `timestamp` (ms) is the original's, None if it had none.

    `source` is None, and texts are empty, where somebody else has written to the topic. `cut` says what is missing of
    the original, and `withheld` what was left out on purpose. `headers` are the original's.
    """

    partition: int
    offset: int
    written_at: int
    reason: str
    detail: str
    stage: str
    source: Source | None
    timestamp: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header]
    cut: str | None
    withheld: str | None

    @property
    def position(self) -> str:
        """Where it stands on its topic: `PARTITION:OFFSET`."""
        return f"{self.partition}:{self.offset}"

    @property
    def original(self) -> str | None:
        """Names the record that it was, whatever number of letters tell of it.

        Its place alone would not do: a source that was made anew has the same places once more.
        """
        if self.source is None:
            return None
        digest = hashlib.blake2b(self.value or b"", digest_size=DIGEST_BYTES).hexdigest()
        return f"{self.source.topic}/{self.source.partition}/{self.source.offset}/{digest}"


def read_letter(record: Any) -> FoundLetter:
    """What a record of the dead-letter topic says; `record` is as a consumer hands it over."""
    ours: dict[str, str] = {}
    headers: list[Header] = []
    for name, value in record.headers:
        if name.startswith(OWN_PREFIX):
            ours[name.removeprefix(OWN_PREFIX)] = (value or b"").decode(errors="replace")
        else:
            headers.append((name, value))
    return FoundLetter(
        *(record.partition, record.offset, record.timestamp),
        *(ours.get("reason", ""), ours.get("detail", ""), ours.get("stage", "")),
        _source(ours),
        _number(ours.get("timestamp")),
        *(record.key, record.value, headers),
        *(ours.get("cut"), ours.get("withheld")),
    )


class Wanted(NamedTuple):
    """Which dead letters are meant: all that fit everything given. Instants in ms; `until` is not part of the span."""

    reasons: Collection[str] = ()
    sources: Collection[str] = ()
    stage: str | None = None
    since: int | None = None
    until: int | None = None

    def fits(self, letter: FoundLetter) -> bool:
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.sources or (letter.source is not None and letter.source.topic in self.sources))
            and (self.stage is None or letter.stage == self.stage)
            and (self.since is None or letter.written_at >= self.since)
            and (self.until is None or letter.written_at < self.until)
        )


def message_of(letter: FoundLetter, *, timestamp: int | None) -> Message:
    """The original once more: key, value and headers as the letter has them."""
    return Message(letter.key, letter.value, letter.headers, timestamp)


def obstacle(letter: FoundLetter, inputs: Collection[str], log: str) -> str | None:
    """Why a letter cannot be sent again, in a few words; None if it can. `inputs` are the topics that routers read."""
    if letter.source is None or not letter.reason:
        return "was not written by a worker"
    if letter.cut is not None:
        return f"is cut: {letter.cut} are missing; its source may still have it"
    if letter.withheld is not None:
        return f"has no {letter.withheld} of the original; its source may still have it"
    if letter.source.topic == log:
        return f"came from no source but from {log}"
    if letter.source.topic not in inputs:
        return f"came from {letter.source.topic}, which no router reads any more"
    return None


def _source(ours: dict[str, str]) -> Source | None:
    topic, partition, offset = ours.get("topic"), _number(ours.get("partition")), _number(ours.get("offset"))
    return None if not topic or partition is None or offset is None else Source(topic, partition, offset)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
