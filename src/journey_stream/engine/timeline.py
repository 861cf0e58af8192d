"""A profile's timeline: its touchpoints of the last H and a little more, in order, in pieces that are cheap to write.

The newest few lie in the head, which is written with every change of the profile. Older ones lie in parts of bounded
size, each a changelog record of its own: a part is written again only when a touchpoint moves into it. So an event
costs a few hundred bytes of changelog however many touchpoints the profile holds.
"""

from collections.abc import Iterator

import msgspec

from journey_stream.engine.fold import Standing
from journey_stream.engine.touches import LONG_AGO, NEVER, Change, Touch, decode_touches, encode

TAIL_MAX = 4
PART_MAX = 16
CHECKPOINT = 0
"""Number of the part that holds the checkpoint instead of touchpoints."""


class Head(msgspec.Struct, array_like=True, gc=False):
    """What is read and written with every change of a profile.

    `armed` is when its timer rings. `history` are the changes since the checkpoint, of which the first `published` are
    on the topic. `parts` numbers the timeline's parts, oldest first; `folds_at` is when the clock lets the oldest fold
    into the checkpoint, which ends at touchpoint (`folded_at`, `folded_id`).
    """

    armed: int = NEVER
    revision: int = 0
    published: int = 0
    held: int = 0
    folds_at: int = NEVER
    folded_at: int = LONG_AGO
    folded_id: str = ""
    next_part: int = CHECKPOINT + 1
    overflow: bool = False
    standing: Standing = msgspec.field(default_factory=Standing)
    tail: list[Touch] = []
    history: list[Change] = []
    parts: list[int] = []


decode_head = msgspec.msgpack.Decoder(Head).decode
decode_standing = msgspec.msgpack.Decoder(Standing).decode
encode_id = msgspec.msgpack.Encoder().encode


class Timeline:
    """The touchpoints of one profile, held for `holding_ms`.

    `touched` collects the numbers of the parts that have to be written.
    """

    __slots__ = ("head", "holding_ms", "packed", "touched")

    def __init__(self, head: Head, packed: dict[int, bytes], holding_ms: int) -> None:
        self.head = head
        self.packed = packed
        self.holding_ms = holding_ms
        self.touched: set[int] = set()

    def __iter__(self) -> Iterator[Touch]:
        for number in self.head.parts:
            yield from decode_touches(self.packed[number])
        yield from self.head.tail

    def find(self, event_id: str) -> Touch | None:
        """The touchpoint with this event_id, if it is held."""
        for touch in self.head.tail:
            if touch.id == event_id:
                return touch
        if self.head.parts:
            needle = encode_id(event_id)
            for number in self.head.parts:
                if needle in self.packed[number]:
                    for touch in decode_touches(self.packed[number]):
                        if touch.id == event_id:
                            return touch
        return None

    def append(self, touch: Touch) -> None:
        """Add a touchpoint that comes after all others."""
        head = self.head
        head.tail.append(touch)
        head.held += 1
        if len(head.tail) > TAIL_MAX:
            self._spill()

    def insert(self, touch: Touch) -> None:
        """Add a touchpoint anywhere after the checkpoint."""
        head, key = self.head, (touch.at, touch.id)
        head.held += 1
        for place in reversed(range(len(head.parts))):
            part = decode_touches(self.packed[head.parts[place]])
            if key > (part[-1].at, part[-1].id) and place == len(head.parts) - 1:
                break
            if key > (part[0].at, part[0].id) or place == 0:
                self._insert_into(place, part, touch)
                return
        head.tail.append(touch)
        head.tail.sort(key=_key)
        if len(head.tail) > TAIL_MAX:
            self._spill()

    def remove(self, touch: Touch) -> None:
        """Take a held touchpoint out."""
        head = self.head
        head.held -= 1
        if touch in head.tail:
            head.tail.remove(touch)
            return
        for place, number in enumerate(head.parts):
            part = decode_touches(self.packed[number])
            if touch in part:
                part.remove(touch)
                if part:
                    self._write(place, part)
                else:
                    self._drop(place)
                return

    def pop_oldest_part(self) -> list[Touch]:
        """Take the oldest part out, to be folded. Raises IndexError when there is none."""
        touches = decode_touches(self.packed[self.head.parts[0]])
        self._drop(0)
        self.head.held -= len(touches)
        return touches

    def checkpoint(self) -> Standing:
        """The summary of everything that has been folded; a fresh copy."""
        packed = self.packed.get(CHECKPOINT)
        return Standing() if packed is None else decode_standing(packed)

    def set_checkpoint(self, standing: Standing, last: Touch) -> None:
        """Everything up to and including `last` is folded into `standing`."""
        self.packed[CHECKPOINT] = encode(standing)
        self.touched.add(CHECKPOINT)
        self.head.folded_at, self.head.folded_id = last.at, last.id

    def _spill(self) -> None:
        head = self.head
        moved = head.tail[:TAIL_MAX]
        del head.tail[:TAIL_MAX]
        if head.parts:
            last = decode_touches(self.packed[head.parts[-1]])
            if len(last) + TAIL_MAX <= PART_MAX:
                self._write(len(head.parts) - 1, last + moved)
                return
        self._insert_part(len(head.parts), moved)

    def _insert_into(self, place: int, part: list[Touch], touch: Touch) -> None:
        part.append(touch)
        part.sort(key=_key)
        if len(part) <= PART_MAX:
            self._write(place, part)
        else:
            half = len(part) // 2
            self._write(place, part[:half])
            self._insert_part(place + 1, part[half:])

    def _insert_part(self, place: int, touches: list[Touch]) -> None:
        number = self.head.next_part
        self.head.next_part += 1
        self.head.parts.insert(place, number)
        self._write(place, touches)

    def _write(self, place: int, touches: list[Touch]) -> None:
        number = self.head.parts[place]
        self.packed[number] = encode(touches)
        self.touched.add(number)
        if place == 0:
            self._schedule_fold(touches)

    def _drop(self, place: int) -> None:
        number = self.head.parts.pop(place)
        del self.packed[number]
        self.touched.add(number)
        if place == 0:
            parts = self.head.parts
            self._schedule_fold(decode_touches(self.packed[parts[0]]) if parts else [])

    def _schedule_fold(self, oldest: list[Touch]) -> None:
        # A part may fold when no admissible touchpoint can reach it any more.
        self.head.folds_at = oldest[-1].at + self.holding_ms + 1 if oldest else NEVER


def _key(touch: Touch) -> tuple[int, str]:
    return touch.at, touch.id
