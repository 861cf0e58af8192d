"""Dead letters: the original key, value and headers, and headers that say where they came from and what is wrong."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from journey_stream.events.log import Source
from journey_stream.events.reasons import Reason

Header = tuple[str, bytes | None]

DETAIL_BYTES_MAX = 2_000
OWN_PREFIX = "dead_letter_"


class DeadLetter(NamedTuple):
    """A record that cannot be used. `timestamp` is the source record's, in ms; None if it had none."""

    reason: Reason
    detail: str
    stage: Literal["router", "task"]
    source: Source
    timestamp: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[Header] = ()
    withheld: bool = False
    """Whether key, value and headers of the original were left out, because they may name somebody."""


def dead_letter_headers(letter: DeadLetter) -> list[Header]:
    """The headers of the message: the original's, then ours. Ours from an earlier round are replaced."""
    source = letter.source
    headers: list[Header] = [header for header in letter.headers if not header[0].startswith(OWN_PREFIX)]
    headers += [
        ("dead_letter_reason", letter.reason.encode()),
        ("dead_letter_detail", letter.detail.encode(errors="replace")[:DETAIL_BYTES_MAX]),
        ("dead_letter_topic", source.topic.encode()),
        ("dead_letter_partition", b"%d" % source.partition),
        ("dead_letter_offset", b"%d" % source.offset),
        ("dead_letter_stage", letter.stage.encode()),
    ]
    if letter.timestamp is not None:
        headers.append(("dead_letter_timestamp", b"%d" % letter.timestamp))
    if letter.withheld:
        headers.append(("dead_letter_withheld", b"key, value and headers"))
    return headers
