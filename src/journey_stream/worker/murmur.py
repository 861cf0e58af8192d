"""The partition of a key, as every Kafka client's default partitioner chooses it.

A subscriber joins our topics with its own by key, so the router must put a key where a Java producer would.
"""

from __future__ import annotations

from typing import Final

SEED: Final = 0x9747B28C
MASK: Final = 0xFFFFFFFF
POSITIVE: Final = 0x7FFFFFFF

# About 40 MB when full. More customers than this in turn cost a fresh hash each, not memory without end.
REMEMBERED_MAX: Final = 1 << 18


def murmur2(data: bytes) -> int:
    """MurmurHash2 with Kafka's seed, as an unsigned 32-bit integer."""
    size = len(data)
    hashed = SEED ^ (size & MASK)
    whole = size & ~3
    for start in range(0, whole, 4):
        mixed = _times(data[start] | data[start + 1] << 8 | data[start + 2] << 16 | data[start + 3] << 24)
        hashed = _times(hashed) ^ _times(mixed ^ (mixed >> 24))
    if size & 3:
        rest = 0
        for place in range(size - 1, whole - 1, -1):
            rest = rest << 8 | data[place]
        hashed = _times(hashed ^ rest)
    hashed = _times(hashed ^ (hashed >> 13))
    return hashed ^ (hashed >> 15)


def _times(word: int) -> int:
    """`word` times 0x5BD1E995, modulo 2 to the 32."""
    # In halves: a compiled module multiplies machine integers only where it sees that the product will be one.
    low = word & 0xFFFF
    return (low * 0xE995 + (((low * 0x5BD1 + (word >> 16) * 0xE995) & 0xFFFF) << 16)) & MASK


class _Remembered(dict[bytes, int]):
    """Key → non-negative hash. A plain dict that computes what it misses is faster than `lru_cache` on bytes."""

    def __missing__(self, key: bytes) -> int:
        if len(self) >= REMEMBERED_MAX:
            self.clear()
        hashed = self[key] = murmur2(key) & POSITIVE
        return hashed


_remembered = _Remembered()
_COMPILED: Final = not __file__.endswith(".py")


def partition_for(key: bytes, partitions: int) -> int:
    """The partition, 0 ≤ p < `partitions`, that Kafka's default partitioner gives to `key`."""
    # Interpreted, a hash costs microseconds; compiled, less than to look it up among many.
    hashed = murmur2(key) & POSITIVE if _COMPILED else _remembered[key]
    return hashed % partitions
