"""Kafka's default partitioner, to know whether a record lies where its key belongs.

murmur2 with seed 0x9747b28c, as Java's clients use it (org.apache.kafka.common.utils.Utils); the
known vectors are in the tests.
"""

from __future__ import annotations

from functools import lru_cache

_MULTIPLIER = 0x5BD1E995
_SEED = 0x9747B28C
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Return the 32-bit murmur2 hash of `data`, unsigned."""
    length = len(data)
    h = _SEED ^ length
    whole = length - length % 4
    for at in range(0, whole, 4):
        k = (int.from_bytes(data[at : at + 4], "little") * _MULTIPLIER) & _MASK
        k = ((k ^ (k >> 24)) * _MULTIPLIER) & _MASK
        h = ((h * _MULTIPLIER) & _MASK) ^ k
    if whole < length:
        h = ((h ^ int.from_bytes(data[whole:], "little")) * _MULTIPLIER) & _MASK
    h = ((h ^ (h >> 13)) * _MULTIPLIER) & _MASK
    return h ^ (h >> 15)


@lru_cache(maxsize=65536)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of `key` on a topic with so many partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
