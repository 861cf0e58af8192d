"""A profile's timeline: its touchpoints of the last H and a little more, in order, in pieces that are cheap to write.

The newest few lie in the head, which is written with every change of the profile. Older ones lie in parts of bounded
size, each a state record of its own: a part is written again only when touchpoints move into it. So an event costs a
few hundred bytes of changelog however many touchpoints the profile holds.
"""

from collections.abc import Iterable, Iterator
from zlib import crc32

from journey_stream.engine.head import CHECKPOINT, RISK_CHECKPOINT, Head, decode_standing
from journey_stream.engine.risk import RiskState, decode_risk
from journey_stream.engine.standing import Standing
from journey_stream.engine.touches import NEVER, Touch, encode, pack, unpack_touches

TAIL_MAX = 4
PART_MAX = 16
_COUNT_BYTES = 2

INDEX = -1
"""Number under which memory holds, beside the parts, four bytes of hash for each of their touchpoints, in order.

It answers "never seen" for nearly every new touchpoint without a look into the parts. It is not stored.
"""
_HASH_BYTES = 4


class Timeline:
    """The touchpoints of one profile, held for `holding_ms`.

    `packed` are its parts by number; `touched` collects the numbers of those that have to be written, `grown` sums up
    by how many bytes they have grown.
    """

    __slots__ = ("grown", "head", "holding_ms", "packed", "touched")

    def __init__(self, head: Head, packed: dict[int, bytes] | None, holding_ms: int) -> None:
        self.head = head
        self.packed = {} if packed is None else packed
        self.holding_ms = holding_ms
        self.touched: set[int] = set()
        self.grown = 0

    def touches(self) -> Iterator[Touch]:
        """All that are held, in order."""
        for place in range(len(self.head.parts)):
            yield from self._part(place)
        yield from self._tail()

    def find(self, event_id: str, since: int) -> Touch | None:
        """The newest touchpoint with this event_id that is held and happened at `since` (ms) or later."""
        head = self.head
        needle = event_id.encode()
        if head.tail_count and needle in head.tail:
            for touch in reversed(self._tail()):
                if touch.id == event_id and touch.at >= since:
                    return touch
        if head.parts and crc32(needle).to_bytes(_HASH_BYTES, "big") in (self.packed.get(INDEX) or self._index()):
            for place in reversed(range(len(head.parts))):
                if needle in self.packed[head.parts[place]]:
                    for touch in reversed(self._part(place)):
                        if touch.id == event_id and touch.at >= since:
                            return touch
        return None

    def append(self, touch: Touch) -> None:
        """Add a touchpoint that comes after all others."""
        head = self.head
        head.tail += encode(touch)
        head.tail_count += 1
        head.held += 1
        head.last_at = touch.at
        head.last_id = touch.id
        if head.tail_count >= TAIL_MAX:
            self._spill()

    def insert(self, touch: Touch) -> None:
        """Add a touchpoint anywhere after the checkpoint."""
        head, key = self.head, (touch.at, touch.id)
        head.held += 1
        for place in reversed(range(len(head.parts))):
            part = self._part(place)
            if key > (part[-1].at, part[-1].id) and place == len(head.parts) - 1:
                break
            if key > (part[0].at, part[0].id) or place == 0:
                self._insert_into(place, part, touch)
                return
        self._set_tail(sorted([*self._tail(), touch], key=_key))
        if head.tail_count >= TAIL_MAX:
            self._spill()

    def remove(self, touch: Touch) -> None:
        """Take a held touchpoint out."""
        head = self.head
        head.held -= 1
        tail = self._tail()
        if touch in tail:
            tail.remove(touch)
            self._set_tail(tail)
            return
        for place in range(len(head.parts)):
            part = self._part(place)
            if touch in part:
                part.remove(touch)
                if part:
                    self._write(place, part)
                else:
                    self._drop(place)
                if not head.tail_count:
                    self._set_tail([])
                return

    def pop_oldest_part(self) -> list[Touch]:
        """Take the oldest part out, to be folded. Raises IndexError when there is none."""
        touches = self._part(0)
        index = self.packed.get(INDEX)
        self._drop(0)
        if index is not None:
            self.packed[INDEX] = index[_HASH_BYTES * len(touches) :]
        self.head.held -= len(touches)
        return touches

    def checkpoint(self) -> Standing:
        """The summary of everything that has been folded; a fresh copy."""
        packed = self.packed.get(CHECKPOINT)
        return Standing() if packed is None else decode_standing(packed)

    def set_checkpoint(self, standing: Standing, last: Touch) -> None:
        """Everything up to and including `last` is folded into `standing`."""
        self._keep(CHECKPOINT, encode(standing))
        self.head.folded_at, self.head.folded_id = last.at, last.id

    def risk_checkpoint(self) -> RiskState:
        """The same of churn risk; a fresh copy."""
        packed = self.packed.get(RISK_CHECKPOINT)
        return RiskState() if packed is None else decode_risk(packed)

    def set_risk_checkpoint(self, state: RiskState) -> None:
        """Take over the state at the checkpoint."""
        self._keep(RISK_CHECKPOINT, encode(state))

    def _keep(self, number: int, packed: bytes) -> None:
        self.grown += len(packed) - len(self.packed.get(number, b""))
        self.packed[number] = packed
        self.touched.add(number)

    def _part(self, place: int) -> list[Touch]:
        packed = self.packed[self.head.parts[place]]
        return unpack_touches(int.from_bytes(packed[:_COUNT_BYTES], "big"), packed[_COUNT_BYTES:])

    def _index(self) -> bytes:
        index = self.packed.get(INDEX)
        if index is None:
            index = self.packed[INDEX] = b"".join(_hashes(self._part(place)) for place in range(len(self.head.parts)))
        return index

    def _tail(self) -> list[Touch]:
        return unpack_touches(self.head.tail_count, self.head.tail)

    def _set_tail(self, touches: list[Touch]) -> None:
        head = self.head
        head.tail, head.tail_count = pack(touches), len(touches)
        if touches:
            head.last_at, head.last_id = touches[-1].at, touches[-1].id
        elif head.parts:
            last = self._part(len(head.parts) - 1)[-1]
            head.last_at, head.last_id = last.at, last.id
        else:
            head.last_at, head.last_id = (head.folded_at, head.folded_id)

    def _spill(self) -> None:
        """Move the whole tail to the parts: a touchpoint is written twice at the most on its way."""
        head = self.head
        moved = self._tail()
        index = self._index()
        last = self.packed[head.parts[-1]] if head.parts else b""
        held = int.from_bytes(last[:_COUNT_BYTES], "big")
        if head.parts and held + len(moved) <= PART_MAX:
            self._store(len(head.parts) - 1, held + len(moved), last[_COUNT_BYTES:] + head.tail, moved[-1].at)
        else:
            head.parts.append(head.next_part)
            head.next_part += 1
            self._store(len(head.parts) - 1, len(moved), head.tail, moved[-1].at)
        self.packed[INDEX] = index + _hashes(moved)
        head.tail, head.tail_count = b"", 0

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
        head = self.head
        head.parts.insert(place, head.next_part)
        head.next_part += 1
        self._write(place, touches)

    def _write(self, place: int, touches: list[Touch]) -> None:
        self.packed.pop(INDEX, None)
        self._store(place, len(touches), pack(touches), touches[-1].at)

    def _store(self, place: int, count: int, run: bytes, last_at: int) -> None:
        number = self.head.parts[place]
        packed = count.to_bytes(_COUNT_BYTES, "big") + run
        self.grown += len(packed) - len(self.packed.get(number, b""))
        self.packed[number] = packed
        self.touched.add(number)
        if place == 0:
            self._schedule_fold(last_at)

    def _drop(self, place: int) -> None:
        number = self.head.parts.pop(place)
        self.grown -= len(self.packed.pop(number))
        self.packed.pop(INDEX, None)
        self.touched.add(number)
        if place == 0:
            self._schedule_fold(self._part(0)[-1].at if self.head.parts else None)

    def _schedule_fold(self, last_at: int | None) -> None:
        # A part may fold when no admissible touchpoint can reach it any more.
        self.head.folds_at = NEVER if last_at is None else last_at + self.holding_ms + 1


def _hashes(touches: Iterable[Touch]) -> bytes:
    return b"".join([crc32(touch.id.encode()).to_bytes(_HASH_BYTES, "big") for touch in touches])


def _key(touch: Touch) -> tuple[int, str]:
    return touch.at, touch.id
