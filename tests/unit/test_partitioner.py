"""Our murmur2 against the vectors that Kafka's own clients are tested with."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.partitioner import murmur2, partition_of

VECTORS = [
    (b"21", -973932308),
    (b"foobar", -790332482),
    (b"a-little-bit-long-string", -985981536),
    (b"a-little-bit-longer-string", -1486304829),
    (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    (b"abc", 479470107),
]


@pytest.mark.parametrize(("key", "signed"), VECTORS)
def test_the_hash_is_that_of_java_s_client(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed % 2**32


@pytest.mark.parametrize(("key", "signed"), VECTORS)
def test_the_partition_takes_the_hash_without_its_sign(key: bytes, signed: int) -> None:
    assert partition_of(key, 24) == (signed & 0x7FFFFFFF) % 24


@settings(deadline=None)
@given(key=st.binary(max_size=40), partitions=st.integers(1, 1000))
def test_every_key_has_one_partition_of_those_there_are(key: bytes, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions
    assert partition_of(bytes(bytearray(key)), partitions) == partition_of(key, partitions)


def test_keys_spread_over_all_partitions() -> None:
    counts = [0] * 24
    for number in range(24_000):
        counts[partition_of(f"c-{number}".encode(), 24)] += 1
    # 1,000 each at random, with a standard deviation of 31: five of them either way.
    assert min(counts) > 845
    assert max(counts) < 1155
