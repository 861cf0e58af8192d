"""A profile's timeline: its touchpoints of the last H and a little more, in order, in pieces that are cheap to write.

The newest few lie in the head, which is written with every change of the profile. Older ones lie in parts of bounded
size, each a state record of its own: a part is written again only when touchpoints move into it. So an event costs a
few hundred bytes of changelog however many touchpoints the profile holds.
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final
from zlib import crc32

from journey_stream.engine.head import CHECKPOINT, LINKS, RISK, Head
from journey_stream.engine.packing import pack_touches, unpack_part, unpack_touches
from journey_stream.engine.standing import Standing, pack_standing, unpack_standing
from journey_stream.engine.touches import NEVER, Touch

TAIL_MAX: Final = 7
PART_MAX: Final = 14
"""A part is an array in MessagePack; those of up to 15 elements have a header of one byte."""

_ARRAY: Final = 0x90
_COUNT: Final = 0x0F
_HEADERS: Final = [bytes([_ARRAY | count]) for count in range(_COUNT + 1)]
_MARKS: Final = 0x7FFF
_FIRST_MARK: Final = 0x100
_crc32: Final = crc32  # a name that compiled code need not look up


class Timeline:
    """The touchpoints of one profile, held for `holding_ms`.

    `parts` are the packed parts in the order of `head.parts`, their numbers; `packed_checkpoint` is None while nothing
    has folded, `packed_risk` while nothing concerned churn risk, `packed_links` while no other identifier is known.
    `touched` collects the numbers of what has to be written, `grown` sums up how many bytes longer it is.

    `index` holds, once somebody has asked for it, one character for each touchpoint, in order: a hash of its id. It
    answers "never seen" for nearly every new touchpoint without a look into the parts. It is not stored, and there is
    none without parts: the tail is looked through quickly.
    """

    __slots__ = (
        "grown",
        "head",
        "holding_ms",
        "index",
        "packed_checkpoint",
        "packed_links",
        "packed_risk",
        "parts",
        "touched",
    )

    def __init__(
        self,
        head: Head,
        parts: list[bytes],
        packed_checkpoint: bytes | None,
        index: str | None,
        packed_risk: bytes | None,
        packed_links: bytes | None,
        holding_ms: int,
    ) -> None:
        self.head = head
        self.parts = parts
        self.packed_checkpoint = packed_checkpoint
        self.index = index
        self.packed_risk = packed_risk
        self.packed_links = packed_links
        self.holding_ms = holding_ms
        self.touched: set[int] | None = None
        self.grown = 0

    def touches(self) -> Iterator[Touch]:
        """All that are held, in order."""
        for part in self.parts:
            yield from unpack_part(part)
        yield from self._tail()

    def find(self, event_id: str, mark: str, since: int, until: int = NEVER) -> Touch | None:
        """The newest touchpoint with this event_id that is held and happened from `since` to `until` (ms)."""
        if self.parts:
            index = self.index
            if index is None:
                index = self.index = "".join([mark_of(touch.id) for touch in self.touches()])
            if mark not in index:
                return None
        needle = event_id.encode()
        if needle in self.head.tail and (found := _newest(self._tail(), event_id, since, until)) is not None:
            return found
        for part in reversed(self.parts):
            if needle in part and (found := _newest(unpack_part(part), event_id, since, until)) is not None:
                return found
        return None

    def find_at(self, event_id: str, at: int) -> Touch | None:
        """The touchpoint with this event_id that is held and happened at `at` (ms)."""
        needle = event_id.encode()
        if needle in self.head.tail or any(needle in part for part in self.parts):
            for touch in self.touches():
                if touch.at == at and touch.id == event_id:
                    return touch
        return None

    def append(self, at: int, event_id: str, mark: str, packed: bytes) -> None:
        """Add a touchpoint that comes after all others, and that `packed` holds."""
        head = self.head
        head.tail += packed
        head.tail_count += 1
        head.held += 1
        head.last_at = at
        head.last_id = event_id
        index = self.index
        if index is not None:
            self.index = index + mark
        if head.tail_count >= TAIL_MAX:
            self._spill()

    def insert(self, touches: list[Touch]) -> None:
        """Add touchpoints anywhere after the checkpoint."""
        self.head.held += len(touches)
        waiting, last = sorted(touches, key=_key), len(self.parts) - 1
        newest: list[Touch] = waiting if last < 0 else []
        for place in range(last, -1, -1):
            part = unpack_part(self.parts[place])
            if place == last:
                waiting, newest = _cut(waiting, _key(part[-1]))
            before, mine = ([], waiting) if place == 0 else _cut(waiting, _key(part[0]))
            if mine:
                self._insert_into(place, part, mine)
            waiting = before
            if not waiting:
                break
        # A tail that is full goes to the parts, so these come first.
        if not newest:
            return
        tail = sorted([*self._tail(), *newest], key=_key)
        self._mark(len(self.parts), self.head.tail_count, tail)
        for first in range(0, len(tail), TAIL_MAX):
            self._set_tail(tail[first : first + TAIL_MAX])
            if self.head.tail_count >= TAIL_MAX:
                self._spill()

    def remove(self, touch: Touch) -> None:
        """Take a held touchpoint out."""
        head = self.head
        head.held -= 1
        tail = self._tail()
        if touch in tail:
            tail.remove(touch)
            self._mark(len(self.parts), head.tail_count, tail)
            self._set_tail(tail)
            return
        for place, packed in enumerate(self.parts):
            part = unpack_part(packed)
            if touch in part:
                part.remove(touch)
                self._mark(place, len(part) + 1, part)
                if part:
                    self._write(place, part)
                else:
                    self._drop(place)
                if not self.parts:
                    self.index = None
                if not head.tail_count:
                    self._set_tail([])
                return

    def pop_oldest_part(self) -> list[Touch]:
        """Take the oldest part out, to be folded. Raises IndexError when there is none."""
        touches = unpack_part(self.parts[0])
        self._drop(0)
        if self.index is not None:
            self.index = self.index[len(touches) :] if self.parts else None
        self.head.held -= len(touches)
        return touches

    def part(self, number: int) -> bytes | None:
        """A part by its number, or the checkpoint, as it is stored; None if there is none any more."""
        if number == CHECKPOINT:
            return self.packed_checkpoint
        if number == RISK:
            return self.packed_risk
        if number == LINKS:
            return self.packed_links
        numbers = self.head.parts
        return self.parts[numbers.index(number)] if number in numbers else None

    def checkpoint(self) -> Standing:
        """The summary of everything that has been folded; a fresh copy."""
        packed = self.packed_checkpoint
        return Standing() if packed is None else unpack_standing(packed)

    def set_checkpoint(self, standing: Standing, last: Touch) -> None:
        """Everything up to and including `last` is folded into `standing`."""
        packed = pack_standing(standing)
        self.grown += len(packed) - len(self.packed_checkpoint or b"")
        self.packed_checkpoint = packed
        self._touch(CHECKPOINT)
        self.head.folded_at, self.head.folded_id = last.at, last.id

    def keep_risk(self, packed: bytes) -> None:
        """Take over what is kept for churn risk."""
        self.grown += len(packed) - len(self.packed_risk or b"")
        self.packed_risk = packed
        self._touch(RISK)

    def keep_links(self, packed: bytes) -> None:
        """Take over what is known of other identifiers."""
        self.grown += len(packed) - len(self.packed_links or b"")
        self.packed_links = packed
        self._touch(LINKS)

    def _tail(self) -> list[Touch]:
        return unpack_touches(self.head.tail_count, self.head.tail)

    def _set_tail(self, touches: list[Touch]) -> None:
        head = self.head
        head.tail, head.tail_count = pack_touches(touches), len(touches)
        if touches:
            head.last_at, head.last_id = touches[-1].at, touches[-1].id
        elif self.parts:
            last = unpack_part(self.parts[-1])[-1]
            head.last_at, head.last_id = last.at, last.id
        else:
            head.last_at, head.last_id = (head.folded_at, head.folded_id)

    def _spill(self) -> None:
        """Move the whole tail to the parts: bytes to bytes, nothing is unpacked."""
        head, parts = self.head, self.parts
        count = head.tail_count
        place = len(parts) - 1
        if place >= 0 and (parts[place][0] & _COUNT) + count <= PART_MAX:
            last = parts[place]
            self._store(place, (last[0] & _COUNT) + count, last[1:] + head.tail, head.last_at)
        else:
            self._add_part(place + 1)
            self._store(place + 1, count, head.tail, head.last_at)
        head.tail = b""
        head.tail_count = 0

    def _insert_into(self, place: int, part: list[Touch], touches: list[Touch]) -> None:
        before, part = len(part), sorted([*part, *touches], key=_key)
        self._mark(place, before, part)
        count = -(-len(part) // PART_MAX)
        for number in range(count):
            if number:
                self._add_part(place + number)
            self._write(place + number, part[number * len(part) // count : (number + 1) * len(part) // count])

    def _mark(self, place: int, count: int, touches: list[Touch]) -> None:
        """Say in the index that the part at `place`, or the tail behind the last, holds these instead of `count`."""
        index = self.index
        if index is not None:
            start = 0
            for part in self.parts[:place]:
                start += part[0] & _COUNT
            marks = "".join([mark_of(touch.id) for touch in touches])
            self.index = index[:start] + marks + index[start + count :]

    def _add_part(self, place: int) -> None:
        head = self.head
        head.parts.insert(place, head.next_part)
        head.next_part += 1
        self.parts.insert(place, b"")

    def _write(self, place: int, touches: list[Touch]) -> None:
        self._store(place, len(touches), pack_touches(touches), touches[-1].at)

    def _store(self, place: int, count: int, run: bytes, last_at: int) -> None:
        packed = _HEADERS[count] + run
        self.grown += len(packed) - len(self.parts[place])
        self.parts[place] = packed
        self._touch(self.head.parts[place])
        if place == 0:
            self._schedule_fold(last_at)

    def _drop(self, place: int) -> None:
        number = self.head.parts.pop(place)
        self.grown -= len(self.parts.pop(place))
        self._touch(number)
        if place == 0:
            self._schedule_fold(unpack_part(self.parts[0])[-1].at if self.parts else None)

    def _touch(self, number: int) -> None:
        if self.touched is None:
            self.touched = {number}
        else:
            self.touched.add(number)

    def _schedule_fold(self, last_at: int | None) -> None:
        # A part may fold when no admissible touchpoint can reach it any more.
        self.head.folds_at = NEVER if last_at is None else last_at + self.holding_ms + 1


def _newest(touches: list[Touch], event_id: str, since: int, until: int) -> Touch | None:
    for touch in reversed(touches):
        if touch.id == event_id and since <= touch.at <= until:
            return touch
    return None


def mark_of(event_id: str) -> str:
    """The character that stands for an id in an index; two ids may share it."""
    return chr(_FIRST_MARK + (_crc32(event_id.encode()) & _MARKS))


def _cut(touches: list[Touch], key: tuple[int, str]) -> tuple[list[Touch], list[Touch]]:
    """Touchpoints in order up to and with `key`, and those after."""
    place = bisect_right(touches, key, key=_key)
    return touches[:place], touches[place:]


def _key(touch: Touch) -> tuple[int, str]:
    return touch.at, touch.id
