"""Dead letters for the terminal. Whatever a producer has sent is shown so that it cannot steer the terminal."""

from collections.abc import Mapping, Sequence

from journey_stream.cli.printing import plain
from journey_stream.events.framing import FRAME_BYTES, MAGIC, unframed
from journey_stream.events.reasons import MEANING, Reason
from journey_stream.events.reasons_page import REMEDY
from journey_stream.events.times import rfc3339
from journey_stream.worker.letter_replay import Seen

DETAIL_SHOWN_MAX = 120
HEX_BYTES_A_LINE = 32

_HEADINGS = ("position", "when", "reason", "stage", "source", "replay", "detail")


def print_letters(letters: Sequence[Seen], counts: Mapping[str, int], topic: str) -> None:
    """One line for each, in time order, then how many there are of each reason."""
    if not counts:
        print(f"no dead letters in {topic} fit")
        return
    rows = [_HEADINGS, *map(_row, letters)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS) - 1)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip())
    total = sum(counts.values())
    print(
        f"\n{total} dead letters" + (f", of which the newest {len(letters)} are shown" if total > len(letters) else "")
    )
    for reason, count in counts.items():
        print(f"  {plain(reason)}: {count}")


def print_letter(seen: Seen) -> None:
    """All that is known of one."""
    letter = seen.letter
    reason = Reason(letter.reason) if letter.reason in {*Reason} else None
    lines = {
        "position": letter.position,
        "when": _instant(letter.written_at),
        "reason": plain(letter.reason),
        "meaning": MEANING[reason] if reason else "",
        "what to do": REMEDY[reason] if reason else "",
        "detail": plain(letter.detail),
        "stage": plain(letter.stage),
        "source": _source(seen),
        "timestamp": "none" if letter.timestamp is None else _instant(letter.timestamp),
        "replay": _replay(seen, "can be replayed"),
        "key": _bytes(letter.key),
    }
    for name, text in lines.items():
        if text:
            print(f"{name:11} {text}")
    for header, content in letter.headers:
        print(f"{'header':11} {plain(header)}: {_bytes(content)}")
    print(f"{'value':11} {_size(letter.value)}")
    if letter.value:
        print(_text(unframed(letter.value)) or _hex(letter.value))


def _row(seen: Seen) -> tuple[str, ...]:
    letter = seen.letter
    detail = plain(letter.detail)
    if len(detail) > DETAIL_SHOWN_MAX:
        detail = detail[: DETAIL_SHOWN_MAX - 1] + "…"
    return (
        *(letter.position, _instant(letter.written_at), plain(letter.reason), plain(letter.stage)),
        *(_source(seen), _short(seen), detail),
    )


def _short(seen: Seen) -> str:
    """Whether it was sent or can be, in a word; `show` says why."""
    if seen.replayed_at is not None:
        return "sent"
    if seen.letter.cut is not None:
        return "no (cut)"
    if seen.letter.withheld is not None:
        return "no (withheld)"
    return "yes" if seen.obstacle is None else "no"


def _replay(seen: Seen, possible: str) -> str:
    if seen.replayed_at is not None:
        return f"sent again at {seen.replayed_at}"
    return possible if seen.obstacle is None else f"cannot be replayed: it {plain(seen.obstacle)}"


def _source(seen: Seen) -> str:
    source = seen.letter.source
    return "" if source is None else f"{plain(source.topic)}/{source.partition}/{source.offset}"


def _instant(at: int) -> str:
    try:
        return rfc3339(at)
    except OverflowError:
        return f"{at} ms"


def _bytes(content: bytes | None) -> str:
    if content is None:
        return "null"
    text = _text(content)
    return content.hex() if text is None else text


def _size(value: bytes | None) -> str:
    if value is None:
        return "null"
    if value[:1] != MAGIC or len(value) < FRAME_BYTES:
        return f"{len(value)} bytes"
    schema_id = int.from_bytes(value[len(MAGIC) : FRAME_BYTES], "big")
    return f"{len(value)} bytes, framed by schema {schema_id} of a registry"


def _text(content: bytes) -> str | None:
    """The content if it is text that prints; line ends and tabs are allowed."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text if all(one.isprintable() or one in "\n\t" for one in text) else None


def _hex(content: bytes) -> str:
    return "\n".join(
        f"{start:08x}  {content[start : start + HEX_BYTES_A_LINE].hex(' ')}"
        for start in range(0, len(content), HEX_BYTES_A_LINE)
    )
